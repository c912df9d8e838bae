// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

@Suite("The tool as a whole") struct ToolTests {
    private func run(_ words: [String]) throws -> ProgramRun {
        try ProgramRun("cloudtaser", words, environment: [:])
    }

    /// Names and texts of the subcommands that a help lists.
    private func listed(_ help: String) -> [(name: String, text: String)] {
        guard let start = help.range(of: "SUBCOMMANDS:\n") else { return [] }
        return help[start.upperBound...].split(separator: "\n", omittingEmptySubsequences: false)
            .prefix { !$0.isEmpty }
            .filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
            .map { line in
                let parts = line.split(separator: " ", maxSplits: 1)
                let text = parts.count > 1 ? parts[1].drop { $0 == " " } : ""
                return (String(parts[0]), String(text))
            }
    }

    @Test func `help lists the commands with a line each, and examples`() throws {
        let help = try run(["--help"])
        #expect(help.status == 0 && help.output.contains("Examples:"))
        let commands = listed(help.output)
        let names = commands.map(\.name)
        for name in [
            "audit", "completion", "discover", "doctor", "evidence", "events", "explain",
            "install", "netpol", "reference", "simulate", "status", "validate", "version",
        ] {
            #expect(names.contains(name), "\(name)")
        }
        #expect(commands.allSatisfy { !$0.text.isEmpty }, "\(commands)")
    }

    @Test func `each command's help has an example`() throws {
        var waiting = listed(try run(["--help"]).output).map { [$0.name.replacing(",", with: "")] }
        var count = 0
        while let words = waiting.popLast() {
            let help = try run(words + ["--help"])
            #expect(help.status == 0, "\(words)")
            #expect(help.output.contains("Example"), "\(words)")
            #expect(help.output.contains("cloudtaser \(words.joined(separator: " "))"))
            waiting += listed(help.output).map { words + [String($0.name.prefix { $0 != "," })] }
            count += 1
        }
        #expect(count > 20)
    }

    @Test func `bash takes its completions, by both ways of asking`() throws {
        let folder = try ScratchFolder()
        let script = try run(["completion", "bash"])
        #expect(script.status == 0 && script.output.contains("validate"))
        let file = try folder.write("c.bash", script.output)
        let check = try ProgramRun(path: "/bin/bash", ["-n", file], environment: [:])
        #expect(check.status == 0, "\(check)")
        // Control: what bash does not take.
        let broken = try folder.write("b.bash", script.output + "\nif then {\n")
        #expect(try ProgramRun(path: "/bin/bash", ["-n", broken], environment: [:]).status != 0)
        let other = try run(["--generate-completion-script", "bash"])
        #expect(other.status == 0 && other.output == script.output)
    }

    @Test func `zsh and fish get theirs, and no other shell`() throws {
        let zsh = try run(["completion", "zsh"])
        #expect(zsh.status == 0 && zsh.output.hasPrefix("#compdef cloudtaser"))
        let fish = try run(["completion", "fish"])
        #expect(fish.status == 0 && fish.output.contains("complete -c 'cloudtaser'"))
        #expect(try run(["completion", "csh"]).status == 2)
        #expect(try run(["completion"]).status == 2)
    }

    @Test func `the reference page names every command`() throws {
        let root = URL(filePath: #filePath).appending(path: "../../..").standardizedFileURL
        let page = try String(
            contentsOf: root.appending(path: "docs/reference/tool.md"), encoding: .utf8)
        for (name, _) in listed(try run(["--help"]).output) {
            #expect(page.contains("`\(name)`"), "\(name)")
        }
    }
}
