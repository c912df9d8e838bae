// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// Where in a document a value stands, as far as references depend on it.
struct OscalPlace {
    /// The control of an implemented requirement.
    var control: String?
    /// Catalogs that ids here belong to, by file name; nil: all that the document names.
    var catalogs: [String]?
}

/// Goes through one document and looks up every reference in it.
struct OscalWalk {
    private let document: OscalDocument
    private let all: [String: OscalDefinitions]
    private let own: OscalDefinitions?
    private(set) var faults: [OscalFault] = []

    init(document: OscalDocument, all: [String: OscalDefinitions]) {
        self.document = document
        self.all = all
        own = all[document.fileName]
    }

    /// The list that a reference's target must stand in.
    private static let kinds = [
        "observation-uuid": ["observations"], "risk-uuid": ["risks"],
        "component-uuid": ["components"], "party-uuid": ["parties"],
        "implementation-statement-uuid": ["statements", "implemented-requirements"],
    ]
    private static let subjects = [
        "component": "components", "inventory-item": "inventory-items", "party": "parties",
        "location": "locations", "user": "users", "resource": "resources",
    ]

    mutating func visit(_ tree: JSONTree, path: String, place: OscalPlace) {
        for (index, element) in (tree.elements ?? []).enumerated() {
            visit(element, path: "\(path)[\(index)]", place: place)
        }
        var inner = place
        if let source = tree["source"]?.text {
            link(source, "\(path).source")
            inner.catalogs = [source]
        }
        if let control = tree["control-id"]?.text { inner.control = control }
        for member in tree.members ?? [] {
            let memberPath = "\(path).\(member.name)"
            var memberPlace = inner
            if let source = tree.value(at: "source-resource", "href")?.text,
                let target = tree.value(at: "target-resource", "href")?.text
            {
                switch member.name {
                case "source-gap-summary": memberPlace.catalogs = [source]
                case "target-gap-summary": memberPlace.catalogs = [target]
                default: memberPlace.catalogs = [source, target]
                }
            } else if member.name == "sources" {
                memberPlace.catalogs = place.catalogs?.prefix(1).map(\.self)
            } else if member.name == "targets" {
                memberPlace.catalogs = place.catalogs?.suffix(1).map(\.self)
            }
            look(at: member, of: tree, path: memberPath, place: memberPlace)
            visit(member.value, path: memberPath, place: memberPlace)
        }
    }

    private mutating func look(
        at member: JSONTree.Member, of tree: JSONTree, path: String, place: OscalPlace
    ) {
        if member.name.hasSuffix("-uuids") {
            for text in (member.value.elements ?? []).compactMap(\.text) {
                reference(text, nil, path)
            }
        }
        if member.name == "with-ids" {
            for id in (member.value.elements ?? []).compactMap(\.text) {
                expectControl(id, path, place)
            }
        }
        guard let text = member.value.text else { return }
        switch member.name {
        case "href": link(text, path)
        case "control-id": expectControl(text, path, place)
        case "statement-id", "objective-id": expectPart(text, path, place)
        case "target-id": expectPart(text, path, OscalPlace(catalogs: place.catalogs))
        case "id-ref" where tree["type"]?.text == "statement": expectPart(text, path, place)
        case "id-ref": expectControl(text, path, place)
        case "name" where tree["value"] != nil || tree["prose"] != nil:
            if !OscalText.isToken(text) {
                faults.append(.idMalformed(file: document.fileName, path: path, id: text))
            }
        case "subject-uuid":
            let kind = tree["type"]?.text.flatMap { Self.subjects[$0] }
            reference(text, kind.map { [$0] }, path)
        case let name where name.hasSuffix("-uuid"):
            reference(text, Self.kinds[name], path)
        default: break
        }
    }

    private mutating func reference(_ uuid: String, _ kinds: [String]?, _ path: String) {
        let file = document.fileName
        guard OscalDefinitions.isUUID(uuid) else {
            faults.append(.uuidMalformed(file: file, path: path, value: uuid))
            return
        }
        // What was found in a document's own lists; statements stand in the component's document.
        let isElsewhere = kinds == Self.kinds["implementation-statement-uuid"]
        let places = isElsewhere ? Array(all.values) : [own].compactMap(\.self)
        let found = places.contains { definitions in
            guard let list = definitions.kinds[uuid] else { return false }
            return kinds?.contains(list) ?? true
        }
        if !found { faults.append(.uuidDangling(file: file, path: path, uuid: uuid)) }
    }

    /// Catalogs of ids at `place`. A catalog refers to itself.
    private func catalogs(_ place: OscalPlace) -> [OscalDefinitions] {
        if document.model == "catalog" { return [own].compactMap(\.self) }
        let names = place.catalogs ?? Array(own?.files ?? [])
        return names.compactMap { all[Self.file(of: $0)] }
    }

    private mutating func expectControl(_ id: String, _ path: String, _ place: OscalPlace) {
        guard !catalogs(place).contains(where: { $0.controls.contains(id) }) else { return }
        faults.append(.idDangling(file: document.fileName, path: path, id: id))
    }

    private mutating func expectPart(_ id: String, _ path: String, _ place: OscalPlace) {
        let controls = catalogs(place).compactMap { $0.parts[id] }
        guard let control = controls.first else {
            faults.append(.idDangling(file: document.fileName, path: path, id: id))
            return
        }
        guard let expected = place.control, expected != control else { return }
        faults.append(.statementElsewhere(file: document.fileName, path: path, id: id))
    }

    /// Looks up what is in these documents; addresses elsewhere are not looked at.
    private mutating func link(_ href: String, _ path: String) {
        guard !href.contains("://") else { return }
        let parts = href.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let name = Self.file(of: href)
        // A file of the package that is no OSCAL document is the manifest's business.
        guard name.hasSuffix(".json") || name.isEmpty, !name.contains("/") else { return }
        let definitions = name.isEmpty ? own : all[name]
        let fragment = parts.count == 2 ? String(parts[1]) : nil
        let isThere = definitions.map { found in
            fragment.map { found.has(id: $0) || found.kinds[$0] != nil } ?? true
        }
        if isThere != true {
            faults.append(.linkDangling(file: document.fileName, path: path, href: href))
        }
    }

    private static func file(of href: String) -> String { String(href.prefix { $0 != "#" }) }
}
