// SPDX-License-Identifier: Apache-2.0

/// A request's header fields.
package struct S3Headers: Sendable, Equatable {
    package struct Field: Sendable, Hashable {
        /// Lower case.
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String) {
            self.name = name.lowercased()
            self.value = value
        }
    }

    package private(set) var fields: [Field]

    package init(_ fields: [Field] = []) {
        self.fields = fields.map { Field($0.name, Self.trimmed($0.value)) }
    }

    /// Several fields of a name are one list (RFC 9110, section 5.3), so nobody reads one of them
    /// and somebody else the other.
    ///
    /// - Parameter name: in lower case.
    package subscript(name: String) -> String? {
        let values = fields.filter { $0.name == name }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: ",")
    }

    package func names(with prefix: String) -> [String] {
        fields.map(\.name).filter { $0.hasPrefix(prefix) }
    }

    /// Whether a text may be a header's value: nothing that ends it.
    package static func isValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }

    mutating func append(_ field: Field) {
        fields.append(Field(field.name, Self.trimmed(field.value)))
    }

    /// Without spaces and tabs at both ends.
    package static func trimmed(_ text: String) -> String {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        guard text.utf8.first.map(isSpace) == true || text.utf8.last.map(isSpace) == true else {
            return text
        }
        var bytes = Substring(text).utf8
        while let first = bytes.first, isSpace(first) { bytes = bytes.dropFirst() }
        while let last = bytes.last, isSpace(last) { bytes = bytes.dropLast() }
        return String(Substring(bytes))
    }
}
