// SPDX-License-Identifier: Apache-2.0
import JSONFormat

/// A value of an event as JSON has it.
package indirect enum EventValue: Sendable, Equatable {
    case number(Int64)
    /// 64 bits as a string of decimal digits: most readers keep 53 bits of a JSON number.
    case decimal(UInt64)
    case boolean(Bool)
    case text(String)
    case list([EventValue])
    case object([(name: String, value: EventValue)])

    package static func == (left: EventValue, right: EventValue) -> Bool {
        left.json == right.json
    }

    /// In one line, without spaces, members in their order.
    package var json: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    package func append(to bytes: inout [UInt8]) {
        switch self {
        case .number(let value): bytes += Array(String(value).utf8)
        case .decimal(let value):
            bytes.append(UInt8(ascii: "\""))
            bytes += Array(String(value).utf8)
            bytes.append(UInt8(ascii: "\""))
        case .boolean(let value): bytes += Array((value ? "true" : "false").utf8)
        case .text(let value): JSONWriter.append(value, to: &bytes)
        case .list(let values):
            bytes.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                value.append(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                JSONWriter.append(member.name, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.value.append(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }
}
