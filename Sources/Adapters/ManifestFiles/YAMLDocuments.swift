// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
internal import Yams

/// The documents of a YAML stream as trees.
enum YAMLDocuments {
    struct Failure: Error, Equatable {
        let reason: String
    }

    /// Values of one document, each alias counted as what it stands for: a few lines of aliases to
    /// aliases would else be more than any memory.
    static let nodesMax = 2_000_000

    /// Up to the first that is none: what follows it cannot be found.
    static func all(in bytes: [UInt8]) -> [Result<JSONTree, Failure>] {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return [.failure(Failure(reason: "is not UTF-8"))]
        }
        var found: [Result<JSONTree, Failure>] = []
        do {
            let parser = try Parser(yaml: text)
            while let node = try parser.nextRoot() {
                var left = nodesMax
                found.append(result(node, &left).mapError { advised($0, text) })
            }
        } catch { found.append(.failure(advised(Failure(reason: reason(error)), text))) }
        return found
    }

    private static func advised(_ failure: Failure, _ text: String) -> Failure {
        guard text.contains("{{") else { return failure }
        return Failure(
            reason: failure.reason
                + "; it looks like a template: give what `helm template` prints")
    }

    private static func result(_ node: Node, _ left: inout Int) -> Result<JSONTree, Failure> {
        do throws(Failure) { return .success(try tree(node, &left)) } catch {
            return .failure(error)
        }
    }

    private static func tree(_ node: Node, _ left: inout Int) throws(Failure) -> JSONTree {
        left -= 1
        guard left >= 0 else { throw Failure(reason: "has more than \(nodesMax) values") }
        switch node {
        case .scalar(let scalar): return value(scalar, node.tag)
        case .sequence(let sequence):
            var elements: [JSONTree] = []
            for element in sequence { elements.append(try tree(element, &left)) }
            return .array(elements)
        case .mapping(let mapping):
            var members: [JSONTree.Member] = []
            for (key, value) in mapping {
                guard let name = key.scalar?.string else {
                    throw Failure(reason: "has a key that is no text")
                }
                members.append(JSONTree.Member(name, try tree(value, &left)))
            }
            return .object(members)
        case .alias: throw Failure(reason: "has an alias without its anchor")
        }
    }

    private static func value(_ scalar: Node.Scalar, _ tag: Tag) -> JSONTree {
        let text = scalar.string
        switch Tag.Name(rawValue: tag.description) {
        case .null: return .null
        case .bool: return .bool(["true", "yes", "on", "y"].contains(text.lowercased()))
        case .int, .float: return .number(text)
        default: return .string(text)
        }
    }

    /// Never the line itself, which may hold a value.
    private static func reason(_ error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "is no YAML: line \(mark.line): \(problem)"
        case .duplicatedKeysInMapping: "has a key twice in one mapping"
        default: "is no YAML"
        }
    }
}
