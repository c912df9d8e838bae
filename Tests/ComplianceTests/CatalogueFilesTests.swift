// SPDX-License-Identifier: Apache-2.0
import Compliance
import Foundation
import Testing

@Suite("The catalogue's files and pages")
struct CatalogueFilesTests {
    /// This file is Tests/ComplianceTests/CatalogueFilesTests.swift.
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private static func files(in folder: String) throws -> [String: Data] {
        let url = root.appending(path: folder)
        let names = try FileManager.default.contentsOfDirectory(
            atPath: url.path(percentEncoded: false))
        return try Dictionary(
            uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: url.appending(path: $0))) })
    }

    @Test("the committed catalogue is not refused")
    func committedCatalogue() throws {
        let catalogue = try CatalogueReader.catalogue(from: Self.files(in: "Fixtures/compliance"))
        #expect(catalogue.refusals().map(\.description) == [])
        #expect(!catalogue.requirements.isEmpty)
    }

    @Test("the committed pages are what the catalogue gives, twice the same")
    func committedPages() throws {
        let catalogue = try CatalogueReader.catalogue(from: Self.files(in: "Fixtures/compliance"))
        let pages = CompliancePages(catalogue).files
        #expect(pages == CompliancePages(catalogue).files)
        let committed = try Self.files(in: "docs/compliance").mapValues {
            String(decoding: $0, as: UTF8.self)
        }
        #expect(pages == committed, "run: cloudtaser evidence build")
    }

    @Test("each test and limitation of a claim stands on its framework's page")
    func pagesAreWhole() throws {
        let small = SmallCatalogue()
        let page = try #require(CompliancePages(small.catalogue).files["f.md"])
        for text in ["R-1", "C-1", "T-1", "L-1", "Not the rest.", "T-9", "The rest.", "`partial`"] {
            #expect(page.contains(text), "\(text) is missing")
        }
        let overview = try #require(CompliancePages(small.catalogue).files["README.md"])
        #expect(overview.contains("it succeeds without the product"))
        #expect(overview.contains("Requirements: 1 (partial 1). Claims: 1. Tests: 1"))
    }

    @Test("a missing file, a missing key, a wrong type and broken JSON are named")
    func errors() throws {
        var files = try Self.files(in: "Fixtures/compliance")
        files["claims.json"] = nil
        #expect(throws: CatalogueFailure.missing(file: "claims.json")) {
            try CatalogueReader.catalogue(from: files)
        }
        let broken = [
            (#"[{"text": "a"}]"#, "[0]: the key 'id' is missing"),
            (#"[{"id": 1}]"#, "[0].id: expected String"),
            (#"[{"id": null}]"#, "[0].id: expected String, found null"),
        ]
        for (json, detail) in broken {
            files["claims.json"] = Data(json.utf8)
            #expect(throws: CatalogueFailure.unreadable(file: "claims.json", detail: detail)) {
                try CatalogueReader.catalogue(from: files)
            }
        }
        files["claims.json"] = Data("[".utf8)
        let failure = #expect(throws: CatalogueFailure.self) {
            try CatalogueReader.catalogue(from: files)
        }
        #expect(failure?.description.hasPrefix("claims.json: top level: ") == true)
    }
}

@Suite("A run's records")
struct EvidenceReportTests {
    private static func record(
        _ id: String = "T-1", result: EvidenceRecord.Result = .pass,
        control: EvidenceRecord.Result = .pass, kernel: String = "6.12", commit: String = "abc",
        dirty: Bool = false
    ) -> EvidenceRecord {
        EvidenceRecord(
            id: id, result: result, kernel: kernel,
            positiveControl: .init(description: "a control", result: control),
            observation: "seen", commit: commit, dirty: dirty)
    }

    private static func report(_ records: [EvidenceRecord], commit: String? = nil) -> EvidenceReport
    {
        EvidenceReport(catalogue: SmallCatalogue().catalogue, records: records, commit: commit)
    }

    @Test("a passing record with a passing control backs its test")
    func backed() {
        let report = Self.report([Self.record(), Self.record(kernel: "6.1")])
        #expect(report.isComplete)
        #expect(report.table.contains("| T-1 | pass | 6.1, 6.12 | a control: pass | abc |"))
        #expect(report.table.contains("1 backed, 0 not backed"))
    }

    @Test("no record, a failure, a failed control and an unknown id are findings")
    func notBacked() {
        #expect(Self.report([]).rows.first?.findings == ["no record"])
        let failed = Self.report([Self.record(), Self.record(result: .fail, kernel: "6.1")])
        #expect(failed.rows.first?.findings == ["failed on 6.1"])
        let uncontrolled = Self.report([Self.record(control: .fail)])
        #expect(uncontrolled.rows.first?.findings == ["control failed on 6.12"])
        let unknown = Self.report([Self.record(), Self.record("T-2")])
        #expect(unknown.unknownIDs == ["T-2"] && !unknown.isComplete)
    }

    @Test("records of another commit or of a changed tree back nothing when a commit is asked for")
    func stale() {
        #expect(Self.report([Self.record(dirty: true)]).isComplete)
        #expect(!Self.report([Self.record(dirty: true)], commit: "abc").isComplete)
        #expect(!Self.report([Self.record(commit: "def")], commit: "abc").isComplete)
        #expect(Self.report([Self.record()], commit: "abc").isComplete)
        let mixed = [Self.record(commit: "def"), Self.record(kernel: "6.1")]
        #expect(!Self.report(mixed).isComplete)
    }

    @Test("a record reads what it writes, byte for byte, and names what is wrong")
    func roundTrip() throws {
        let record = Self.record()
        let json = try record.json()
        #expect(try EvidenceRecord(json: json, file: record.fileName) == record)
        #expect(try record.json() == json)
        #expect(record.fileName == "T-1@6.12.json")
        let unknown = Data(#"{"id": "T-1", "result": "maybe"}"#.utf8)
        let failure = #expect(throws: CatalogueFailure.self) {
            try EvidenceRecord(json: unknown, file: "a.json")
        }
        #expect(failure?.description.hasPrefix("a.json: .result: ") == true)
    }
}
