// SPDX-License-Identifier: Apache-2.0
import EvidencePackage
import EvidenceSigning
import KubernetesFormat
import Testing

@Suite("An audit in OSCAL") struct OscalAuditTests {
    private static let rules = [
        "CT1001": OscalAudit.Rule(title: "a key", meaning: "It lies in etcd.", fix: "Move it.")
    ]

    private func finding(_ print: String, message: String = "a key: db") -> JSONTree {
        [
            "id": "CT1001", "severity": "high", "object": "Pod shop/web-1",
            "owner": "Deployment shop/web", "container": "app", "message": .string(message),
            "source": "x.json", "fingerprint": .string(print),
        ]
    }

    private func audit(_ findings: [JSONTree], time: String = "2026-11-27T08:00:00Z") -> JSONTree {
        var accepted = finding("c")
        accepted["acceptance"] = ["reason": "a test", "owner": "Jane", "expires": "2027-01-31"]
        return [
            "run": [
                "time": .string(time), "tool": "cloudtaser 1", "command": "cloudtaser audit",
                "source": "files",
            ],
            "containers": ["protected": 1, "unprotected": 2, "total": 3],
            "findings": .array(findings), "accepted": [accepted], "unread": [],
        ]
    }

    private func document(_ audit: JSONTree) throws -> OscalDocument {
        try OscalAudit(audit, rules: Self.rules, digests: OpenSSLDigests()).document
    }

    private func list(_ name: String, _ document: OscalDocument) -> [JSONTree] {
        document.content["results"]?.elements?.first?[name]?.elements ?? []
    }

    @Test func `has an observation for each finding, and one of the population`() throws {
        let document = try document(audit([finding("a"), finding("b"), finding("a")]))
        let observations = list("observations", document)
        #expect(
            observations.map { $0["title"]?.text } == [
                "Population", "CT1001 Deployment shop/web", "CT1001 Deployment shop/web",
            ])
        let times = observations.dropFirst().compactMap { observation in
            observation["props"]?.elements?.first { $0["name"]?.text == "times" }?["value"]?.text
        }
        #expect(times == ["2", "1"])
        let risks = list("risks", document)
        #expect(risks.map { $0["status"]?.text } == ["open", "deviation-approved"])
        #expect(risks.first?["related-observations"]?.elements?.count == 2)
        #expect(list("findings", document).isEmpty)
    }

    @Test func `holds together, and a reference that leads nowhere does not`() throws {
        let document = try document(audit([finding("a"), finding("b")]))
        #expect(OscalReferences([document]).faults().isEmpty)
        // Control: the check looks at these documents too.
        let text = document.text
        let used = try #require(list("observations", document)[1]["uuid"]?.text)
        let place = try #require(text.firstRange(of: used))
        let broken = try JSONTree(
            Array(text.replacingCharacters(place, "11111111-1111-5111-8111-111111111111").utf8))
        let other = OscalDocument(
            fileName: document.fileName, model: document.model,
            content: try #require(broken["assessment-results"]))
        #expect(!OscalReferences([other]).faults().isEmpty)
    }

    @Test func `is the same each time, and another one at another time`() throws {
        let first = try document(audit([finding("a")]))
        #expect(try document(audit([finding("a")])) == first)
        let later = try document(audit([finding("a")], time: "2026-11-28T08:00:00Z"))
        #expect(later.content["uuid"] != first.content["uuid"])
    }

    @Test func `text of others is one line, and a time that is none is refused`() throws {
        let hostile = try document(audit([finding("a", message: "x\u{1B}[31m\n\u{202E}y")]))
        #expect(list("observations", hostile)[1]["description"]?.text == "x [31m y")
        #expect(throws: PackageFailure.self) { try document(audit([], time: "today")) }
    }
}

extension String {
    fileprivate func replacingCharacters(_ range: Range<Index>, _ text: String) -> String {
        self[..<range.lowerBound] + text + self[range.upperBound...]
    }
}
