// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// What does not hold together in a set of OSCAL documents.
package enum OscalFault: Sendable, Equatable, Hashable, CustomStringConvertible {
    case uuidMalformed(file: String, path: String, value: String)
    case uuidRepeated(file: String, uuid: String)
    case uuidDangling(file: String, path: String, uuid: String)
    case idMalformed(file: String, path: String, id: String)
    case idRepeated(file: String, id: String)
    case idDangling(file: String, path: String, id: String)
    /// A statement of another control than the one that it stands under.
    case statementElsewhere(file: String, path: String, id: String)
    case linkDangling(file: String, path: String, href: String)

    package var description: String {
        switch self {
        case .uuidMalformed(let file, let path, let value):
            "\(file): \(path): '\(Plain.line(value))' is no UUID"
        case .uuidRepeated(let file, let uuid): "\(file): the UUID \(uuid) names two things"
        case .uuidDangling(let file, let path, let uuid):
            "\(file): \(path): nothing of its kind has the UUID \(Plain.line(uuid))"
        case .idMalformed(let file, let path, let id):
            "\(file): \(path): '\(Plain.line(id))' is no token (NCName)"
        case .idRepeated(let file, let id): "\(file): the id '\(Plain.line(id))' is used twice"
        case .idDangling(let file, let path, let id):
            "\(file): \(path): '\(Plain.line(id))' is not in the catalog that is referred to"
        case .statementElsewhere(let file, let path, let id):
            "\(file): \(path): '\(Plain.line(id))' is no part of this control"
        case .linkDangling(let file, let path, let href):
            "\(file): \(path): the link '\(Plain.line(href))' leads nowhere"
        }
    }
}

/// Looks after every reference of a set of documents. JSON Schema and trestle take documents whose
/// references lead nowhere; this does not.
package struct OscalReferences {
    private let documents: [OscalDocument]
    private let definitions: [String: OscalDefinitions]

    package init(_ documents: [OscalDocument]) {
        self.documents = documents
        definitions = Dictionary(
            documents.map { ($0.fileName, OscalDefinitions($0)) },
            uniquingKeysWith: { first, _ in first })
    }

    /// In the documents' order; empty: all is well.
    package func faults() -> [OscalFault] {
        var roots: Set<String> = []
        return documents.flatMap { document -> [OscalFault] in
            var walk = OscalWalk(document: document, all: definitions)
            walk.visit(document.content, path: document.model, place: OscalPlace())
            let root = document.content["uuid"]?.text ?? ""
            let again: [OscalFault] =
                roots.insert(root).inserted
                ? [] : [.uuidRepeated(file: document.fileName, uuid: root)]
            return (definitions[document.fileName]?.faults ?? []) + again + walk.faults
        }
    }
}

/// What one document defines.
struct OscalDefinitions {
    /// The list that a UUID stands in ("observations"), by UUID.
    private(set) var kinds: [String: String] = [:]
    private(set) var controls: Set<String> = []
    /// The control of a part, by the part's id.
    private(set) var parts: [String: String] = [:]
    private(set) var faults: [OscalFault] = []
    /// Files that the document names as resources or sources.
    private(set) var files: Set<String> = []

    private let file: String
    private var ids: Set<String> = []

    init(_ document: OscalDocument) {
        file = document.fileName
        collect(document.content, list: "", path: document.model, control: "")
    }

    private mutating func collect(
        _ tree: JSONTree, list: String, path: String, control: String
    ) {
        for element in tree.elements ?? [] {
            collect(element, list: list, path: path, control: control)
        }
        guard let members = tree.members else { return }
        if let uuid = tree["uuid"]?.text { define(uuid: uuid, list, path) }
        var own = control
        if let id = tree["id"]?.text, ["groups", "controls", "parts", "params"].contains(list) {
            define(id: id, path)
            if list == "controls" {
                controls.insert(id)
                own = id
            } else if list == "parts" {
                parts[id] = control
            }
        }
        for key in ["href", "source"] {
            guard let target = tree[key]?.text else { continue }
            files.insert(String(target.prefix { $0 != "#" }))
        }
        for member in members {
            collect(
                member.value, list: member.name, path: "\(path).\(member.name)", control: own)
        }
    }

    private mutating func define(uuid: String, _ list: String, _ path: String) {
        if !Self.isUUID(uuid) {
            faults.append(.uuidMalformed(file: file, path: path, value: uuid))
        } else if kinds.updateValue(list, forKey: uuid) != nil {
            faults.append(.uuidRepeated(file: file, uuid: uuid))
        }
    }

    private mutating func define(id: String, _ path: String) {
        if !OscalText.isToken(id) {
            faults.append(.idMalformed(file: file, path: path, id: id))
        } else if !ids.insert(id).inserted {
            faults.append(.idRepeated(file: file, id: id))
        }
    }

    func has(id: String) -> Bool { ids.contains(id) }

    /// Version 4 or 5 of RFC 9562, as OSCAL's UUIDDatatype wants it, in lower case.
    static func isUUID(_ text: String) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        return parts.map(\.utf8.count) == [8, 4, 4, 4, 12]
            && parts.allSatisfy { Hexadecimal.isDigits(String($0)) }
            && ["4", "5"].contains(parts[2].prefix(1)) && "89ab".contains(parts[3].prefix(1))
    }
}
