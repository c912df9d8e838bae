// SPDX-License-Identifier: Apache-2.0
import Inventory
import KubernetesFormat
import Testing

@Suite("Text for a terminal") struct TextTableTests {
    @Test(arguments: [
        ("a\u{1B}[31mb", "a\\u{1B}[31mb"), ("a\nb", "a\\u{A}b"), ("\u{7F}", "\\u{7F}"),
        ("\u{9B}2J", "\\u{9B}2J"), ("a\u{202E}b", "a\\u{202E}b"), ("\u{2066}", "\\u{2066}"),
        ("\u{2028}", "\\u{2028}"), ("\u{61C}", "\\u{61C}"),
        ("naïve – 名前 e\u{301}", "naïve – 名前 e\u{301}"),
    ])
    func `what would move the cursor or turn text is written out`(
        _ text: String, _ expected: String
    ) {
        #expect(TextTable.neutral(text) == expected)
        #expect(TextTable.neutral(expected) == expected)
    }

    @Test func `names in tables are written out, and columns stay straight`() throws {
        let evil = "web\u{1B}]0;owned\u{7}\u{202E}"
        let spec: JSONTree = [
            "containers": [
                [
                    "name": .string(evil), "command": ["/app"],
                    "env": [["name": .string("PASSWORD"), "value": "hunter2"]],
                ]
            ]
        ]
        let inventory = Inventory(
            [try Objects.deployment(evil, spec), try Objects.deployment("good", spec)],
            unread: [UnreadObject(source: "x\u{1B}c.yaml", reason: "is\u{9B}2J no YAML")])
        for text in [Discovery(inventory).table, Audit(inventory).table] {
            #expect(text.contains("\\u{1B}]0;owned\\u{7}\\u{202E}"))
            let active = text.unicodeScalars.filter { $0.value < 0x20 || $0.value == 0x202E }
            #expect(Set(active) == ["\n"])
            #expect(text.contains("x\\u{1B}c.yaml  is\\u{9B}2J no YAML"))
        }
    }
}
