// SPDX-License-Identifier: Apache-2.0

/// The text of JSON strings and scalars: measured, compared and decoded byte by byte, so that
/// it never passes through a String unless the caller asks for one.
package enum JSONText {
    /// What is known of a value's text without copying it.
    package struct Measure: Sendable, Equatable {
        /// UTF-8 bytes after unescaping.
        package let byteCount: Int
        package let containsNUL: Bool
    }

    /// Measures a string (unescaped) or the literal text of a number or bool.
    ///
    /// - Returns: nil for objects, arrays and null, which have no text.
    package static func measure(
        _ value: JSONValue, in document: RawSpan
    ) throws(JSONFormatFailure) -> Measure? {
        switch value.kind {
        case .object, .array, .null: return nil
        case .number, .bool:
            return Measure(byteCount: value.range.count, containsNUL: false)
        case .string:
            var decoder = Decoder(offset: value.range.lowerBound + 1)
            var count = 0
            var containsNUL = false
            while let piece = try decoder.next(in: document) {
                count += piece.count
                containsNUL = containsNUL || (piece.count == 1 && piece.bytes & 0xFF == 0)
            }
            return Measure(byteCount: count, containsNUL: containsNUL)
        }
    }

    /// Decodes a value's text in place: afterwards the returned range of `document` holds it and
    /// the rest of the value's old bytes is zero. Other values of the document stay intact.
    ///
    /// - Precondition: `value` was located in this checked document and is a scalar.
    package static func decodeInPlace(
        _ value: JSONValue, in document: UnsafeMutableRawBufferPointer
    ) throws(JSONFormatFailure) -> Range<Int> {
        guard value.kind == .string else { return value.range }
        let start = value.range.lowerBound
        var decoder = Decoder(offset: start + 1)
        var end = start
        // A piece is never longer than its escape, so writing never overtakes reading.
        while let piece = try decoder.next(in: UnsafeRawBufferPointer(document).bytes) {
            for index in 0..<piece.count {
                document[end] = UInt8(truncatingIfNeeded: piece.bytes >> (8 * UInt32(index)))
                end += 1
            }
        }
        for index in end..<value.range.upperBound { document[index] = 0 }
        return start..<end
    }

    /// Decodes the texts of an array's elements in place, one after the other with `separator`
    /// between: afterwards the returned range holds them and the rest of the array's old bytes is
    /// zero.
    ///
    /// - Precondition: `array` was located in this checked document, and `elements` are its own,
    ///   in their order, all strings.
    package static func joinInPlace(
        _ elements: [JSONValue], of array: JSONValue, separator: UInt8,
        in document: UnsafeMutableRawBufferPointer
    ) throws(JSONFormatFailure) -> Range<Int> {
        let start = array.range.lowerBound
        var end = start
        // Each element has two quotes and a comma or bracket: writing never overtakes reading.
        for (index, element) in elements.enumerated() {
            let text = try decodeInPlace(element, in: document)
            if index > 0 {
                document[end] = separator
                end += 1
            }
            for offset in text {
                document[end] = document[offset]
                end += 1
            }
        }
        for index in end..<array.range.upperBound { document[index] = 0 }
        return start..<end
    }

    /// Whether a string's text begins so.
    package static func begins(
        with prefix: String, _ value: JSONValue, in document: RawSpan
    ) throws(JSONFormatFailure) -> Bool {
        guard value.kind == .string else { return false }
        var decoder = Decoder(offset: value.range.lowerBound + 1)
        var wanted = Array(prefix.utf8)[...]
        while !wanted.isEmpty, let piece = try decoder.next(in: document) {
            for index in 0..<piece.count where !wanted.isEmpty {
                let byte = UInt8(truncatingIfNeeded: piece.bytes >> (8 * UInt32(index)))
                guard wanted.popFirst() == byte else { return false }
            }
        }
        return wanted.isEmpty
    }

    /// A string's text as a String. For names and messages only, never for a secret.
    package static func publicText(
        _ value: JSONValue, in document: RawSpan
    ) throws(JSONFormatFailure) -> String? {
        guard value.kind == .string else { return nil }
        var text: [UInt8] = []
        var decoder = Decoder(offset: value.range.lowerBound + 1)
        while let piece = try decoder.next(in: document) {
            for index in 0..<piece.count {
                text.append(UInt8(truncatingIfNeeded: piece.bytes >> (8 * UInt32(index))))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Whether the quoted string in `range` has the text `name`.
    static func matches(
        _ name: String, _ range: Range<Int>, in document: RawSpan
    ) throws(JSONFormatFailure) -> Bool {
        var decoder = Decoder(offset: range.lowerBound + 1)
        var wanted = name.utf8.makeIterator()
        while let piece = try decoder.next(in: document) {
            for index in 0..<piece.count {
                let byte = UInt8(truncatingIfNeeded: piece.bytes >> (8 * UInt32(index)))
                guard wanted.next() == byte else { return false }
            }
        }
        return wanted.next() == nil
    }
}
