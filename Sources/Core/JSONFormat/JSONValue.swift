// SPDX-License-Identifier: Apache-2.0

/// Where a value stands in a document, and what it is. Holds no content.
package struct JSONValue: Sendable, Hashable {
    package enum Kind: Sendable, Equatable {
        case object, array, string, number, bool, null
    }

    package let kind: Kind
    /// Bytes of the document, quotes and brackets included.
    package let range: Range<Int>

    package init(kind: Kind, range: Range<Int>) {
        self.kind = kind
        self.range = range
    }
}

/// A member of an object: where its name and its value stand.
package struct JSONMember: Sendable, Hashable {
    /// A string.
    package let name: JSONValue
    package let value: JSONValue
}

/// Why a document or one of its strings was refused. `offset` counts bytes from its start.
package enum JSONFormatFailure: Error, Sendable, Equatable {
    /// Not RFC 8259: a byte stands where it may not, or the document ends early.
    case syntax(offset: Int)
    /// Not UTF-8 (RFC 3629).
    case encoding(offset: Int)
    /// Arrays and objects nest deeper than the limit.
    case tooDeep(limit: Int)
    /// `\u` escapes with half of a surrogate pair: no text.
    case loneSurrogate(offset: Int)
    /// An object has the wanted name twice: which one counts is not decided by RFC 8259.
    case duplicateName(offset: Int)
}

/// JSON (RFC 8259) read in place: values are located, never copied out of the caller's bytes.
///
/// Rules: the whole document is checked first (`check`), and only then are values looked up.
/// UTF-8 must be well formed, escapes must name text (no lone surrogate), nesting stays within
/// `depthMax`. A name that stands twice in one object is refused when it is the one looked for;
/// other repeated names are no matter.
package enum JSONFormat {
    /// Deepest nesting of arrays and objects.
    package static let depthMax = 32

    /// Checks the whole document and returns its root value.
    package static func check(_ document: RawSpan) throws(JSONFormatFailure) -> JSONValue {
        var reader = JSONReader()
        return try reader.document(in: document)
    }

    /// The member called `name`, or nil when `object` has none or is no object.
    ///
    /// - Precondition: `object` was located in this checked document.
    package static func member(
        _ name: String, of object: JSONValue, in document: RawSpan
    ) throws(JSONFormatFailure) -> JSONValue? {
        guard object.kind == .object else { return nil }
        var reader = JSONReader(from: object.range.lowerBound)
        return try reader.member(named: name, in: document)
    }

    /// The members of `object`, in their order and with repeated names; empty when it is no object.
    ///
    /// - Precondition: `object` was located in this checked document.
    package static func members(
        of object: JSONValue, in document: RawSpan
    ) throws(JSONFormatFailure) -> [JSONMember] {
        try members(of: object, max: .max, in: document) ?? []
    }

    /// The same of an object that may be of any size: what goes beyond `max` is never held.
    ///
    /// - Returns: nil when there are more than `max` members.
    package static func members(
        of object: JSONValue, max: Int, in document: RawSpan
    ) throws(JSONFormatFailure) -> [JSONMember]? {
        guard object.kind == .object else { return [] }
        var reader = JSONReader(from: object.range.lowerBound)
        return try reader.members(max: max, in: document)
    }

    /// Follows member names from `root`. nil when one of them is missing.
    package static func value(
        at path: [String], from root: JSONValue, in document: RawSpan
    ) throws(JSONFormatFailure) -> JSONValue? {
        var current = root
        for name in path {
            guard let next = try member(name, of: current, in: document) else { return nil }
            current = next
        }
        return current
    }

    /// The elements of `array`; empty when it is no array.
    package static func elements(
        of array: JSONValue, in document: RawSpan
    ) throws(JSONFormatFailure) -> [JSONValue] {
        try elements(of: array, max: .max, in: document) ?? []
    }

    /// The same of an array that may be of any size: what goes beyond `max` is never held.
    ///
    /// - Returns: nil when there are more than `max` elements.
    package static func elements(
        of array: JSONValue, max: Int, in document: RawSpan
    ) throws(JSONFormatFailure) -> [JSONValue]? {
        guard array.kind == .array else { return [] }
        var reader = JSONReader(from: array.range.lowerBound)
        return try reader.elements(max: max, in: document)
    }
}
