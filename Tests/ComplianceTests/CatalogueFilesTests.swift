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
            atPath: url.path(percentEncoded: false)
        ).filter { name in [".json", ".md", ".html"].contains { name.hasSuffix($0) } }
        return try Dictionary(
            uniqueKeysWithValues: names.filter { $0.contains(".") }
                .map { ($0, try Data(contentsOf: url.appending(path: $0))) })
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
        let tests = try #require(CompliancePages(small.catalogue).files["tests.md"])
        #expect(tests.contains("it succeeds without the product"))
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
