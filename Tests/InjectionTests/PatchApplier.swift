// SPDX-License-Identifier: Apache-2.0

/// Applies a JSON patch (RFC 6902) as an API server does.
enum PatchApplier {
    struct Refused: Error, Equatable {
        let operation: String
    }

    static func apply(_ patch: [UInt8], to document: [UInt8]) throws -> Tree {
        var tree = try Tree(document)
        for operation in try Tree(patch).elements { try apply(operation, to: &tree) }
        return tree
    }

    private static func apply(_ operation: Tree, to tree: inout Tree) throws {
        let refused = Refused(operation: operation.description)
        guard let kind = operation["op"]?.text, let path = operation["path"]?.text else {
            throw refused
        }
        switch kind {
        case "add":
            guard let value = operation["value"] else { throw refused }
            try add(value, at: tokens(path)[...], to: &tree, refused)
        case "remove": _ = try remove(at: tokens(path)[...], from: &tree, refused)
        case "replace":
            guard let value = operation["value"] else { throw refused }
            _ = try remove(at: tokens(path)[...], from: &tree, refused)
            try add(value, at: tokens(path)[...], to: &tree, refused)
        case "move":
            guard let from = operation["from"]?.text else { throw refused }
            let value = try remove(at: tokens(from)[...], from: &tree, refused)
            try add(value, at: tokens(path)[...], to: &tree, refused)
        default: throw refused
        }
    }

    private static func tokens(_ pointer: String) -> [String] {
        pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map {
            String($0.replacing("~1", with: "/").replacing("~0", with: "~"))
        }
    }

    private static func add(
        _ value: Tree, at path: ArraySlice<String>, to tree: inout Tree, _ refused: Refused
    ) throws {
        guard let token = path.first else {
            tree = value
            return
        }
        let rest = path.dropFirst()
        switch tree {
        case .scalar: throw refused
        case .array(var elements):
            tree = .scalar("null")
            if rest.isEmpty {
                let index = token == "-" ? elements.count : try number(token, refused)
                guard index <= elements.count else { throw refused }
                elements.insert(value, at: index)
            } else {
                let index = try number(token, refused)
                guard index < elements.count else { throw refused }
                try add(value, at: rest, to: &elements[index], refused)
            }
            tree = .array(elements)
        case .object(var members):
            // Not held here as well, the members are changed where they are.
            tree = .scalar("null")
            let index = members.firstIndex { $0.name == token }
            if rest.isEmpty {
                if let index {
                    members[index].value = value
                } else {
                    members.append(Tree.Member(name: token, value: value))
                }
            } else {
                guard let index else { throw refused }
                try add(value, at: rest, to: &members[index].value, refused)
            }
            tree = .object(members)
        }
    }

    private static func remove(
        at path: ArraySlice<String>, from tree: inout Tree, _ refused: Refused
    ) throws -> Tree {
        guard let token = path.first else { throw refused }
        let rest = path.dropFirst()
        switch tree {
        case .scalar: throw refused
        case .array(var elements):
            let index = try number(token, refused)
            guard index < elements.count else { throw refused }
            let removed =
                rest.isEmpty
                ? elements.remove(at: index)
                : try remove(at: rest, from: &elements[index], refused)
            tree = .array(elements)
            return removed
        case .object:
            guard var child = tree[token] else { throw refused }
            guard !rest.isEmpty else {
                tree[token] = nil
                return child
            }
            let removed = try remove(at: rest, from: &child, refused)
            tree[token] = child
            return removed
        }
    }

    private static func number(_ token: String, _ refused: Refused) throws -> Int {
        guard let number = Int(token), String(number) == token, number >= 0 else { throw refused }
        return number
    }
}
