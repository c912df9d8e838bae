// SPDX-License-Identifier: Apache-2.0
internal import JSONFormat

/// A JSON value that is written.
package indirect enum JSONOutput: Sendable, Equatable {
    case text(String)
    case number(Int)
    case flag(Bool)
    case list([JSONOutput])
    case object([(name: String, value: JSONOutput)])

    package static func texts(_ texts: [String]) -> JSONOutput { .list(texts.map { .text($0) }) }

    package static func == (left: JSONOutput, right: JSONOutput) -> Bool { left.json == right.json }

    /// In one line, members in their order.
    package var json: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    func append(to bytes: inout [UInt8]) {
        switch self {
        case .text(let text): JSONWriter.append(text, to: &bytes)
        case .number(let number): bytes.append(contentsOf: String(number).utf8)
        case .flag(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
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

/// Operations on a document (RFC 6902), in their order. Nothing that no operation names is changed.
package struct JSONPatch: Sendable, Equatable {
    package enum Operation: Sendable, Equatable {
        /// Into an array: before the element at the path's end, or with `-` behind the last.
        case add(String, JSONOutput)
        case move(from: String, to: String)

        var json: JSONOutput {
            switch self {
            case .add(let path, let value):
                .object([("op", .text("add")), ("path", .text(path)), ("value", value)])
            case .move(let from, let to):
                .object([("op", .text("move")), ("from", .text(from)), ("path", .text(to))])
            }
        }
    }

    package var operations: [Operation] = []

    package init() {}

    package var isEmpty: Bool { operations.isEmpty }

    /// As it is sent.
    package var json: [UInt8] { JSONOutput.list(operations.map(\.json)).json }

    mutating func add(_ value: JSONOutput, at path: FieldPath) {
        operations.append(.add(path.pointer, value))
    }

    /// Appends to an array that may not be there yet.
    mutating func append(_ values: [JSONOutput], to path: FieldPath, isThere: Bool) {
        guard !values.isEmpty else { return }
        guard isThere else { return add(.list(values), at: path) }
        let end = path["-"].pointer
        for value in values { operations.append(.add(end, value)) }
    }
}
