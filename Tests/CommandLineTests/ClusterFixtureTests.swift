// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

/// Fixtures/cluster: what is counted there was counted by hand (expected.md).
@Suite("A cluster of 300 workloads") struct ClusterFixtureTests {
    private struct Expected: Decodable {
        let containers: [String: Int]
        let workloadCount: Int
        let findings: [String: Int]
        let nodes: [String: Counted]
        let orphanedSecrets: [String]
        let owners: [String: [String: Int]]
        let containersByKind: [String: [String: Int]]
        let containersByNamespace: [String: [String: Int]]
        /// By finding, how many convert.
        let uses: [String: [String: Int]]
        let protection: [String: Class]
        let summary: Summary
    }

    /// What runs on a node.
    private struct Counted: Decodable, Equatable {
        let hasAgent: Bool
        let protected: Int
        let containers: Int
    }

    /// What all containers of a class have.
    private struct Assessment: Hashable {
        let score: String
        let tiers: [String]
        /// With `?` where it is not certain.
        let caps: [String]
        let lost: [String: Int]
        /// Exposure and test of each reader.
        let readers: [String: String]
    }

    private struct Class: Decodable {
        let containers: Int
        let score: String
        let tier: String
        let tierPossible: String
        let caps: [String]
        let lost: [String: Int]
        let readers: [String: String]

        var assessment: Assessment {
            Assessment(
                score: score, tiers: [tier, tierPossible], caps: caps, lost: lost, readers: readers)
        }
    }

    private struct Summary: Decodable, Equatable {
        let assessed: Int
        let total: Int
        let lowest: String
        let tenth: String
        let mean: String
    }

    private struct Audited: Decodable {
        struct Row: Decodable {
            let object: String
            let owner: String
            let standing: String
        }

        struct Finding: Decodable {
            let id: String
            let object: String
        }

        struct Node: Decodable {
            let name: String
            let hasAgent: Bool
            let protected: Int
            let containers: Int
        }

        struct Nodes: Decodable {
            let withAgent: Int
            let total: Int
            let list: [Node]
        }

        struct Protection: Decodable {
            let summary: Totals
            let containers: [Assessed]
        }

        let containers: [String: Int]
        let nodes: Nodes
        let protection: Protection
        let workloads: [Row]
        let findings: [Finding]
        let unread: [[String: String]]

        /// How many findings have each id.
        var ids: [String: Int] {
            findings.reduce(into: [:]) { $0[$1.id, default: 0] += 1 }
        }

        /// Containers by standing, by a part of their object's reference.
        func standings(by part: (Row) -> String) -> [String: [String: Int]] {
            Dictionary(grouping: workloads, by: part).mapValues { rows in
                rows.reduce(into: [:]) { $0[$1.standing, default: 0] += 1 }
            }
        }

        /// By owner, with its number as `*`: how many owners, and containers by standing.
        var owners: [String: [String: Int]] {
            let grouped = Dictionary(grouping: workloads) { row in
                row.owner.replacing(/-[0-9]+$/, with: "-*")
            }
            return grouped.mapValues { rows in
                var found = rows.reduce(into: [:]) { $0[$1.standing, default: 0] += 1 }
                found["owners"] = Set(rows.map(\.owner)).count
                return found
            }
        }
    }

    private struct Span: Decodable {
        let lower: Int
        let upper: Int

        var text: String { "\(lower)-\(upper)" }
    }

    private struct Totals: Decodable {
        let assessed: Int
        let total: Int
        let scores: [String: Span]

        var summary: Summary {
            let text = { (name: String) in scores[name]?.text ?? "" }
            return Summary(
                assessed: assessed, total: total, lowest: text("lowest"), tenth: text("tenth"),
                mean: text("mean"))
        }
    }

    /// What is said of a container, and how often.
    private struct Assessed: Decodable {
        struct Reader: Decodable {
            let reader: String
            let exposure: String
            let test: String?
        }

        struct Cap: Decodable {
            let cap: String
            let certain: Bool
            let fix: String
        }

        struct Loss: Decodable {
            let check: String
            let points: Int
            let fix: String
        }

        struct Score: Decodable {
            let ofPlatform: Span
            let caps: [Cap]
            let lost: [Loss]
        }

        let times: Int
        let tier: String
        let tierPossible: String
        let readers: [Reader]
        let score: Score

        var assessment: Assessment {
            let lost = score.lost.map { ($0.check, $0.points) }
            let said = readers.map { one in
                (one.reader, [one.exposure, one.test].compactMap(\.self).joined(separator: " "))
            }
            return Assessment(
                score: score.ofPlatform.text, tiers: [tier, tierPossible],
                caps: score.caps.map { $0.cap + ($0.certain ? "" : "?") },
                lost: Dictionary(uniqueKeysWithValues: lost),
                readers: Dictionary(uniqueKeysWithValues: said))
        }
    }

    private struct Discovered: Decodable {
        struct Use: Decodable {
            let id: String
            let converts: String
        }

        let uses: [Use]
    }

