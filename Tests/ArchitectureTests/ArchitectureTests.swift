// SPDX-License-Identifier: Apache-2.0
import Testing

@Suite("The house")
struct ArchitectureTests {
    @Test("the sources follow the rule", arguments: Rule.all)
    func sourcesFollow(rule: Rule) {
        let findings = rule.check(.checkout)
        // Recorded, not expected: an expectation would print the findings twice.
        if !findings.isEmpty {
            Issue.record("\(rule.name)\n\(findings.map(\.description).joined(separator: "\n"))")
        }
    }

    @Test("the rule finds what is planted, and nothing else", arguments: Rule.all)
    func ruleFindsPlanted(rule: Rule) {
        let found = rule.check(Repository(rule.control)).map { "\($0.path):\($0.line)" }
        #expect(!rule.planted.isEmpty, "a rule without a control proves nothing")
        #expect(found.sorted() == rule.planted.sorted(), "\(rule.name)")
    }

    @Test("the checkout is read: its manifest and every room have files")
    func checkoutIsRead() {
        let repository = Repository.checkout
        #expect(repository.manifest.target(named: "cloudtaser-wrapper") != nil)
        for folder in Room.allCases.map(\.folder) {
            #expect(repository.files.contains { $0.path.hasPrefix(folder) }, "\(folder) is empty")
        }
        let unplaced = repository.swiftFiles.filter { repository.target(of: $0) == nil }
        #expect(unplaced.map(\.path) == [], "a Swift file that no target of Package.swift builds")
    }

    @Test("comments and string literals are not code, interpolations are")
    func codeText() {
        let text = ##"""
            let a = "x! \(b!) y!" // c!
            /* d! /* e! */ f! */ let g = #"h" i!"#
            let j = "k\"l!"
            """##
        let code = CodeText.lines(of: text, language: .swift)
        #expect(code.count == 3)
        #expect(code[0].contains("b!") && !code[0].contains("x!") && !code[0].contains("c!"))
        #expect(code[1].contains("let g") && !code[1].contains("f!") && !code[1].contains("i!"))
        #expect(!code[2].contains("l!"))
    }
}
