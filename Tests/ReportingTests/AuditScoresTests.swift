// SPDX-License-Identifier: Apache-2.0
import Inventory
import KubernetesFormat
import Protection
import ProtectionScore
import Reporting
import Testing

@Suite("Scores of an audit") struct AuditScoresTests {
    private func scores(
        _ objects: [ClusterObject], answers: [String: NodeAnswer] = [:]
    ) -> AuditScores {
        AuditScores(Inventory(objects), excluding: [], answers: answers)
    }

    @Test func `pods of one owner with the same facts are told once`() throws {
        let found = scores([
            try Samples.pod("web-5d4f-a", secret: "db", hash: "5d4f"),
            try Samples.pod("web-5d4f-b", secret: "db", hash: "5d4f"),
            try Samples.pod("api", wrapped: true), try Samples.pod("bare"),
        ])
        #expect(found.rows.map(\.owner) == ["Deployment shop/web", "Pod shop/api"])
        #expect(found.rows.map(\.count) == [2, 1])
    }

    @Test func `the summary counts containers, and those without secrets`() throws {
        let pods = try (0..<9).map { try Samples.pod("web-5d4f-\($0)", secret: "db", hash: "5d4f") }
        let found = scores(
            pods + [try Samples.pod("api", wrapped: true), try Samples.pod("bare")])
        #expect(found.rows.count == 2)
        #expect(found.summary.assessed == 10 && found.summary.total == 11)
        let bounds = found.rows.compactMap(\.assessment.score?.ofPlatform.upper)
        #expect(bounds.count == 2 && bounds[0] < bounds[1])
        let mean = (bounds[0] * 9 + bounds[1] + 9) / 10
        #expect(found.summary.scores?.mean.upper == mean)
        // The lowest tenth of ten is one of the nine.
        #expect(found.summary.scores?.tenth.upper == bounds[0])
    }

    @Test func `a Secret's user is below its cap, and a wrapped one may be above`() throws {
        let found = scores([
            try Samples.pod("web", secret: "db"), try Samples.pod("api", wrapped: true),
        ])
        let bounds = found.rows.compactMap(\.assessment.score?.ofPlatform)
        #expect(bounds.count == 2)
        #expect(bounds[0].upper <= 20)
        #expect(bounds[1].upper > 20)
    }

    @Test func `a node without an agent is no node that nobody asked`() throws {
        let pod = try Samples.pod("api", wrapped: true, node: "n1")
        let asked = scores([pod], answers: ["n1": .noAgent])
        let unasked = scores([pod])
        let (low, high) = (asked.rows[0].assessment.score, unasked.rows[0].assessment.score)
        #expect(try #require(low).ofPlatform.upper < #require(high).ofPlatform.upper)
    }

    @Test func `reports have the ladder, the reasons and the points`() throws {
        let objects = [try Samples.pod("web", secret: "db")]
        let result = AuditResult(
            Audit(Inventory(objects)), run: Samples.run, scores: scores(objects))
        let text = AuditDocument(result).report.text()
        for word in ["HYPERVISOR", "exposed", "at most 20", "T0", "LIM-"] {
            #expect(text.uppercased().contains(word.uppercased()), "\(word)")
        }
        let tree = result.json()
        #expect(tree.value(at: "protection", "containers")?.elements?.count == 1)
    }
}
