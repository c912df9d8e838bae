// SPDX-License-Identifier: Apache-2.0

/// A `metav1.LabelSelector`: all of `matchLabels` and all of `matchExpressions` must hold
/// (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/).
package struct LabelSelector: Sendable, Equatable {
    package enum Operation: String, Sendable {
        case isIn = "In"
        case isNotIn = "NotIn"
        case exists = "Exists"
        case doesNotExist = "DoesNotExist"
    }

    package struct Requirement: Sendable, Equatable {
        package let key: String
        package let operation: Operation
        package let values: [String]

        package func holds(for labels: [String: String]) -> Bool {
            switch operation {
            case .isIn: labels[key].map(values.contains) ?? false
            // What has no such label is not in any set.
            case .isNotIn: labels[key].map { !values.contains($0) } ?? true
            case .exists: labels[key] != nil
            case .doesNotExist: labels[key] == nil
            }
        }
    }

    package enum Failure: Error, Sendable, Equatable {
        case shape
        case operation(String)
    }

    package let requirements: [Requirement]

    package init(_ requirements: [Requirement]) { self.requirements = requirements }

    /// Reads one; without members it selects everything.
    package init(_ tree: JSONTree) throws(Failure) {
        var found: [Requirement] = []
        guard let members = tree.members else { throw .shape }
        for member in members {
            switch member.name {
            case "matchLabels": found += try Self.labels(member.value)
            case "matchExpressions": found += try Self.expressions(member.value)
            default: throw .shape
            }
        }
        requirements = found
    }

    private static func labels(_ tree: JSONTree) throws(Failure) -> [Requirement] {
        if case .null = tree { return [] }
        guard let members = tree.members else { throw .shape }
        var found: [Requirement] = []
        for member in members {
            guard let text = member.value.text else { throw .shape }
            found.append(Requirement(key: member.name, operation: .isIn, values: [text]))
        }
        return found
    }

    private static func expressions(_ tree: JSONTree) throws(Failure) -> [Requirement] {
        if case .null = tree { return [] }
        guard let elements = tree.elements else { throw .shape }
        var found: [Requirement] = []
        for element in elements {
            guard let key = element["key"]?.text, let word = element["operator"]?.text else {
                throw .shape
            }
            guard let operation = Operation(rawValue: word) else { throw .operation(word) }
            let values = (element["values"]?.elements ?? []).compactMap(\.text)
            let wantsValues = operation == .isIn || operation == .isNotIn
            guard values.isEmpty != wantsValues else { throw .shape }
            found.append(Requirement(key: key, operation: operation, values: values))
        }
        return found
    }

    package func matches(_ labels: [String: String]) -> Bool {
        requirements.allSatisfy { $0.holds(for: labels) }
    }
}

extension JSONTree {
    /// Members that are text; nothing where there are none.
    package var texts: [String: String] {
        Dictionary(
            (members ?? []).compactMap { member in member.value.text.map { (member.name, $0) } },
            uniquingKeysWith: { first, _ in first })
    }
}
