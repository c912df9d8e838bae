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
            return .object(try members(of: mapping, &left))
        case .alias: throw Failure(reason: "has an alias without its anchor")
        }
    }

    /// With what `<<` merges in (https://yaml.org/type/merge.html), as `kubectl` sends it: a key of
    /// the mapping's own counts more.
    private static func members(
        of mapping: Node.Mapping, _ left: inout Int
    ) throws(Failure) -> [JSONTree.Member] {
        var own: [JSONTree.Member] = []
        var merged: [JSONTree.Member] = []
        for (key, value) in mapping {
            guard let name = key.scalar?.string else {
                throw Failure(reason: "has a key that is no text")
            }
            guard Tag.Name(rawValue: key.tag.description) == .merge else {
                own.append(JSONTree.Member(name, try tree(value, &left)))
                continue
            }
            merged = try sources(of: try tree(value, &left))
            // Readers differ in which of the two counts then.
            if let twice = merged.first(where: { one in own.contains { $0.name == one.name } }) {
                throw Failure(
                    reason: "has a merge key (<<) behind \(twice.name), which it sets too;"
                        + " put << first")
            }
        }
        let names = Set(own.map(\.name))
        return merged.filter { !names.contains($0.name) } + own
    }

    /// Members of the mapping behind `<<`, or of each of a list; the first that has a name counts.
    private static func sources(of value: JSONTree) throws(Failure) -> [JSONTree.Member] {
        var names: Set<String> = []
        var found: [JSONTree.Member] = []
        for source in value.elements ?? [value] {
            guard let members = source.members else {
                throw Failure(reason: "has a merge key (<<) of what is no mapping")
            }
            found += members.filter { names.insert($0.name).inserted }
        }
        return found
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
