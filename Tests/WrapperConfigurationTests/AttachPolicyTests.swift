// SPDX-License-Identifier: Apache-2.0
import Delivery
import Testing
import WrapperConfiguration

@Suite("CLOUDTASER_ATTACH") struct AttachPolicyTests {
    private static func commands(_ commands: [RawText]...) -> AttachPolicy {
        .commands(commands.map(DeclaredCommand.init))
    }

    @Test func `is nothing, plain, or commands`() throws {
        #expect(try AttachPolicy("plain") == .plain)
        #expect(try AttachPolicy("%70lain") == Self.commands(["plain"]))
        #expect(
            try AttachPolicy("pg_isready  -q,/bin/sh -c echo%20%24A%2C%22%22 \"\"")
                == Self.commands(["pg_isready", "-q"], ["/bin/sh", "-c", "echo $A,\"\"", ""]))
        let parser = SettingsParser(
            defaultFollow: .attached, hasCredential: { _ in false },
            lookUp: { $0 == .attach ? "check" : nil })
        #expect(try parser.parseAttach() == Self.commands(["check"]))
        let unset = SettingsParser(
            defaultFollow: .attached, hasCredential: { _ in false }, lookUp: { _ in nil })
        #expect(try unset.parseAttach() == .none)
    }

    @Test(arguments: [
        "", " ", "a,", ",a", "a,,b", "a%", "a%2", "a%2g", "a%00", "a$b", "a\"b", "\"", "a\tb", "ä",
        "plain,", "a\u{7f}",
    ])
    func `refuses what it does not read in one way`(_ text: String) {
        #expect(throws: ConfigurationFailure.self) { try AttachPolicy(text) }
    }

    @Test func `takes so many commands and words and no more`() throws {
        let commandCount = AttachPolicy.commandCountMax
        let wordCount = DeclaredCommand.wordCountMax
        let commands = [String](repeating: "a", count: commandCount)
        _ = try AttachPolicy(commands.joined(separator: ","))
        #expect(throws: ConfigurationFailure.self) {
            try AttachPolicy((commands + ["a"]).joined(separator: ","))
        }
        let words = [String](repeating: "a", count: wordCount)
        _ = try AttachPolicy(words.joined(separator: " "))
        #expect(throws: ConfigurationFailure.self) {
            try AttachPolicy((words + ["a"]).joined(separator: " "))
        }
    }

    @Test func `is written so that it reads the same`() throws {
        let every = RawText(bytes: UInt8(1)...255)
        for policy in [
            .plain, Self.commands(["plain"]), Self.commands(["plain", "x"], ["plain"]),
            Self.commands([every, "", "$(A) $$"], ["", ""]),
        ] {
            let text = policy.text
            #expect(try AttachPolicy(text) == policy, "\(text)")
            // What the kubelet would expand is not in it.
            #expect(!text.contains("$"))
        }
        #expect(AttachPolicy.none.text == "")
    }

    /// The cases of k8s.io/kubernetes/third_party/forked/golang/expansion, in other words.
    @Test(
        arguments: [
            ("$(A)", "one"), ("x$(A)y$(B)", "xoney$(A)"), ("$(NONE)", "$(NONE)"), ("$$", "$"),
            ("$$(A)", "$(A)"), ("$$$(A)", "$one"), ("$A", "$A"), ("$", "$"), ("a$", "a$"),
            ("$(A", "$(A"), ("$(", "$("), ("$()", "$()"), ("$($(A))", "$($(A))"), ("$(B)", "$(A)"),
        ] as [(RawText, RawText)])
    func `knows a command as it was written and as the kubelet expands it`(
        _ written: RawText, _ expanded: RawText
    ) {
        let environment: [String: RawText] = ["A": "one", "B": "$(A)"]
        let command = DeclaredCommand(["check", written])
        for given in [written, expanded] {
            #expect(command.isMeant(by: ["check", given]) { environment[$0] })
        }
        for given: [RawText] in [
            ["check", "other"], ["check"], ["check", written, ""], ["Check", written], [],
        ] {
            #expect(!command.isMeant(by: given) { environment[$0] })
        }
    }
}
