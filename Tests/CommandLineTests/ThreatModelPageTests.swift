// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

@Suite("The page of the threat model") struct ThreatModelPageTests {
    private static func text(_ path: String) throws -> String {
        try String(contentsOf: URL(filePath: Checkout.root).appending(path: path), encoding: .utf8)
    }

    private struct Catalogue: Decodable {
        struct Vector: Decodable { let id: String }
        let vectors: [Vector]
    }

    /// Ids of the second column, with those that `to` leaves out.
    private static func ids(inRow row: Substring) -> [String] {
        let cells = row.split(separator: "|", omittingEmptySubsequences: false)
        guard cells.count > 3 else { return [] }
        return cells[2].split(separator: ",").flatMap { part -> [String] in
            let ends = part.matches(of: /AV-(\d{3})/).compactMap { Int($0.1) }
            guard let first = ends.first, let last = ends.last, first <= last else { return [] }
            return (first...last).map { "AV-" + String(1000 + $0).dropFirst() }
        }
    }

    @Test("every vector of the catalogue is in one class")
    func classes() throws {
        let catalogue = try JSONDecoder().decode(
            Catalogue.self, from: Data(Self.text("Fixtures/attack-vectors.json").utf8))
        let page = try Self.text("docs/explanation/threat-model.md")
        let section = try #require(page.split(separator: "\n## ").first { $0.hasPrefix("Vectors") })
        let listed = section.split(separator: "\n").filter { $0.hasPrefix("| ") }.flatMap(Self.ids)
        #expect(listed.sorted() == catalogue.vectors.map(\.id).sorted())
    }

    @Test("a vector that is missing or there twice would be seen")
    func control() {
        #expect(
            Self.ids(inRow: "| a | AV-001 to AV-003, AV-005 | b |")
                == ["AV-001", "AV-002", "AV-003", "AV-005"])
        #expect(Self.ids(inRow: "| a | AV-001, AV-001 | b |") == ["AV-001", "AV-001"])
        #expect(Self.ids(inRow: "| AV-001 | b | c |").isEmpty)
    }

    @Test("every test that the page names is in the evidence catalogue")
    func tests() throws {
        let page = try Self.text("docs/explanation/threat-model.md")
        let folder = URL(filePath: Checkout.root).appending(path: "Fixtures/compliance")
        let known = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasSuffix(".json") }.sorted()
            .map { try Self.text("Fixtures/compliance/\($0)") }.joined()
        let named = Set(page.matches(of: /(?:LIM|VM|SIM)-[A-Z0-9]+-\d+/).map { String($0.0) })
        #expect(named.contains("LIM-HV-01"))
        for id in named.sorted() { #expect(known.contains("\"\(id)\""), "\(id)") }
        #expect(!known.contains("\"LIM-HV-99\""))
    }
}
