// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Inventory
import Reporting

struct ReferenceFindings: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "findings", abstract: "A page for each finding, as Markdown.",
        discussion: """
            Examples:
              cloudtaser reference findings --out docs/reference/findings
              cloudtaser reference findings --check --out docs/reference/findings

            \(Exit.help)
            """)

    @Option(help: "Folder to write or, with --check, to compare.")
    var out = "docs/reference/findings"
    @Flag(help: "Write nothing; end with 3 when a file differs.")
    var check = false

    func run() throws {
        let pages = FindingPages.files
        guard check else {
            for (name, text) in pages.sorted(by: { $0.key < $1.key }) {
                try Folder.write(text, to: "\(out)/\(name)")
            }
            try Terminal.print("wrote \(pages.count) pages to \(out)")
            return
        }
        let committed = try Folder.contents(of: out, ending: ".md")
        let different = Set(pages.keys).union(committed.keys).sorted().filter { name in
            pages[name].map { Data($0.utf8) } != committed[name]
        }
        guard different.isEmpty else {
            throw Findings(
                description: different.map { "\(out)/\($0): differs" }.joined(separator: "\n")
                    + "\nrun: cloudtaser reference findings --out \(out)")
        }
        try Terminal.print("\(pages.count) pages are as the sources say")
    }
}

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what a finding means and how to mend it.",
        discussion: """
            Examples:
              cloudtaser explain CT1001
              cloudtaser explain            # a line for each

            \(Exit.help)
            """)

    @Argument(help: "Its id, like CT1001; none: all of them, a line each.")
    var id: String?

    func run() throws {
        guard let id else {
            for one in FindingID.allCases {
                try Terminal.print("\(one.rawValue)  \(one.severity.rawValue)  \(one.title)")
            }
            return
        }
        guard let known = FindingID(rawValue: id.uppercased()) else {
            throw ValidationError("\(id) is no finding; `cloudtaser explain` lists them")
        }
        try Terminal.print(FindingPages.text(known))
    }
}
