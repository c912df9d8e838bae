// SPDX-License-Identifier: Apache-2.0
internal import JSONFormat

extension JSONTree {
    /// Compact JSON (RFC 8259).
    package func rendered() -> [UInt8] {
        var bytes: [UInt8] = []
        render(into: &bytes) { _ in }
        return bytes
    }

    /// The same in pieces, so that a large document is never there as a whole.
    ///
    /// - Parameter size: bytes that a piece has at least, but for the last one; it may have as many
    ///   more as one text needs.
    package func forEachPiece<WriteFailure: Error>(
        of size: Int = 1 << 20, _ body: ([UInt8]) throws(WriteFailure) -> Void
    ) throws(WriteFailure) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size)
        try render(into: &bytes) { (bytes: inout [UInt8]) throws(WriteFailure) in
            guard bytes.count >= size else { return }
            try body(bytes)
            bytes.removeAll(keepingCapacity: true)
        }
        try body(bytes)
    }

    /// - Parameter afterValue: is called after each value, and may take what is there.
    private func render<WriteFailure: Error>(
        into bytes: inout [UInt8], _ afterValue: (inout [UInt8]) throws(WriteFailure) -> Void
    ) throws(WriteFailure) {
        switch self {
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                JSONWriter.append(member.name, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                try member.value.render(into: &bytes, afterValue)
            }
            bytes.append(UInt8(ascii: "}"))
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                try element.render(into: &bytes, afterValue)
            }
            bytes.append(UInt8(ascii: "]"))
        case .string(let text): JSONWriter.append(text, to: &bytes)
        case .number(let text): bytes.append(contentsOf: text.utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .null: bytes.append(contentsOf: "null".utf8)
        }
        try afterValue(&bytes)
    }
}