    private static let folder = URL(filePath: #filePath)
        .appending(path: "../../../Fixtures/cluster").standardizedFileURL

    private func expected() throws -> Expected {
        try JSONDecoder().decode(
            Expected.self, from: Data(contentsOf: Self.folder.appending(path: "expected.json")))
    }

    private func audited(_ path: String) throws -> Audited {
        let run = try ProgramRun("cloudtaser", ["audit", "-o", "json", path], environment: [:])
        #expect(run.status == 4, "\(run.errors)")
        return try JSONDecoder().decode(Audited.self, from: Data(run.output.utf8))
    }

    private var cluster: URL { Self.folder.appending(path: "cluster.json") }

    @Test func `is counted as a hand has counted it`() throws {
        let (expected, audited) = (try expected(), try audited(cluster.path()))
        #expect(audited.containers == expected.containers)
        #expect(audited.ids == expected.findings)
        #expect(audited.owners == expected.owners)
        #expect(Set(audited.workloads.map(\.owner)).count == expected.workloadCount)
        let orphans = audited.findings.filter { $0.id == "CT2002" }.map(\.object)
        #expect(orphans.sorted() == expected.orphanedSecrets)
        let nodes = audited.nodes.list.map {
            (
                $0.name,
                Counted(hasAgent: $0.hasAgent, protected: $0.protected, containers: $0.containers)
            )
        }
        #expect(Dictionary(uniqueKeysWithValues: nodes) == expected.nodes)
        #expect(audited.nodes.withAgent == expected.nodes.values.count(where: \.hasAgent))
        #expect(audited.nodes.total == expected.nodes.count)
    }

    @Test func `adds up kind by kind and namespace by namespace`() throws {
        let (expected, audited) = (try expected(), try audited(cluster.path()))
        let kinds = audited.standings { String($0.object.prefix { $0 != " " }) }
        let namespaces = audited.standings { row in
            String(row.object.drop { $0 != " " }.dropFirst().prefix { $0 != "/" })
        }
        #expect(kinds == expected.containersByKind)
        #expect(namespaces == expected.containersByNamespace)
        for groups in [kinds, namespaces] {
            let rows = groups.values.flatMap(\.values).reduce(0, +)
            #expect(rows + audited.unread.count == expected.containers["total"])
        }
    }

    @Test func `uses are counted by kind, and by whether they convert`() throws {
        let run = try ProgramRun(
            "cloudtaser", ["discover", "-o", "json", cluster.path()], environment: [:])
        #expect(run.status == 4, "\(run.errors)")
        let found = try JSONDecoder().decode(Discovered.self, from: Data(run.output.utf8))
        let uses = Dictionary(grouping: found.uses, by: \.id).mapValues { uses in
            uses.reduce(into: [:]) { $0[$1.converts, default: 0] += 1 }
        }
        #expect(uses == (try expected().uses))
    }

    @Test func `scores, tiers, caps, lost points and readers are those of each class`() throws {
        let (expected, audited) = (try expected(), try audited(cluster.path()))
        let found = audited.protection.containers.reduce(into: [:]) {
            $0[$1.assessment, default: 0] += $1.times
        }
        let classes = expected.protection.values.map { ($0.assessment, $0.containers) }
        #expect(found == Dictionary(uniqueKeysWithValues: classes))
        #expect(audited.protection.summary.summary == expected.summary)
        for row in audited.protection.containers {
            let fixes = row.score.lost.map(\.fix) + row.score.caps.map(\.fix)
            try #require(fixes.allSatisfy { !$0.isEmpty })
        }
    }

    @Test func `status counts the same nodes as the audit`() throws {
        let run = try ProgramRun("cloudtaser", ["status", cluster.path()], environment: [:])
        #expect(run.output.contains("ready on 4 of 6 nodes"), "\(run)")
    }

    @Test func `the four words add up, and the rows are what is counted`() throws {
        let audited = try audited(cluster.path())
        var rows = audited.workloads.reduce(into: [:]) { $0[$1.standing, default: 0] += 1 }
        rows["unreadable"] = audited.unread.count
        rows["total"] = audited.workloads.count + audited.unread.count
        #expect(audited.containers == rows)
    }

    /// Controls: what is compared here differs as soon as the cluster does.
    @Test func `one pod more, and one Secret that is used no more, are seen`() throws {
        let expected = try expected()
        let text = try String(contentsOf: cluster, encoding: .utf8)
        let pod =
            #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"more"},"#
            + #""spec":{"containers":[{"name":"app"}]}},"#
        let changed =
            text.replacing("\"items\":[\n", with: "\"items\":[\n\(pod)\n")
            .replacing("\"name\":\"sa-named\"}]", with: "\"name\":\"other\"}]")
        let file = FileManager.default.temporaryDirectory
            .appending(path: "cluster-\(UUID().uuidString).json")
        try Data(changed.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let audited = try audited(file.path())
        #expect(audited.containers["total"] == expected.containers["total"].map { $0 + 1 })
        #expect(audited.ids["CT2002"] == expected.findings["CT2002"].map { $0 + 1 })
    }
}
