// SPDX-License-Identifier: Apache-2.0
internal import Inventory
internal import KubernetesFormat
internal import Yams

/// The documents of a YAML stream as trees.
struct YAMLDocuments {
    struct Failure: Error, Equatable {
        let reason: String
        /// In the document, from 1; nil: of the whole of it.
        var line: Int?

        init(_ reason: String, line: Int? = nil) {
            self.reason = reason
            self.line = line
        }
    }

    struct Document {
        let content: Result<JSONTree, Failure>
        /// Of the stream, from 1: where the document begins or, for a failure, where it fails.
        let line: Int
    }

    /// Values of one document, each alias counted as what it stands for: a few lines of aliases to
    /// aliases would else be more than any memory.
    static let nodesMax = 2_000_000
    /// Of one document. JSON may be larger: it is read with less memory.
    static let bytesMax = 64 << 20
    /// Lists and mappings in one another. Kubernetes' own schemas have about 40.
    static let depthMax = 100

    private let bytes: [UInt8]
    private let parts: [YAMLPart]

    /// - Parameter bytes: in UTF-8.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        parts = YAMLParts.all(in: bytes, max: Inventory.objectsMax)
    }

    var partCount: Int { parts.count }

    /// Those of one part: one, none where it is empty, and more where a parser sees it otherwise.
    func documents(of index: Int) -> [Document] {
        let part = parts[index]
        let text = bytes[part.bytes]
        func failed(_ failure: Failure) -> Document {
            Document(
                content: .failure(failure), line: part.line + (failure.line.map { $0 - 1 } ?? 0))
        }
        guard text.count <= Self.bytesMax else {
            return [
                failed(
                    Failure("is larger than \(Self.bytesMax) bytes: give it as JSON, or in parts"))
            ]
        }
        guard let string = String(validating: text, as: UTF8.self) else {
            return [failed(Failure("is not UTF-8", line: Self.brokenLine(in: text)))]
        }
        if let reason = HostileText.reason(text) { return [failed(Failure(reason))] }
        var found: [Document] = []
        do {
            let parser = try Parser(yaml: string, encoding: .utf8)
            while let node = try parser.nextRoot() {
                var left = Self.nodesMax
                do throws(Failure) {
                    let tree = try Self.tree(node, &left, depth: 1)
                    found.append(Document(content: .success(tree), line: part.line))
                } catch { found.append(failed(Self.advised(error, string))) }
            }
        } catch { found.append(failed(Self.advised(Self.failure(error), string))) }
        return found
    }

    /// The line of the first byte that UTF-8 has not there.
    private static func brokenLine(in text: ArraySlice<UInt8>) -> Int {
        var line = 1
        for part in text.split(separator: 0x0A, omittingEmptySubsequences: false) {
            guard String(validating: part, as: UTF8.self) != nil else { return line }
            line += 1
        }
        return line
    }

    private static func advised(_ failure: Failure, _ text: String) -> Failure {
        guard text.contains("{{") else { return failure }
        return Failure(
            failure.reason + "; it looks like a template: give what `helm template` prints",
            line: failure.line)
    }

    private static func tree(
        _ node: Node, _ left: inout Int, depth: Int
    ) throws(Failure) -> JSONTree {
        left -= 1
        let line = node.mark?.line
        guard left >= 0 else { throw Failure("has more than \(nodesMax) values") }
        guard depth <= depthMax else {
            throw Failure("is nested deeper than \(depthMax) levels", line: line)
        }
        switch node {
        case .scalar(let scalar): return try value(scalar, node.tag, line)
        case .sequence(let sequence):
            var elements: [JSONTree] = []
            for element in sequence {
                elements.append(try tree(element, &left, depth: depth + 1))
            }
            return .array(elements)
        case .mapping(let mapping):
            return .object(try members(of: mapping, &left, depth: depth + 1))
        case .alias: throw Failure("has an alias without its anchor", line: line)
        }
    }

    /// With what `<<` merges in (https://yaml.org/type/merge.html), as `kubectl` sends it: a key of
    /// the mapping's own counts more.
    private static func members(
        of mapping: Node.Mapping, _ left: inout Int, depth: Int
    ) throws(Failure) -> [JSONTree.Member] {
        var own: [JSONTree.Member] = []
        var merged: [JSONTree.Member] = []
        for (key, value) in mapping {
            let line = key.mark?.line
            guard let name = key.scalar?.string else {
                throw Failure("has a key that is no text", line: line)
            }
            guard Tag.Name(rawValue: key.tag.description) == .merge else {
                own.append(JSONTree.Member(name, try tree(value, &left, depth: depth)))
                continue
            }
            merged = try sources(line, of: try tree(value, &left, depth: depth))
            // Readers differ in which of the two counts then.
            if let twice = merged.first(where: { one in own.contains { $0.name == one.name } }) {
                throw Failure(
                    "has a merge key (<<) behind \(twice.name), which it sets too;"
                        + " put << first", line: line)
            }
        }
        let names = Set(own.map(\.name))
        return merged.filter { !names.contains($0.name) } + own
    }

    /// Members of the mapping behind `<<`, or of each of a list; the first that has a name counts.
    private static func sources(
        _ line: Int?, of value: JSONTree
    ) throws(Failure) -> [JSONTree.Member] {
        var names: Set<String> = []
        var found: [JSONTree.Member] = []
        for source in value.elements ?? [value] {
            guard let members = source.members else {
                throw Failure("has a merge key (<<) of what is no mapping", line: line)
            }
            found += members.filter { names.insert($0.name).inserted }
        }
        return found
    }

    private static func value(
        _ scalar: Node.Scalar, _ tag: Tag, _ line: Int?
    ) throws(Failure) -> JSONTree {
        let text = scalar.string
        switch Tag.Name(rawValue: tag.description) {
        case .null: return .null
        case .bool: return .bool(["true", "yes", "on", "y"].contains(text.lowercased()))
        case .int, .float:
            // A time of day or a pair of ports, to what kubectl reads with.
            if text.contains(":") { return .string(text) }
            guard let number = YAMLNumber.json(text) else {
                throw Failure("has a number that JSON has not", line: line)
            }
            return .number(number)
        default: return .string(text)
        }
    }

    /// Never the line itself, which may hold a value.
    private static func failure(_ error: any Error) -> Failure {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            guard !problem.contains("nesting level") else {
                return Failure("is nested deeper than \(depthMax) levels", line: mark.line)
            }
            let isTab = problem.contains("cannot start any token")
            let advice = isTab ? " (blanks, not tabs, make the depth)" : ""
            return Failure("is no YAML: \(problem)\(advice)", line: mark.line)
        case .duplicatedKeysInMapping(_, let context):
            return Failure("has a key twice in one mapping", line: context.mark.line)
        case .reader(_, let offset, _, let text):
            let line = offset.map { text.prefix($0).count(where: \.isNewline) + 1 }
            return Failure("has a character that YAML has not", line: line)
        default: return Failure("is no YAML")
        }
    }
}
