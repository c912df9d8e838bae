// SPDX-License-Identifier: Apache-2.0

/// Why a document could not be read.
package enum S3DocumentFailure: Error, Sendable, Hashable {
    /// Not XML, not of the form that is expected, or beyond a limit; without the document's
    /// content.
    case malformed(String)
    /// The server sent an `Error` where a result was expected; with status 200 for operations
    /// that take long.
    case error(S3ErrorDocument)

    /// nil: the server's own.
    package var reason: String? {
        switch self {
        case .malformed(let reason): reason.prefix(1).uppercased() + reason.dropFirst() + "."
        case .error: nil
        }
    }
}

/// An element of a document: with text, or with other elements.
package struct XMLElement: Sendable, Equatable {
    /// Without a namespace's prefix; ASCII.
    package let name: String
    /// Empty for an element that has others.
    package let text: String
    package let children: [XMLElement]

    package init(name: String, text: String = "", children: [XMLElement] = []) {
        self.name = name
        self.text = text
        self.children = children
    }

    package func first(_ name: String) -> XMLElement? { children.first { $0.name == name } }
    package func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }
    package func text(_ name: String) -> String? { first(name)?.text }

    /// A whole number in decimal digits; nil: not there.
    func number<Number: FixedWidthInteger>(
        _ name: String, _ type: Number.Type = Number.self
    ) throws(S3DocumentFailure) -> Number? {
        guard let text = text(name) else { return nil }
        guard let number = Decimal.number(text.utf8, Number.self) else {
            throw .malformed("\(name) is no whole number")
        }
        return number
    }

    /// `true` or `false`; nil: not there.
    func flag(_ name: String) throws(S3DocumentFailure) -> Bool? {
        switch text(name)?.lowercased() {
        case nil: nil
        case "true", "1": true
        case "false", "0", "": false
        default: throw .malformed("\(name) is neither true nor false")
        }
    }

    func required(_ name: String) throws(S3DocumentFailure) -> String {
        guard let text = text(name) else { throw .malformed("\(self.name) has no \(name)") }
        return text
    }
}

/// Whole numbers without sign.
enum Decimal {
    /// nil: no digits, others than digits, or too large.
    static func number<Number: FixedWidthInteger>(
        _ bytes: some Sequence<UInt8>, _ type: Number.Type = Number.self
    ) -> Number? {
        var number: Number?
        for byte in bytes {
            guard (0x30...0x39).contains(byte) else { return nil }
            let shifted = (number ?? 0).multipliedReportingOverflow(by: 10)
            let sum = shifted.partialValue.addingReportingOverflow(Number(byte - 0x30))
            guard !shifted.overflow, !sum.overflow else { return nil }
            number = sum.partialValue
        }
        return number
    }
}
