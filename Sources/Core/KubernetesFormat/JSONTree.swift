// SPDX-License-Identifier: Apache-2.0
internal import JSONFormat

/// A JSON document as a value, for the few objects that are changed and not only handed on.
/// Never for secrets: it copies.
///
/// Members keep their order and numbers their literal text, so that what is not touched comes out
/// as it came in, but for white space and escapes.
package indirect enum JSONTree: Sendable {
    case object([Member])
    case array([JSONTree])
    case string(String)
    /// The number's literal text.
    case number(String)
    case bool(Bool)
    case null

    package struct Member: Sendable {
        package var name: String
        package var value: JSONTree

        package init(_ name: String, _ value: JSONTree) {
            self.name = name
            self.value = value
        }
    }

    /// Why bytes are no tree.
    package enum Failure: Error, Sendable, Equatable {
        case malformed(offset: Int)
        case tooDeep
        /// Which of two members counts is not decided by RFC 8259.
        case duplicateName(String)

        fileprivate init(_ failure: JSONFormatFailure) {
            switch failure {
            case .syntax(let offset), .encoding(let offset), .loneSurrogate(let offset),
                .duplicateName(let offset):
                self = .malformed(offset: offset)
            case .tooDeep: self = .tooDeep
            }
        }
    }

    package init(_ document: [UInt8]) throws(Failure) {
        let bytes = document.span.bytes
        let root: JSONValue
        do throws(JSONFormatFailure) { root = try JSONFormat.check(bytes) } catch {
            throw Failure(error)
        }
        try self.init(root, in: bytes)
    }

    /// A value of a document that was checked.
    init(_ value: JSONValue, in bytes: RawSpan) throws(Failure) {
        do throws(JSONFormatFailure) { self = try Self.tree(value, in: bytes) } catch {
            throw Failure(error)
        }
        if let name = firstDuplicate { throw .duplicateName(name) }
    }

    private static func tree(
        _ value: JSONValue, in bytes: RawSpan
    ) throws(JSONFormatFailure) -> JSONTree {
        switch value.kind {
        case .object:
            var members: [Member] = []
            for member in try JSONFormat.members(of: value, in: bytes) {
                let name = try JSONText.publicText(member.name, in: bytes) ?? ""
                members.append(Member(name, try tree(member.value, in: bytes)))
            }
            return .object(members)
        case .array:
            var elements: [JSONTree] = []
            for element in try JSONFormat.elements(of: value, in: bytes) {
                elements.append(try tree(element, in: bytes))
            }
            return .array(elements)
        case .string: return .string(try JSONText.publicText(value, in: bytes) ?? "")
        case .number: return .number(text(value.range, in: bytes))
        case .bool: return .bool(text(value.range, in: bytes) == "true")
        case .null: return .null
        }
    }

    private static func text(_ range: Range<Int>, in bytes: RawSpan) -> String {
        bytes.extracting(range).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    private var firstDuplicate: String? {
        switch self {
        case .object(let members):
            var names: Set<ExactText> = []
            for member in members {
                guard names.insert(ExactText(member.name)).inserted else { return member.name }
                if let name = member.value.firstDuplicate { return name }
            }
            return nil
        case .array(let elements):
            for element in elements {
                if let name = element.firstDuplicate { return name }
            }
            return nil
        default: return nil
        }
    }
}

/// A text that is equal to none of other bytes. A String is also equal to one that is written with
/// other characters for the same (Unicode's canonical equivalence), which JSON, the API server and
/// etcd tell apart (RFC 8259, section 8.3).
private struct ExactText: Hashable {
    private let text: String

    init(_ text: String) { self.text = text }

    static func == (left: ExactText, right: ExactText) -> Bool {
        left.text.utf8.count == right.text.utf8.count
            && left.text.utf8.elementsEqual(right.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        let isDone: Void? = text.utf8.withContiguousStorageIfAvailable {
            hasher.combine(bytes: UnsafeRawBufferPointer($0))
        }
        if isDone == nil { Array(text.utf8).withUnsafeBytes { hasher.combine(bytes: $0) } }
        hasher.combine(UInt8.max)
    }
}

extension JSONTree: Equatable {
    /// As JSON means it: the order of members does not count. Texts are equal when their bytes are,
    /// numbers when they are written alike.
    package static func == (left: JSONTree, right: JSONTree) -> Bool {
        switch (left, right) {
        case (.object(let left), .object(let right)):
            guard left.count == right.count else { return false }
            let others = Dictionary(
                right.map { (ExactText($0.name), $0.value) },
                uniquingKeysWith: { first, _ in first })
            return left.allSatisfy { others[ExactText($0.name)] == $0.value }
        case (.array(let left), .array(let right)): return left == right
        case (.string(let left), .string(let right)): return ExactText(left) == ExactText(right)
        case (.number(let left), .number(let right)): return left == right
        case (.bool(let left), .bool(let right)): return left == right
        case (.null, .null): return true
        default: return false
        }
    }
}

extension JSONTree: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .number(String(value)) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSONTree...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONTree)...) {
        self = .object(elements.map { Member($0.0, $0.1) })
    }
}

extension JSONTree {
    /// The member of an object; nil when there is none, or no object. Setting nil removes it;
    /// setting a member of what is no object makes it one.
    package subscript(name: String) -> JSONTree? {
        get {
            guard case .object(let members) = self else { return nil }
            return members.first { ExactText($0.name) == ExactText(name) }?.value
        }
        set {
            var members: [Member] = []
            if case .object(let own) = self { members = own }
            let index = members.firstIndex { ExactText($0.name) == ExactText(name) }
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (nil, let value?): members.append(Member(name, value))
            case (let index?, nil): members.remove(at: index)
            case (nil, nil): break
            }
            self = .object(members)
        }
    }

    /// Follows member names; nil when one is missing.
    package func value(at path: String...) -> JSONTree? {
        var current = self
        for name in path {
            guard let next = current[name] else { return nil }
            current = next
        }
        return current
    }

    package var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// A number that is whole; nil for anything else.
    package var wholeNumber: Int? {
        guard case .number(let text) = self else { return nil }
        return Int(text)
    }

    package var elements: [JSONTree]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    package var members: [Member]? {
        guard case .object(let members) = self else { return nil }
        return members
    }
}
