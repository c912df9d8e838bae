// SPDX-License-Identifier: Apache-2.0
import Compliance
import Foundation
import TestKit
import Testing

/// What the committed catalogue has to hold, against the repository that it speaks of.
@Suite("The committed catalogue") struct CatalogueContentTests {
    private static func files(in folder: String, ending suffix: String) throws -> [String: Data] {
        let url = URL(filePath: Checkout.root + folder)
        let names = try FileManager.default.contentsOfDirectory(
            atPath: url.path(percentEncoded: false)
        ).filter { $0.hasSuffix(suffix) }
        return try Dictionary(
            uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: url.appending(path: $0))) })
    }

    private static func catalogue() throws -> Catalogue {
        try CatalogueReader.catalogue(from: files(in: "Fixtures/compliance", ending: ".json"))
    }

    /// Of the mapping that users were shown: each of its rows, with the article that it named.
    private static let promised = [
        "GDPR-32-1-a-enc", "GDPR-32-1-b", "GDPR-32-1-a-pse", "GDPR-32-1-d", "SUPP-M1", "SUPP-M2",
        "SUPP-M4", "SUPP-M9", "ACC-0", "ACC-1", "ACC-2", "ACC-3", "ACC-4", "NIS2-21-2-a",
        "NIS2-21-2-b", "NIS2-21-2-d", "NIS2-21-2-e", "NIS2-21-2-h", "NIS2-21-2-j", "DORA-6",
        "DORA-7", "DORA-8", "DORA-9", "DORA-10", "DORA-11", "DORA-28", "DORA-30", "ISO-A.5.31",
        "ISO-A.8.2", "ISO-A.8.5", "ISO-A.8.7", "ISO-A.8.9", "ISO-A.8.10", "ISO-A.8.11",
        "ISO-A.8.12", "ISO-A.8.20", "ISO-A.8.24", "ISO-A.8.25", "SOC-CC6.1", "SOC-CC6.3",
        "SOC-CC6.6", "SOC-CC6.7", "SOC-CC7.2", "SOC-CC7.3",
    ]

    @Test("has each row that users were shown, and says of each what was wrong with it")
    func seedRows() throws {
        let rows = try Self.catalogue().requirements.filter { $0.origin == .seed }
        #expect(Set(rows.map(\.id)) == Set(Self.promised))
        #expect(rows.filter { $0.correction == nil }.map(\.id) == [])
        let added = try Self.catalogue().requirements.filter { $0.origin == .added }
        #expect(added.allSatisfy { $0.correction == nil }, "there was nothing to correct")
    }

    @Test("has the other letters and articles that the first mapping left out")
    func addedRows() throws {
        let ids = Set(try Self.catalogue().requirements.map(\.id))
        let missing = [
            "GDPR-32-1-c", "NIS2-21-2-c", "NIS2-21-2-f", "NIS2-21-2-g", "NIS2-21-2-i", "DORA-12",
            "DORA-17", "DORA-24-25", "RTS-6-2-b", "RTS-7", "RTS-12", "RTS-14", "RTS-20-21",
            "RTS-23", "ISO-A.5.17", "ISO-A.8.15", "SOC-CC6.2", "SOC-CC6.8", "SOC-CC9.2",
        ].filter { !ids.contains($0) }
        #expect(missing == [])
        #expect((1...7).allSatisfy { ids.contains("EDPB-UC\($0)") })
    }

    @Test("has five components in six frameworks, five audit items, uses and scenarios")
    func tables() throws {
        let catalogue = try Self.catalogue()
        #expect(catalogue.matrix.count == 30)
        #expect(Set(catalogue.matrix.map(\.component)).count == 5)
        #expect(Set(catalogue.matrix.map(\.framework)).count == 6)
        #expect(catalogue.auditItems.count == 5 && catalogue.uses.count == 5)
        #expect(catalogue.scenarios.map(\.id) == (1...5).map { "SC-\($0)" })
    }

    @Test("a cell stands on rows of its own framework, or of the statements about access")
    func cells() throws {
        let catalogue = try Self.catalogue()
        for cell in catalogue.matrix {
            let frameworks = catalogue.requirements.filter { cell.requirements.contains($0.id) }
                .map(\.framework)
            #expect(
                frameworks.allSatisfy { one in
                    one == cell.framework || (one == "ACCESS" && cell.framework == "EDPB")
                }, "\(cell.id): \(frameworks)")
        }
    }

    @Test("every type of event that the agent tells is there, with the class that it becomes")
    func events() throws {
        let golden = try Self.files(in: "Fixtures/ocsf", ending: ".ocsf.json")
            .filter { !$0.key.contains("-") }
        let events = try Self.catalogue().events
        #expect(
            Set(golden.keys.map { $0.prefix { $0 != "." } }) == Set(events.map { $0.name[...] }))
        let seed = events.filter { $0.origin == .seed }.map(\.name)
        #expect(
            Set(seed) == [
                "SECRET_LEAK", "PROCMEM_READ", "ENVIRON_READ", "PTRACE_DENIED", "MODULE_LOAD",
                "BPF_LOAD",
            ])
        for event in events {
            let data = try #require(golden["\(event.name).ocsf.json"])
            let json = try #require(
                JSONSerialization.jsonObject(with: data) as? [String: Any])
            let words = [json["class_uid"], json["class_name"]].map { $0.map { "\($0)" } ?? "" }
            #expect(event.ocsf.hasPrefix(words.joined(separator: " ")), "\(event.name)")
            let activity = try #require(json["activity_id"] as? Int)
            #expect(event.ocsf.contains(", \(activity) "), "\(event.name): \(activity)")
            #expect(event.outcomes.allSatisfy { ["denied", "killed", "observed"].contains($0) })
        }
    }

    // MARK: - Tests that run

    /// Ids whose records something of the repository writes, by the form of what writes them.
    private static func written() throws -> Set<String> {
        var ids: Set<String> = []
        for folder in ["Tests", "e2e", "e2e-s3", "vm-tests"] {
            let root = URL(filePath: Checkout.root + folder)
            let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
            while let url = files?.nextObject() as? URL {
                guard ["swift", "py"].contains(url.pathExtension),
                    url.lastPathComponent != "\(#fileID)",
                    let text = try? String(contentsOf: url, encoding: .utf8)
                else { continue }
                let pattern =
                    folder == "vm-tests"
                    ? #/"((?:VM|LIM)-[A-Z0-9]+-\d\d)"/#
                    : #/(?:evidence|Trait\.evidence)\(\s*"([A-Z0-9]+-[A-Z0-9]+-\d\d)"/#
                ids.formUnion(text.matches(of: pattern).map { String($0.1) })
            }
        }
        return ids
    }

    @Test("every test that it names writes a record, and every record's test is in it")
    func testsRun() throws {
        let written = try Self.written()
        let named = Set(try Self.catalogue().tests.map(\.id))
        #expect(named.subtracting(written).sorted() == [])
        // A limit that the catalogue does not name may be tried in a machine (vm-tests/results.py).
        let extra = written.subtracting(named).filter { !$0.hasPrefix("LIM-") }.sorted()
        #expect(extra.filter { !$0.hasPrefix("VM-") } == [])
        #expect(!written.contains("SIM-NONE-01"), "positive control")
    }
}
