// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
internal import KubernetesPorts

/// Which objects are meant: the text forms of a list, and the object form of a webhook.
struct Selector: Sendable {
    enum Requirement: Sendable {
        case isIn(String, Set<String>)
        case isNotIn(String, Set<String>)
        case exists(String)
        case isMissing(String)

        func holds(for labels: JSONTree?) -> Bool {
            switch self {
            case .isIn(let name, let values):
                labels?[name]?.text.map(values.contains) ?? false
            case .isNotIn(let name, let values):
                !(labels?[name]?.text.map(values.contains) ?? false)
            case .exists(let name): labels?[name] != nil
            case .isMissing(let name): labels?[name] == nil
            }
        }
    }

    private var labels: [Requirement] = []
    private var fields: [(path: [String], value: String, isEqual: Bool)] = []

    init(_ selection: ObjectSelection) throws(SimulatedAPIServer.Refusal) {
        for text in Self.parts(of: selection.labels) { labels.append(try Self.requirement(text)) }
        for text in Self.parts(of: selection.fields) {
            guard let (name, value, isEqual) = Self.comparison(text) else {
                throw Self.refusal("invalid field selector")
            }
            guard Self.knownFields.contains(name) else {
                throw Self.refusal("field label not supported: \(name)")
            }
            fields.append((name.split(separator: ".").map(String.init), value, isEqual))
        }
    }

    /// A `metav1.LabelSelector`; nil selects everything.
    init(object: JSONTree?) {
        for member in object?["matchLabels"]?.members ?? [] {
            labels.append(.isIn(member.name, [member.value.text ?? ""]))
        }
        for expression in object?["matchExpressions"]?.elements ?? [] {
            let name = expression["key"]?.text ?? ""
            let values = Set((expression["values"]?.elements ?? []).compactMap(\.text))
            switch expression["operator"]?.text {
            case "In": labels.append(.isIn(name, values))
            case "NotIn": labels.append(.isNotIn(name, values))
            case "Exists": labels.append(.exists(name))
            default: labels.append(.isMissing(name))
            }
        }
    }

    func matches(_ object: JSONTree) -> Bool {
        let own = object.metadata("labels")
        return labels.allSatisfy { $0.holds(for: own) }
            && fields.allSatisfy { field in
                var value: JSONTree? = object
                for name in field.path { value = value?[name] }
                return ((value?.text ?? "") == field.value) == field.isEqual
            }
    }

    private static let knownFields: Set<String> = [
        "metadata.name", "metadata.namespace", "spec.nodeName", "status.phase",
    ]

    private static func refusal(_ message: String) -> SimulatedAPIServer.Refusal {
        SimulatedAPIServer.Refusal(400, "BadRequest", message)
    }

    /// Cut at the commas outside of parentheses.
    private static func parts(of text: String) -> [String] {
        guard !text.isEmpty else { return [] }
        var depth = 0
        return text.utf8.split(omittingEmptySubsequences: false) { byte in
            if byte == UInt8(ascii: "(") { depth += 1 }
            if byte == UInt8(ascii: ")") { depth -= 1 }
            return byte == UInt8(ascii: ",") && depth == 0
        }.map { String(Substring($0)) }
    }

    private static func comparison(_ text: String) -> (String, String, Bool)? {
        // Most have none, and searching for texts takes longer.
        guard text.utf8.contains(UInt8(ascii: "=")) else { return nil }
        for (sign, isEqual) in [("!=", false), ("==", true), ("=", true)] {
            guard let range = text.firstRange(of: sign) else { continue }
            return (
                trimmed(text[..<range.lowerBound]), trimmed(text[range.upperBound...]), isEqual
            )
        }
        return nil
    }

    private static func requirement(
        _ text: String
    ) throws(SimulatedAPIServer.Refusal) -> Requirement {
        if let (name, value, isEqual) = comparison(text) {
            return isEqual ? .isIn(name, [value]) : .isNotIn(name, [value])
        }
        let name = trimmed(text[...])
        for (word, isNegated) in [(" notin ", true), (" in ", false)] {
            guard let range = text.firstRange(of: word) else { continue }
            let list = text[range.upperBound...].filter { !"() ".contains($0) }
            let values = Set(list.split(separator: ",").map(String.init))
            let key = trimmed(text[..<range.lowerBound])
            return isNegated ? .isNotIn(key, values) : .isIn(key, values)
        }
        guard !name.isEmpty, !name.contains(" ") else { throw refusal("unable to parse selector") }
        return name.hasPrefix("!") ? .isMissing(String(name.dropFirst())) : .exists(name)
    }

    private static func trimmed(_ text: Substring) -> String {
        let space = UInt8(ascii: " ")
        let start = text.utf8.drop { $0 == space }
        guard let end = start.lastIndex(where: { $0 != space }) else { return "" }
        return String(Substring(start[...end]))
    }
}
