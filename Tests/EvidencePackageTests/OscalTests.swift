// SPDX-License-Identifier: Apache-2.0
import EvidencePackage
import KubernetesFormat
import Testing

@testable import Compliance

@Suite("OSCAL documents")
struct OscalTests {
    private static func document(_ model: String, _ sheet: EvidenceSheet? = nil) throws -> JSONTree
    {
        try #require(
            try SmallEvidence.documents(sheet).last { $0.model == model }?.content)
    }

    @Test("the same catalogue gives the same bytes, dated by the catalogue")
    func stable() throws {
        let documents = try SmallEvidence.documents()
        #expect(documents.map(\.text) == (try SmallEvidence.documents().map(\.text)))
        #expect(
            documents.map(\.fileName) == [
                "requirements-catalog.json", "claims-catalog.json", "component-definition.json",
                "mapping-collection.json", "assessment-results.json",
            ])
        for document in documents.dropLast() {
            let modified = document.content.value(at: "metadata", "last-modified")?.text
            #expect(modified == "2026-11-01T00:00:00Z", "\(document.fileName)")
        }
        for document in documents {
            let version = document.content.value(at: "metadata", "oscal-version")?.text
            #expect(version == OscalDocument.version)
            #expect(document.text.hasSuffix("}\n") && !document.text.hasSuffix("\n\n"))
        }
    }

    @Test("UUIDs are of version 5, made from names; a known name gives the known UUID")
    func uuids() throws {
        // Python: uuid5(NAMESPACE_URL, "https://cloudtaser.io/oscal/component/cloudtaser")
        let uuid = try Self.document("component-definition").at(["components", "0", "uuid"])?.text
        #expect(uuid == "5102165e-7c6a-5052-94ab-71a3cde2a0f7")
    }

    @Test("a passed row with open parts is not satisfied, with its limits as risks")
    func partial() throws {
        let results = try Self.document("assessment-results")
        let finding = try #require(results.at(["results", "0", "findings", "0"]))
        #expect(finding.at(["target", "status", "state"])?.text == "not-satisfied")
        #expect(finding.at(["target", "status", "reason"])?.text == "other")
        #expect(finding.at(["target", "implementation-status", "state"])?.text == "partial")
        #expect(finding["related-observations"]?.elements?.count == 2)
        #expect(finding["related-risks"]?.elements?.count == 2, "a limitation and an open part")
        let risks = results.at(["results", "0", "risks"])?.elements ?? []
        #expect(risks.compactMap { $0["title"]?.text } == ["L-1", "T-9"])
        #expect(results.at(["results", "0", "findings"])?.elements?.count == 1, "R-2 has no test")
    }

    @Test("a direct row is satisfied when its tests passed, and not when one failed")
    func direct() throws {
        let catalogue = SmallEvidence.catalogue(status: .direct)
        let target = ["results", "0", "findings", "0", "target", "status", "state"]
        let passed = try SmallEvidence.sheet(catalogue: catalogue)
        let passing = try Self.document("assessment-results", passed)
        #expect(passing.at(target)?.text == "satisfied")
        let failed = try SmallEvidence.sheet(
            catalogue: catalogue,
            records: [SmallEvidence.record(result: .fail), SmallEvidence.record("T-2")])
        let failing = try Self.document("assessment-results", failed)
        #expect(failing.at(target)?.text == "not-satisfied")
        #expect(failing.at(target.dropLast() + ["reason"])?.text == "fail")
    }

    @Test("what was not assessed, or not lately, has no finding")
    func notAssessed() throws {
        for records in [
            [SmallEvidence.record()],
            [SmallEvidence.record(), SmallEvidence.record("T-2", at: "2026-10-05T08:00:00Z")],
        ] {
            let sheet = try SmallEvidence.sheet(records: records)
            let results = try Self.document("assessment-results", sheet)
            #expect(results.at(["results", "0", "findings"]) == nil)
            #expect(results.at(["results", "0", "observations"])?.elements?.count == 1)
        }
    }

    @Test("an observation tells the record, its control, and when it expires")
    func observation() throws {
        let results = try Self.document("assessment-results")
        let first = try #require(results.at(["results", "0", "observations", "0"]))
        #expect(first["collected"]?.text == "2026-11-20T08:00:00Z")
        #expect(first["expires"]?.text == "2026-12-20T08:00:00Z")
        #expect(first.at(["methods", "0"])?.text == "TEST")
        let href = first.at(["relevant-evidence", "0", "href"])?.text
        #expect(href == "../records/2026-11-20/T-1@6.12.json")
        #expect(first["description"]?.text?.contains("EFAULT") == true)
    }

    @Test("text from a record stays one line and has no control characters")
    func untrusted() throws {
        let read = SmallEvidence.record(
            kernel: "6.1\n\u{1b}[31m2", observation: "a\u{1b}[0m\nb"
        ).record
        let record = RecordFile(name: "a.json", bytes: [], record: read)
        let sheet = try SmallEvidence.sheet(records: [record, SmallEvidence.record("T-2")])
        let text = OscalDocument(
            fileName: "a", model: "a", content: try Self.document("assessment-results", sheet)
        ).text
        #expect(!text.contains("\\u001b") && !text.contains("a\\n") && text.contains("6.1 [31m2"))
    }

    @Test("a mapping never says more than intersects-with, and names what has no claim")
    func mapping() throws {
        let mapping = try #require(
            try Self.document("mapping-collection").at(["mappings", "0"]))
        #expect(mapping.at(["maps", "0", "relationship"])?.text == "intersects-with")
        let gap = mapping.at(["target-gap-summary", "unmapped-controls", "0", "with-ids", "0"])
        #expect(gap?.text == "R-2")
    }

    @Test("a claim leads to its tests and limitations; its open parts are parts of it")
    func claims() throws {
        let documents = try SmallEvidence.documents()
        let catalog = try #require(documents.first { $0.fileName == "claims-catalog.json" })
        let claim = try #require(catalog.content.at(["groups", "0", "controls", "0"]))
        let links = claim["links"]?.elements?.compactMap { $0["href"]?.text }
        #expect(links == ["#T-1", "#T-2", "#L-1"])
        let parts = claim["parts"]?.elements?.compactMap { $0["id"]?.text }
        #expect(parts == ["C-1_smt", "C-1_T-9"])
        let test = catalog.content.at(["groups", "1", "controls", "0", "parts", "0", "prose"])
        #expect(test?.text?.contains("Positive control: it succeeds without the product") == true)
    }

    @Test("a requirement is implemented by each part that it names, or by the whole")
    func components() throws {
        let whole = try Self.document("component-definition")
        #expect(whole["components"]?.elements?.compactMap { $0["title"]?.text } == ["CloudTaser"])
        let small = SmallEvidence.catalogue()
        let requirement = Requirement(
            id: "R-1", framework: "SOC2", reference: "a", title: "b", text: "c",
            status: .partial, claims: ["C-1"], components: [.wrapper, .cli, .customer])
        let catalogue = Catalogue(
            frameworks: small.frameworks, requirements: [requirement], claims: small.claims,
            tests: small.tests, limitations: small.limitations)
        let sheet = try SmallEvidence.sheet(catalogue: catalogue)
        let parts = try Self.document("component-definition", sheet)["components"]?.elements ?? []
        #expect(
            parts.compactMap { $0["title"]?.text } == [
                "CloudTaser", "CloudTaser, wrapper", "CloudTaser, cli",
            ])
        #expect(parts.map { $0["control-implementations"] != nil } == [false, true, true])
    }

    @Test("ids that a token cannot hold are changed, and two that become one are found")
    func tokens() throws {
        var catalogue = SmallEvidence.catalogue(framework: "8 Laws (EU)")
        let exports = OscalExports(
            catalogue, publication: SmallEvidence.publication, digests: SmallEvidence.digests)
        let group = try exports.documents().first?.content.at(["groups", "0", "id"])
        #expect(group?.text == "_8_Laws__EU_")
        let twin = Requirement(
            id: "R 1", framework: "SOC2", reference: "a", title: "b", text: "c", status: .none,
            claims: [])
        let other = Requirement(
            id: "R(1", framework: "SOC2", reference: "a", title: "b", text: "c", status: .none,
            claims: [])
        catalogue = Catalogue(
            frameworks: SmallEvidence.catalogue().frameworks, requirements: [twin, other],
            claims: [], tests: [], limitations: [])
        let colliding = OscalExports(
            catalogue, publication: SmallEvidence.publication, digests: SmallEvidence.digests)
        #expect(throws: PackageFailure.self) { try colliding.documents() }
    }

    @Test("the publication is read, and what is wrong in it is named")
    func publication() throws {
        let json = #"{"revised": "2026-11-01T00:00:00Z", "version": "1"}"#
        #expect(try Publication(json: Array(json.utf8)) == SmallEvidence.publication)
        for (text, key) in [
            (#"{"revised": "yesterday", "version": "1"}"#, "revised"),
            (#"{"revised": "2026-11-01T00:00:00Z", "version": " "}"#, "version"),
            ("[", "JSON"),
        ] {
            let failure = #expect(throws: PackageFailure.self) {
                try Publication(json: Array(text.utf8))
            }
            #expect(failure?.description.contains(key) == true)
        }
    }
}
