// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import ProtectionScore

struct ReferenceScore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score",
        abstract: "Who can read a secret, tiers, checks and caps, as a Markdown page.",
        discussion: """
            Examples:
              cloudtaser reference score --out docs/reference/score.md
              cloudtaser reference score --check --out docs/reference/score.md

            \(Exit.help)
            """)

    @Option(help: "File to write or, with --check, to compare.")
    var out = "docs/reference/score.md"
    @OptionGroup var generated: GeneratedPage

    func run() throws {
        try generated.conclude(ScoreReference.page, at: out, command: "score --out \(out)")
    }
}
