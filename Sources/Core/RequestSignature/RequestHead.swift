// SPDX-License-Identifier: Apache-2.0

/// One header field as it came or goes.
package struct RequestField: Sendable, Equatable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A request without its body, as HTTP delivered it.
package struct RequestHead: Sendable, Equatable {
    package var method: String
    /// Path and query, still encoded.
    package var target: String
    /// In order, `host` among them.
    package var fields: [RequestField]

    package init(method: String, target: String, fields: [RequestField]) {
        self.method = method
        self.target = target
        self.fields = fields
    }

    /// The values of a field. Case does not matter.
    func values(of name: String) -> [String] {
        fields.filter { $0.name.lowercased() == name }.map(\.value)
    }
}

/// Header fields as they are signed: names in lower case, values without space around them and
/// with one space for each run of blanks inside, those of repeated fields joined by commas.
struct CanonicalFields {
    private(set) var values: [String: [UInt8]] = [:]

    init(_ fields: [RequestField]) throws(SignatureRefusal) {
        guard fields.count <= RequestLimits.fieldCountMax else {
            throw .tooLarge(.fields, limit: RequestLimits.fieldCountMax)
        }
        var byteCount = 0
        for field in fields {
            byteCount += field.name.utf8.count + field.value.utf8.count
            guard byteCount <= RequestLimits.fieldBytesMax else {
                throw .tooLarge(.fieldBytes, limit: RequestLimits.fieldBytesMax)
            }
            guard Self.isName(field.name), let value = Self.canonical(field.value) else {
                throw .fieldMalformed
            }
            let name = field.name.lowercased()
            if let before = values[name] {
                values[name] = before + [UInt8(ascii: ",")] + value
            } else {
                values[name] = value
            }
        }
    }

    /// RFC 9110, section 5.6.2: a token.
    private static func isName(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { (0x21...0x7E).contains($0) && !separators.contains($0) }
    }

    private static let separators = Set("\"(),/:;<=>?@[\\]{}".utf8)

    /// nil: holds a character that ends a line or a text.
    private static func canonical(_ value: String) -> [UInt8]? {
        var text: [UInt8] = []
        text.reserveCapacity(value.utf8.count)
        var isAfterBlank = true
        for byte in value.utf8 {
            switch byte {
            case 0, 0x0A, 0x0D: return nil
            case 0x20, 0x09:
                if !isAfterBlank { text.append(0x20) }
                isAfterBlank = true
            default:
                text.append(byte)
                isAfterBlank = false
            }
        }
        if text.last == 0x20 { text.removeLast() }
        return text
    }
}
