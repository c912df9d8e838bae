// SPDX-License-Identifier: Apache-2.0

/// A JSON value as the fake vault stores and renders it.
package indirect enum SimulatedJSON: Sendable, Equatable {
    case object([(name: String, value: SimulatedJSON)])
    case array([SimulatedJSON])
    case string(String)
    /// The number's literal text.
    case number(String)
    case bool(Bool)
    case null

    package static func == (left: SimulatedJSON, right: SimulatedJSON) -> Bool {
        left.rendered() == right.rendered()
    }

    /// The member of an object; nil when there is none.
    package subscript(name: String) -> SimulatedJSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// A number that is whole; nil for anything else.
    var wholeNumber: Int? {
        guard case .number(let text) = self else { return nil }
        return Int(text)
    }

    /// Compact JSON, escaped as Go's encoder does: `<`, `>` and `&` as `\u` escapes.
    package func rendered() -> [UInt8] {
        var bytes: [UInt8] = []
        render(into: &bytes)
        return bytes
    }

    private func render(into bytes: inout [UInt8]) {
        switch self {
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                Self.renderString(member.name, into: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.value.render(into: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                element.render(into: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .string(let text): Self.renderString(text, into: &bytes)
        case .number(let text): bytes.append(contentsOf: text.utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .null: bytes.append(contentsOf: "null".utf8)
        }
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static func renderString(_ text: String, into bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\r"): bytes.append(contentsOf: "\\r".utf8)
            case UInt8(ascii: "\t"): bytes.append(contentsOf: "\\t".utf8)
            case ..<0x20, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"):
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
