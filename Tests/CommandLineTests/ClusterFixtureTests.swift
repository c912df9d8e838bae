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
        let nodesWithAgent: [String]
        let nodesWithoutAgent: [String]
        let orphanedSecrets: [String]
        let owners: [String: [String: Int]]
    }

    private struct Audited: Decodable {
        struct Row: Decodable {
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
        }

        struct Nodes: Decodable {
            let withAgent: Int
            let total: Int
            let list: [Node]
        }

        let containers: [String: Int]
        let nodes: Nodes
        let workloads: [Row]
        let findings: [Finding]
        let unread: [[String: String]]

        /// How many findings have each id.
        var ids: [String: Int] {
            findings.reduce(into: [:]) { $0[$1.id, default: 0] += 1 }
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
        let names = { (hasAgent: Bool) in
            audited.nodes.list.filter { $0.hasAgent == hasAgent }.map(\.name)
        }
        #expect(names(true) == expected.nodesWithAgent)
        #expect(names(false) == expected.nodesWithoutAgent)
        #expect(audited.nodes.withAgent == expected.nodesWithAgent.count)
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
