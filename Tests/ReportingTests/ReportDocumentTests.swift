// SPDX-License-Identifier: Apache-2.0
import Foundation
import Inventory
import KubernetesFormat
import Reporting
import Testing

@Suite("A report's forms") struct ReportDocumentTests {
    /// Drives a terminal, and hides its end from a reader.
    private static let hostile = "a\u{1B}[2J\u{07}\u{9B}31m\u{202E}txt.exe\u{7F}\r\nb"
    private static let script = #"<script>alert("1")</script>'&"#

    private func report(_ text: String) -> ReportDocument {
        ReportDocument(
            title: text, header: [(name: "n", value: text)], verdict: text,
            figures: [.init("f", "1", .bad)],
            sections: [
                .init("s", text: [text], table: .init(["h", "i"], [[text, "high"], ["", ""]])),
                .init("t"),
            ])
    }

    @Test func `text of others drives no terminal`() {
        let text = report(Self.hostile).text(isColored: false)
        let active = text.unicodeScalars.filter {
            $0.value < 0x20 && $0 != "\n" || (0x7F...0x9F).contains($0.value) || $0 == "\u{202E}"
        }
        #expect(active.isEmpty)
        #expect(text.contains(#"a\u{1B}[2J\u{7}\u{9B}31m\u{202E}txt.exe\u{7F}\u{D}\u{A}b"#))
        // The control: what is ours may be coloured.
        #expect(report("x").text(isColored: true).contains("\u{1B}[31mhigh\u{1B}[0m"))
        #expect(!report("x").text().contains("\u{1B}"))
    }

    @Test func `text of others is no HTML`() {
        let html = report(Self.script).html
        #expect(!html.contains("<script"))
        #expect(html.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;"))
        #expect(html.contains(#"<span class="w high">high</span>"#))
        // Nothing is fetched, even where something gets past the escapes.
        #expect(html.contains("default-src 'none'"))
        for word in ["src=", "http://", "https://", "url(", "@import"] {
            #expect(!html.contains(word), "\(word)")
        }
    }

    @Test func `text of others is no Markdown`() {
        let markdown = report("[a](b) | *c* `d` <e> #f \\").markdown
        #expect(markdown.contains(##"\[a\](b) \| \*c\* \`d\` &lt;e&gt; \#f \\"##))
        #expect(!markdown.contains("<e>"))
    }

    @Test func `columns are as wide as their widest cell, and no line ends with blanks`() {
        let text = ReportDocument(
            title: "t", header: [], verdict: "v", figures: [],
            sections: [.init("s", table: .init(["a", "b"], [["long", ""], ["x", "y"]]))]
        ).text()
        #expect(text.hasSuffix("A     B\nlong\nx     y"))
    }

    @Test func `every row of a table is in every form`() throws {
        let report = AuditDocument(
            Samples.result(
                [try Samples.pod("web", secret: "db"), try Samples.node("n1")],
                unread: [UnreadObject(source: "x.yaml", reason: "is no YAML")])
        ).report
        for form in [report.text(), report.markdown, report.html] {
            for word in ["CT1001", "CT2003", "x.yaml", "is no YAML", "unprotected", "incomplete"] {
                #expect(form.contains(word), "\(word)")
            }
        }
    }
}

@Suite("What an audit says to do") struct AuditActionsTests {
    /// Rows of a section, cells with blanks around them taken off.
    private func rows(_ section: String, _ objects: [ClusterObject]) -> [[String]] {
        let text = AuditDocument(Samples.result(objects)).report.markdown
        guard let part = text.components(separatedBy: "## \(section)\n").dropFirst().first
        else { return [] }
        let lines = part.components(separatedBy: "\n## ")[0].split(separator: "\n")
        return lines.filter { $0.hasPrefix("|") }.dropFirst(2).map { line in
            line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    @Test func `one line for what has the same to be done about it, three objects by name`() throws
    {
        let pods = try (1...5).map { try Samples.pod("web\($0)", secret: "db") }
        let first = rows("What to do first", Array(pods.prefix(3)))
        #expect(first.map { $0[1] } == ["CT1001"])
        #expect(first.first?[3] == "Pod shop/web1, Pod shop/web2, Pod shop/web3")
        #expect(first.first?.last?.hasPrefix("Move the value to the vault") == true)
        #expect(
            rows("What to do first", pods).first?[3]
                == "Pod shop/web1, Pod shop/web2, Pod shop/web3 and 2 more")
        // Control: nothing heavy, nothing to do first.
        #expect(rows("What to do first", [try Samples.pod("web", wrapped: true)]).isEmpty)
    }

    @Test func `each id is in one of the two sections`() throws {
        let objects = [
            try Samples.pod("web", secret: "db"), try Samples.node("n1"),
            try Samples.object([
                "apiVersion": "v1", "kind": "Secret",
                "metadata": ["name": "unused", "namespace": "shop"], "type": "Opaque",
            ]),
        ]
        let first = rows("What to do first", objects).map { $0[1] }
        let then = rows("What to do then", objects).map { $0[0] }
        let found = Set(Samples.result(objects).findings.map(\.id.rawValue))
        #expect(!first.isEmpty && !then.isEmpty)
        #expect(Set(first).isDisjoint(with: then) && Set(first + then) == found)
    }
}

@Suite("SARIF") struct SarifLogTests {
    @Test func `has a rule for each id, and a place and a fingerprint for each finding`() throws {
        let audit = Samples.result([try Samples.pod("web", secret: "db")])
        let log = SarifLog.document(
            audit.findings, suppressed: [(audit.findings[0], "accepted")],
            unread: [UnreadObject(source: "a b.yaml", reason: "why")], version: "1")
        let run = try #require(log["runs"]?.elements?.first)
        let rules = run.value(at: "tool", "driver", "rules")?.elements ?? []
        #expect(rules.compactMap { $0["id"]?.text } == FindingID.allCases.map(\.rawValue))
        let results = run["results"]?.elements ?? []
        #expect(results.count == audit.findings.count + 1)
        for result in results {
            let index = try #require(result["ruleIndex"]?.wholeNumber)
            #expect(rules[index]["id"] == result["ruleId"])
            #expect(result.value(at: "partialFingerprints", "cloudtaser/v1")?.text?.count == 16)
        }
        let location = results.first?["locations"]?.elements?.first?["physicalLocation"]
        #expect(location?.value(at: "artifactLocation", "uri")?.text == "web.yaml")
        #expect(results.last?["suppressions"] != nil && results.first?["suppressions"] == nil)
        let invocation = run["invocations"]?.elements?.first
        #expect(invocation?["executionSuccessful"] == .bool(false))
    }

    @Test func `severities that are high are errors`() {
        let levels = FindingID.allCases.map { id in
            SarifLog.document(
                [Finding(id: id, object: "o", container: nil, path: "", message: "m", source: "-")],
                unread: [], version: "1")["runs"]?.elements?.first?["results"]?.elements?.first?[
                    "level"]?.text
        }
        for (id, level) in zip(FindingID.allCases, levels) {
            #expect((level == "error") == (id.severity >= .high), "\(id)")
        }
    }
}
