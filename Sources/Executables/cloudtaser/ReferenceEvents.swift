// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import EnforcementEvents
import Foundation

struct ReferenceEvents: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "The JSON schema of the agent's events and the page of their fields.",
        discussion: """
            Examples:
              cloudtaser reference events --out docs/reference
              cloudtaser reference events --check --out docs/reference

            \(Exit.help)
            """)

    @Option(help: "Folder to write to or, with --check, to compare.")
    var out = "docs/reference"
    @Flag(help: "Write nothing; end with 3 when a file differs.")
    var check = false

    func run() throws {
        let files = [
            ("events.schema.json", EventReference.schema),
            ("event-fields.md", EventReference.fieldsPage),
        ]
        for (name, text) in files {
            let path = "\(out)/\(name)"
            guard check else {
                try Folder.write(text, to: path)
                print("wrote \(path)")
                continue
            }
            guard try Folder.data(at: path) == Data(text.utf8) else {
                throw Findings(
                    description: "\(path): differs; run: cloudtaser reference events --out \(out)")
            }
            print("\(path) is as the sources say")
        }
    }
}
