// SPDX-License-Identifier: Apache-2.0

/// A JSON patch (RFC 6902) and how it is applied.
package enum JSONPatch {
    package enum Failure: Error, Sendable, Equatable {
        /// No patch: not a list of operations of RFC 6902. `operation` counts from 0.
        case malformed(operation: Int)
        /// A path leads nowhere.
        case pathMissing(operation: Int)
        case testFailed(operation: Int)
    }

    /// - Returns: `document` after all operations, or nothing of them.
    package static func apply(
        _ patch: JSONTree, to document: JSONTree
    ) throws(Failure) -> JSONTree {
        guard let operations = patch.elements else { throw .malformed(operation: 0) }
        var result = document
        for (index, operation) in operations.enumerated() {
            try apply(operation, index, to: &result)
        }
        return result
    }

    private static func apply(
        _ operation: JSONTree, _ index: Int, to document: inout JSONTree
    ) throws(Failure) {
        guard let name = operation["op"]?.text,
            let path = operation["path"]?.text.flatMap(JSONPointer.init)
        else { throw .malformed(operation: index) }
        func value() throws(Failure) -> JSONTree {
            guard let value = operation["value"] else { throw .malformed(operation: index) }
            return value
        }
        func source() throws(Failure) -> JSONPointer {
            guard let from = operation["from"]?.text.flatMap(JSONPointer.init) else {
                throw .malformed(operation: index)
            }
            return from
        }
        func found(_ pointer: JSONPointer) throws(Failure) -> JSONTree {
            guard let value = pointer.value(in: document) else {
                throw .pathMissing(operation: index)
            }
            return value
        }
        func need(_ isDone: Bool) throws(Failure) {
            guard isDone else { throw .pathMissing(operation: index) }
        }
        switch name {
        case "add": try need(path.add(try value(), to: &document))
        case "remove": try need(path.remove(from: &document))
        case "replace":
            let value = try value()
            _ = try found(path)
            try need(path.replace(with: value, in: &document))
        case "move":
            let from = try source()
            let value = try found(from)
            guard !from.isProperPrefix(of: path) else { throw .malformed(operation: index) }
            try need(from.remove(from: &document))
            try need(path.add(value, to: &document))
        case "copy": try need(path.add(try found(try source()), to: &document))
        case "test":
            guard try found(path) == (try value()) else { throw .testFailed(operation: index) }
        default: throw .malformed(operation: index)
        }
    }
}

/// A place in a document (RFC 6901).
package struct JSONPointer: Sendable, Equatable {
    package let tokens: [String]

    package init(tokens: [String]) { self.tokens = tokens }

    /// nil: the text is no pointer.
    package init?(_ text: String) {
        guard text.isEmpty || text.hasPrefix("/") else { return nil }
        var tokens: [String] = []
        for part in text.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            guard let token = Self.unescaped(part) else { return nil }
            tokens.append(token)
        }
        self.tokens = tokens
    }

    private static func unescaped(_ part: Substring) -> String? {
        var token = ""
        var isEscape = false
        for scalar in part.unicodeScalars {
            switch (isEscape, scalar) {
            case (true, "0"): token.append("~")
            case (true, "1"): token.append("/")
            case (true, _): return nil
            case (false, "~"): break
            case (false, _): token.unicodeScalars.append(scalar)
            }
            isEscape = !isEscape && scalar == "~"
        }
        return isEscape ? nil : token
    }

    func isProperPrefix(of other: JSONPointer) -> Bool {
        tokens.count < other.tokens.count && other.tokens.starts(with: tokens)
    }

    package func value(in document: JSONTree) -> JSONTree? {
        var current = document
        for token in tokens {
            switch current {
            case .object:
                guard let next = current[token] else { return nil }
                current = next
            case .array(let elements):
                guard let index = Self.index(token, below: elements.count) else { return nil }
                current = elements[index]
            default: return nil
            }
        }
        return current
    }

    func add(_ value: JSONTree, to document: inout JSONTree) -> Bool {
        change(&document, tokens[...]) { parent, last in
            guard let last else {
                parent = value
                return true
            }
            switch parent {
            case .object:
                parent[last] = value
                return true
            case .array(var elements):
                let end = elements.count
                guard let index = last == "-" ? end : Self.index(last, below: end + 1) else {
                    return false
                }
                elements.insert(value, at: index)
                parent = .array(elements)
                return true
            default: return false
            }
        }
    }

    func remove(from document: inout JSONTree) -> Bool {
        change(&document, tokens[...]) { parent, last in
            guard let last else { return false }
            switch parent {
            case .object:
                guard parent[last] != nil else { return false }
                parent[last] = nil
                return true
            case .array(var elements):
                guard let index = Self.index(last, below: elements.count) else { return false }
                elements.remove(at: index)
                parent = .array(elements)
                return true
            default: return false
            }
        }
    }

    /// - Precondition: there is a value.
    func replace(with value: JSONTree, in document: inout JSONTree) -> Bool {
        change(&document, tokens[...]) { parent, last in
            guard let last else {
                parent = value
                return true
            }
            guard case .array(var elements) = parent else {
                parent[last] = value
                return true
            }
            guard let index = Self.index(last, below: elements.count) else { return false }
            elements[index] = value
            parent = .array(elements)
            return true
        }
    }

    /// Calls `body` with the value that holds the last token, or with the root and nil.
    private func change(
        _ tree: inout JSONTree, _ rest: ArraySlice<String>,
        _ body: (inout JSONTree, String?) -> Bool
    ) -> Bool {
        guard let token = rest.first else { return body(&tree, nil) }
        guard rest.count > 1 else { return body(&tree, token) }
        switch tree {
        case .object:
            guard var child = tree[token], change(&child, rest.dropFirst(), body) else {
                return false
            }
            tree[token] = child
            return true
        case .array(var elements):
            guard let index = Self.index(token, below: elements.count),
                change(&elements[index], rest.dropFirst(), body)
            else { return false }
            tree = .array(elements)
            return true
        default: return false
        }
    }

    /// Digits without a leading zero.
    private static func index(_ token: String, below end: Int) -> Int? {
        guard token.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            token == "0" || !token.hasPrefix("0"), let index = Int(token), index < end
        else { return nil }
        return index
    }
}

/// A merge patch (RFC 7396).
package enum JSONMergePatch {
    package static func apply(_ patch: JSONTree, to document: JSONTree?) -> JSONTree {
        guard case .object(let changes) = patch else { return patch }
        var result = JSONTree.object([])
        if let document, case .object = document { result = document }
        for change in changes {
            if case .null = change.value {
                result[change.name] = nil
            } else {
                result[change.name] = apply(change.value, to: result[change.name])
            }
        }
        return result
    }
}
