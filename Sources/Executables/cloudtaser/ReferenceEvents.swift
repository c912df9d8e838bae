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
    @OptionGroup var generated: GeneratedPage

    func run() throws {
        let files = [
            ("events.schema.json", EventReference.schema),
            ("event-fields.md", EventReference.fieldsPage),
        ]
        for (name, text) in files {
            try generated.conclude(text, at: "\(out)/\(name)", command: "events --out \(out)")
        }
    }
}
