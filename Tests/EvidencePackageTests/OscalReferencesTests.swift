// SPDX-License-Identifier: Apache-2.0
import EvidencePackage
import KubernetesFormat
import Testing

@Suite("References between OSCAL documents")
struct OscalReferencesTests {
    /// The documents with one place of one document changed.
    private static func faults(
        in model: String, fileName: String? = nil, at path: String, to value: JSONTree?
    ) throws -> [OscalFault] {
        let keys = path.split(separator: ".").map(String.init)
        let documents = try SmallEvidence.documents().map { document in
            guard document.model == model, fileName ?? document.fileName == document.fileName else {
                return document
            }
            // A path that leads nowhere would plant nothing.
            _ = try #require(document.content.at(Array(keys.dropLast())), "\(path)")
            return OscalDocument(
                fileName: document.fileName, model: document.model,
                content: document.content.setting(keys, to: value))
        }
        return OscalReferences(documents).faults()
    }

    private static let other = "11111111-1111-5111-8111-111111111111"

    @Test("documents as they are made have no fault")
    func control() throws {
        #expect(OscalReferences(try SmallEvidence.documents()).faults() == [])
    }

    @Test(
        "a UUID that nothing of its kind has is found",
        arguments: [
            "results.0.findings.0.related-observations.0.observation-uuid",
            "results.0.findings.0.related-risks.0.risk-uuid",
            "results.0.findings.0.implementation-statement-uuid",
            "results.0.observations.0.subjects.0.subject-uuid",
        ])
    func danglingUUID(path: String) throws {
        let faults = try Self.faults(
            in: "assessment-results", at: path, to: .string(Self.other))
        #expect(faults.count == 1)
        guard case .uuidDangling("assessment-results.json", _, Self.other) = faults.first else {
            Issue.record("\(faults)")
            return
        }
    }

    @Test("a UUID of another kind of thing is no reference to it")
    func wrongKind() throws {
        let results = try #require(try SmallEvidence.documents().last?.content)
        let risk = try #require(results.at(["results", "0", "risks", "0", "uuid"]))
        let faults = try Self.faults(
            in: "assessment-results",
            at: "results.0.findings.0.related-observations.0.observation-uuid", to: risk)
        guard case .uuidDangling = faults.first, faults.count == 1 else {
            Issue.record("\(faults)")
            return
        }
    }

