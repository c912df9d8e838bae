// SPDX-License-Identifier: Apache-2.0
package import Compliance
internal import KubernetesFormat

/// The catalogue as OSCAL: what is required, what is claimed, by which component, and which claim
/// bears on which requirement. Nothing of a run is in these documents.
package struct OscalExports {
    private let catalogue: Catalogue
    private let writer: OscalWriter

    package init(
        _ catalogue: Catalogue, publication: Publication, digests: any EvidenceDigests
    ) {
        self.catalogue = catalogue
        writer = OscalWriter(uuids: NameUUIDs(digests: digests), publication: publication)
    }

    /// - Throws: `documentsUnsound` when a reference leads nowhere.
    package func documents() throws(PackageFailure) -> [OscalDocument] {
        let documents = [requirements, claims, components, mapping].compactMap(\.self)
        let faults = OscalReferences(documents).faults()
        guard faults.isEmpty else { throw .documentsUnsound(faults: faults.map(\.description)) }
        return documents
    }

    private var requirements: OscalDocument {
        let groups = catalogue.frameworks.map { framework -> JSONTree in
            let own = catalogue.requirements.filter { $0.framework == framework.id }
            var group: JSONTree = [
                "id": .string(OscalText.token(framework.id)),
                "title": .string(OscalText.line(framework.title)),
                "props": [
                    OscalWriter.property("source", framework.source),
                    OscalWriter.property("text-licence", framework.textLicence),
                ],
            ]
            group["controls"] = .filled(own.map(control))
            return group
        }
        return OscalDocument(
            fileName: OscalWriter.requirementsFile, model: "catalog",
            content: [
                "uuid": .string(writer.uuids.uuid("document", OscalWriter.requirementsFile)),
                "metadata": writer.metadata(
                    title: "Provisions that CloudTaser's claims bear on",
                    remarks: "Provisions in own words, not their legal text, and only those that "
                        + "the compliance catalogue looks at."),
                "groups": .array(groups),
            ])
    }

    private func control(_ requirement: Requirement) -> JSONTree {
        [
            "id": .string(OscalText.token(requirement.id)),
            "title": .string(OscalText.line(requirement.title)),
            "props": [
                ["name": "label", "value": .string(OscalText.line(requirement.reference))],
                OscalWriter.property("claimed-status", requirement.status.rawValue),
            ],
            "parts": [
                [
                    "id": .string(OscalWriter.statementID(requirement.id)), "name": "statement",
                    "prose": .string(requirement.text),
                ]
            ],
        ]
    }

    private var claims: OscalDocument {
        OscalDocument(
            fileName: OscalWriter.claimsFile, model: "catalog",
            content: [
                "uuid": .string(writer.uuids.uuid("document", OscalWriter.claimsFile)),
                "metadata": writer.metadata(
                    title: "Claims of CloudTaser, with their tests and limitations",
                    remarks: "A claim is read with its limitations; each test has a positive "
                        + "control."),
                "groups": [
                    Self.group(
                        "claims", "What the product says about itself",
                        catalogue.claims.map(control)),
                    Self.group(
                        "tests", "Experiments that back claims or show limitations",
                        catalogue.tests.map(control)),
                    Self.group(
                        "limitations", "What is not protected",
                        catalogue.limitations.map { control($0.id, $0.text) }),
                ],
            ])
    }

    private static func group(_ id: String, _ title: String, _ controls: [JSONTree]) -> JSONTree {
        var group: JSONTree = ["id": .string(id), "title": .string(title)]
        group["controls"] = .filled(controls)
        return group
    }

    private func control(_ id: String, _ text: String) -> JSONTree {
        [
            "id": .string(OscalText.token(id)), "title": .string(OscalText.line(id)),
            "parts": [
                [
                    "id": .string(OscalWriter.statementID(id)), "name": "statement",
                    "prose": .string(text),
                ]
            ],
        ]
    }

    private func control(_ claim: Claim) -> JSONTree {
        var control = control(claim.id, claim.text)
        control["links"] = .filled(
            claim.tests.map { Self.link(to: $0, "test") }
                + claim.limitations.map { Self.link(to: $0, "limitation") })
        let open = claim.notYetProven.map { open -> JSONTree in
            [
                "id": .string(OscalText.token("\(claim.id)_\(open.test)")),
                "name": "not-yet-proven", "ns": .string(OscalDocument.namespace),
                "title": .string(open.test), "prose": .string(open.text),
            ]
        }
        control["parts"] = .array((control["parts"]?.elements ?? []) + open)
        return control
    }

    private func control(_ test: EvidenceTest) -> JSONTree {
        var control = control(
            test.id,
            "\(test.experiment). To be observed: \(test.expected). Positive control: "
                + "\(test.positiveControl). Run by: \(test.command)")
        control["props"] = [OscalWriter.property("kind", test.kind.rawValue)]
        return control
    }

    private static func link(to id: String, _ relation: String, in file: String = "") -> JSONTree {
        ["href": .string("\(file)#\(OscalText.token(id))"), "rel": .string(relation)]
    }

    private var components: OscalDocument {
        let parts = Component.ofProduct.compactMap { component -> JSONTree? in
            definition(
                uuid: writer.uuids.uuid("component", component.rawValue), component.rawValue,
                "CloudTaser, \(component.rawValue)", component.sentence
            ) { $0.components.contains(component) }
        }
        // Rows that name no part are about the whole.
        let whole = definition(
            uuid: writer.componentUUID, "cloudtaser", "CloudTaser",
            "Delivers secrets from a vault into protected memory of containers."
        ) { Set($0.components).isDisjoint(with: Component.ofProduct) }
        var content: JSONTree = [
            "uuid": .string(writer.uuids.uuid("document", OscalWriter.componentsFile)),
            "metadata": writer.metadata(
                title: "CloudTaser and its parts as components",
                remarks: "Requirements for which nothing is claimed are not listed."),
        ]
        content["components"] = .filled([whole].compactMap(\.self) + parts)
        return OscalDocument(
            fileName: OscalWriter.componentsFile, model: "component-definition", content: content)
    }

    /// The component `name` with every claimed requirement that `isOwn` takes; nil for a part
    /// without any.
    private func definition(
        uuid: String, _ name: String, _ title: String, _ description: String,
        isOwn: (Requirement) -> Bool
    ) -> JSONTree? {
        let implementations = catalogue.frameworks.compactMap { framework -> JSONTree? in
            let own = catalogue.requirements.filter {
                $0.framework == framework.id && !$0.claims.isEmpty && isOwn($0)
            }
            guard let list = JSONTree.filled(own.map { implemented($0, by: name) }) else {
                return nil
            }
            return [
                "uuid": .string(writer.uuids.uuid("control-implementation", name, framework.id)),
                "source": .string(OscalWriter.requirementsFile),
                "description": .string(
                    "What it contributes to \(framework.title). Whether an organisation meets a "
                        + "provision is a judgement about the organisation."),
                "implemented-requirements": list,
            ]
        }
        guard !implementations.isEmpty || uuid == writer.componentUUID else { return nil }
        var component: JSONTree = [
            "uuid": .string(uuid), "type": "software", "title": .string(title),
            "description": .string(description),
        ]
        component["control-implementations"] = .filled(implementations)
        return component
    }

    private func implemented(_ requirement: Requirement, by name: String) -> JSONTree {
        let claims = catalogue.claims(of: requirement)
        let limits = catalogue.limitations(of: [requirement])
        let state = requirement.status == .direct ? "implemented" : "partial"
        let permitted = requirement.permittedClaim
        var statement: JSONTree = [
            "statement-id": .string(OscalWriter.statementID(requirement.id)),
            "uuid": .string(writer.uuids.uuid("statement", name, requirement.id)),
            "description": .string(
                "Limitations that are part of it: "
                    + limits.map(\.id).joined(separator: ", ")),
        ]
        statement["links"] = .filled(
            limits.map { Self.link(to: $0.id, "limitation", in: OscalWriter.claimsFile) })
        return [
            "uuid": .string(writer.uuids.uuid("implemented-requirement", name, requirement.id)),
            "control-id": .string(OscalText.token(requirement.id)),
            "description": .string(
                permitted.isEmpty ? claims.map(\.text).joined(separator: "\n\n") : permitted),
            "props": [
                ["name": "implementation-status", "value": .string(state)],
                OscalWriter.property("claimed-status", requirement.status.rawValue),
            ],
            "links": .array(
                claims.map { Self.link(to: $0.id, "claim", in: OscalWriter.claimsFile) }),
            "statements": [statement],
        ]
    }

    /// nil when no requirement has a claim: a mapping without an entry is refused.
    private var mapping: OscalDocument? {
        let maps = catalogue.requirements.filter { !$0.claims.isEmpty }.map { requirement in
            [
                "uuid": .string(writer.uuids.uuid("map", requirement.id)),
                "relationship": "intersects-with",
                "sources": .array(
                    requirement.claims.map { claim in
                        ["type": "control", "id-ref": .string(OscalText.token(claim))]
                    }),
                "targets": [
                    ["type": "control", "id-ref": .string(OscalText.token(requirement.id))]
                ],
            ] as JSONTree
        }
        guard let list = JSONTree.filled(maps) else { return nil }
        var mapping: JSONTree = [
            "uuid": .string(writer.uuids.uuid("mapping", "claims", "requirements")),
            "source-resource": ["type": "catalog", "href": .string(OscalWriter.claimsFile)],
            "target-resource": ["type": "catalog", "href": .string(OscalWriter.requirementsFile)],
            "maps": list,
        ]
        let unmapped = catalogue.requirements.filter(\.claims.isEmpty)
            .map { JSONTree.string(OscalText.token($0.id)) }
        if let ids = JSONTree.filled(unmapped) {
            mapping["target-gap-summary"] = [
                "uuid": .string(writer.uuids.uuid("gap", "requirements")),
                "unmapped-controls": [["with-ids": ids]],
            ]
        }
        return OscalDocument(
            fileName: OscalWriter.mappingFile, model: "mapping-collection",
            content: [
                "uuid": .string(writer.uuids.uuid("document", OscalWriter.mappingFile)),
                "metadata": writer.metadata(
                    title: "Claims of CloudTaser mapped to provisions",
                    remarks: "No relation is stronger than intersects-with."),
                "provenance": [
                    "method": "human", "matching-rationale": "functional",
                    "status": "not-complete",
                    "mapping-description": .string(
                        "Each claim was set against the provision by hand; tests back the claim, "
                            + "the relation is the authors' reading."),
                ],
                "mappings": [mapping],
            ])
    }
}

extension Component {
    /// The others are named where a row depends on them.
    static let ofProduct: [Component] = [.operator, .wrapper, .ebpf, .s3proxy, .cli]

    var sentence: String {
        switch self {
        case .operator: "Puts the wrapper into pods that ask for it."
        case .wrapper: "Fetches secrets from the vault and delivers them to the program."
        case .ebpf: "The node agent: denies, ends and tells what reaches for protected memory."
        case .s3proxy: "Seals objects before they reach the store."
        case .cli: "Finds what is exposed, makes and checks evidence."
        case .vault, .customer: "Not a part of the product."
        }
    }
}

extension Catalogue {
    /// Limitations of any of `requirements` and of its claims, in the catalogue's order.
    func limitations(of requirements: [Requirement]) -> [Limitation] {
        let ids = Set(
            requirements.flatMap { $0.limitations + claims(of: $0).flatMap(\.limitations) })
        return limitations.filter { ids.contains($0.id) }
    }

    /// Tests of any of `claims`, in the catalogue's order.
    func tests(of claims: [Claim]) -> [EvidenceTest] {
        let ids = Set(claims.flatMap(\.tests))
        return tests.filter { ids.contains($0.id) }
    }
}
