// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// Where a field is, as server-side apply owns it: elements of associative lists by their key,
/// other lists as a whole.
struct FieldPath: Hashable, Comparable, Sendable, CustomStringConvertible {
    enum Step: Hashable, Comparable, Sendable {
        case member(String)
        /// The element whose `key` is `value`.
        case element(key: String, value: String)
    }

    var steps: [Step] = []

    static func < (left: FieldPath, right: FieldPath) -> Bool {
        left.steps.lexicographicallyPrecedes(right.steps)
    }

    /// `.spec.containers[name="web"].image`
    var description: String {
        steps.map { step in
            switch step {
            case .member(let name): ".\(name)"
            case .element(let key, let value): "[\(key)=\"\(value)\"]"
            }
        }.joined()
    }

    func value(in object: JSONTree) -> JSONTree? {
        var current = object
        for step in steps {
            let next: JSONTree?
            switch step {
            case .member(let name): next = current[name]
            case .element(let key, let name):
                next = current.elements?.first { $0[key]?.text == name }
            }
            guard let next else { return nil }
            current = next
        }
        return current
    }

    func set(_ value: JSONTree, in object: inout JSONTree) {
        Self.set(value, at: steps[...], in: &object)
    }

    /// Whether it is what an element is known by: with that field the element goes.
    var isKey: Bool {
        guard steps.count >= 2, case .member(let name) = steps[steps.count - 1],
            case .element(let key, _) = steps[steps.count - 2]
        else { return false }
        return name == key
    }

    /// - Precondition: other fields of an element are removed before its key.
    func remove(from object: inout JSONTree) {
        guard steps.count > 0 else { return }
        object = Self.without(isKey ? steps.dropLast() : steps[...], object)
    }

    private static func without(_ steps: ArraySlice<Step>, _ tree: JSONTree) -> JSONTree {
        guard let step = steps.first else { return tree }
        let rest = steps.dropFirst()
        var tree = tree
        switch step {
        case .member(let name):
            guard let child = tree[name] else { return tree }
            let left = rest.isEmpty ? nil : without(rest, child)
            tree[name] = left
        case .element(let key, let value):
            var elements = tree.elements ?? []
            guard let index = elements.firstIndex(where: { $0[key]?.text == value }) else {
                return tree
            }
            if rest.isEmpty {
                elements.remove(at: index)
            } else {
                elements[index] = without(rest, elements[index])
            }
            tree = .array(elements)
        }
        return tree
    }

    private static func set(
        _ value: JSONTree, at steps: ArraySlice<Step>, in tree: inout JSONTree
    ) {
        guard let step = steps.first else {
            tree = value
            return
        }
        let rest = steps.dropFirst()
        switch step {
        case .member(let name):
            var child = tree[name] ?? empty(before: rest.first)
            set(value, at: rest, in: &child)
            tree[name] = child
        case .element(let key, let name):
            var elements = tree.elements ?? []
            let index = elements.firstIndex { $0[key]?.text == name }
            var child = index.map { elements[$0] } ?? [:]
            set(value, at: rest, in: &child)
            child[key] = .string(name)
            if let index { elements[index] = child } else { elements.append(child) }
            tree = .array(elements)
        }
    }

    private static func empty(before next: Step?) -> JSONTree {
        if case .element = next { return [] }
        return [:]
    }
}

/// The fields that a document sets, in its order, without those that the server keeps.
struct FieldLeaves: Sendable {
    private(set) var values: [FieldPath: JSONTree] = [:]
    private(set) var order: [FieldPath] = []

    /// Keys of the lists that are owned element by element, in built-in objects.
    private static let associative = [
        "containers": "name", "initContainers": "name", "volumes": "name", "env": "name",
        "webhooks": "name", "conditions": "type",
    ]
    private static let kept: Set<String> = [
        "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
        "managedFields", "generateName", "deletionTimestamp", "selfLink",
    ]

    init(of object: JSONTree, isCustom: Bool) {
        for member in object.members ?? [] where !["apiVersion", "kind"].contains(member.name) {
            if member.name == "metadata" {
                for own in member.value.members ?? [] where !Self.kept.contains(own.name) {
                    let path = FieldPath(steps: [.member("metadata"), .member(own.name)])
                    add(own.value, path, named: own.name, isCustom)
                }
            } else {
                let path = FieldPath(steps: [.member(member.name)])
                add(member.value, path, named: member.name, isCustom)
            }
        }
    }

    private mutating func add(
        _ value: JSONTree, _ path: FieldPath, named name: String, _ isCustom: Bool
    ) {
        if let members = value.members, !members.isEmpty {
            for member in members {
                let inner = FieldPath(steps: path.steps + [.member(member.name)])
                add(member.value, inner, named: member.name, isCustom)
            }
        } else if !isCustom, let key = Self.associative[name], let elements = value.elements,
            !elements.isEmpty, elements.allSatisfy({ $0[key]?.text != nil })
        {
            for element in elements {
                let step = FieldPath.Step.element(key: key, value: element[key]?.text ?? "")
                add(element, FieldPath(steps: path.steps + [step]), named: "", isCustom)
            }
        } else {
            values[path] = value
            order.append(path)
        }
    }
}