    @Test("an implementation's statement in the component definition is found")
    func statementElsewhere() throws {
        let documents = try SmallEvidence.documents()
        let component = try #require(documents.first { $0.model == "component-definition" })
        let path = "components.0.control-implementations.0.implemented-requirements.0.statements.0"
        let uuid = try #require(
            component.content.at(path.split(separator: ".").map(String.init) + ["uuid"]))
        let faults = try Self.faults(
            in: "assessment-results", at: "results.0.findings.0.implementation-statement-uuid",
            to: uuid)
        #expect(faults == [])
    }

    @Test("a UUID that names two things is found, in one document and as a document's own")
    func repeated() throws {
        let results = try #require(try SmallEvidence.documents().last?.content)
        let first = try #require(results.at(["results", "0", "observations", "0", "uuid"]))
        let faults = try Self.faults(
            in: "assessment-results", at: "results.0.observations.1.uuid", to: first)
        #expect(faults.contains(.uuidRepeated(file: "assessment-results.json", uuid: first.text!)))
        let root = try #require(results["uuid"])
        let roots = try Self.faults(in: "mapping-collection", at: "uuid", to: root)
        #expect(roots == [.uuidRepeated(file: "assessment-results.json", uuid: root.text!)])
    }

    @Test(
        "what is no UUID is found",
        arguments: [
            "x", "", "11111111-1111-5111-8111-11111111111", "11111111-1111-1111-8111-111111111111",
            "11111111-1111-5111-7111-111111111111", "1111111G-1111-5111-8111-111111111111",
            "AAAAAAAA-1111-5111-8111-111111111111",
        ])
    func malformed(uuid: String) throws {
        let defined = try Self.faults(
            in: "assessment-results", at: "results.0.uuid", to: .string(uuid))
        let path = "assessment-results.results"
        #expect(
            defined
                == [.uuidMalformed(file: "assessment-results.json", path: path, value: uuid)])
        let referred = try Self.faults(
            in: "assessment-results", at: "results.0.findings.0.related-risks.0.risk-uuid",
            to: .string(uuid))
        guard case .uuidMalformed = referred.first, referred.count == 1 else {
            Issue.record("\(referred)")
            return
        }
    }

    @Test(
        "a control, a statement or a target that the catalog does not have is found",
        arguments: [
            ("assessment-results", "results.0.findings.0.target.target-id"),
            (
                "assessment-results",
                "results.0.reviewed-controls.control-selections.0.include-controls.0.control-id"
            ),
            (
                "component-definition",
                "components.0.control-implementations.0.implemented-requirements.0.statements.0"
                    + ".statement-id"
            ),
            ("mapping-collection", "mappings.0.maps.0.sources.0.id-ref"),
            ("mapping-collection", "mappings.0.maps.0.targets.0.id-ref"),
            (
                "mapping-collection",
                "mappings.0.target-gap-summary.unmapped-controls.0.with-ids.0"
            ),
        ])
    func danglingID(model: String, path: String) throws {
        let faults = try Self.faults(in: model, at: path, to: "nothing")
        guard case .idDangling(_, _, "nothing") = faults.first, faults.count == 1 else {
            Issue.record("\(faults)")
            return
        }
    }

    @Test("an implemented requirement of no control is found, with its statement")
    func implementedRequirement() throws {
        let faults = try Self.faults(
            in: "component-definition",
            at: "components.0.control-implementations.0.implemented-requirements.0.control-id",
            to: "nothing")
        let kinds = faults.map { fault in
            switch fault {
            case .idDangling: "dangling"
            case .statementElsewhere: "elsewhere"
            default: "other"
            }
        }
        #expect(kinds == ["dangling", "elsewhere"])
    }

    @Test("the statement of another control is no statement of this one")
    func otherStatement() throws {
        let faults = try Self.faults(
            in: "component-definition",
            at: "components.0.control-implementations.0.implemented-requirements.0.statements.0"
                + ".statement-id", to: "R-2_smt")
        guard case .statementElsewhere(_, _, "R-2_smt") = faults.first, faults.count == 1 else {
            Issue.record("\(faults)")
            return
        }
    }

    @Test("an id of the other side of a mapping is not this side's")
    func sides() throws {
        let faults = try Self.faults(
            in: "mapping-collection", at: "mappings.0.maps.0.targets.0.id-ref", to: "C-1")
        guard case .idDangling(_, _, "C-1") = faults.first, faults.count == 1 else {
            Issue.record("\(faults)")
            return
        }
    }

    @Test(
        "a link to a file, a part or a resource that is not there is found",
        arguments: [
            ("assessment-results", "import-ap.href", "#11111111-1111-5111-8111-111111111111"),
            ("mapping-collection", "mappings.0.provenance-link.href", "gone.json"),
            ("component-definition", "components.0.links.0.href", "claims-catalog.json#C-2"),
        ])
    func links(model: String, path: String, href: String) throws {
        let keys = path.split(separator: ".").map(String.init)
        let documents = try SmallEvidence.documents().map { document in
            guard document.model == model else { return document }
            var content = document.content
            if keys.contains("links") {
                content = content.setting(["components", "0", "links"], to: [[:]])
            }
            return OscalDocument(
                fileName: document.fileName, model: model,
                content: content.setting(keys, to: .string(href)))
        }
        let faults = OscalReferences(documents).faults()
        guard case .linkDangling(_, _, href) = faults.first, faults.count == 1 else {
            Issue.record("\(faults)")
            return
        }
    }

    @Test("an id that is no token, and one that is used twice, are found")
    func ids() throws {
        let malformed = try Self.faults(
            in: "catalog", fileName: "claims-catalog.json", at: "groups.0.id", to: "1 a")
        #expect(
            malformed.contains {
                if case .idMalformed(_, _, "1 a") = $0 { true } else { false }
            })
        let repeated = try Self.faults(
            in: "catalog", fileName: "requirements-catalog.json", at: "groups.0.controls.1.id",
            to: "R-1")
        #expect(repeated.contains(.idRepeated(file: "requirements-catalog.json", id: "R-1")))
        let property = try Self.faults(
            in: "assessment-results", at: "results.0.props.0.name", to: "a b")
        #expect(
            property.contains {
                if case .idMalformed(_, _, "a b") = $0 { true } else { false }
            })
    }

    @Test("a fault names its file and what is wrong, on one line")
    func descriptions() {
        let faults: [OscalFault] = [
            .uuidMalformed(file: "a.json", path: "p", value: "\u{1b}[0m\n"),
            .uuidRepeated(file: "a.json", uuid: "u"),
            .uuidDangling(file: "a.json", path: "p", uuid: "u"),
            .idMalformed(file: "a.json", path: "p", id: "i"),
            .idRepeated(file: "a.json", id: "i"), .idDangling(file: "a.json", path: "p", id: "i"),
            .statementElsewhere(file: "a.json", path: "p", id: "i"),
            .linkDangling(file: "a.json", path: "p", href: "h"),
        ]
        for fault in faults {
            #expect(fault.description.hasPrefix("a.json: "))
            #expect(!fault.description.contains("\n") && !fault.description.contains("\u{1b}"))
        }
    }
}
