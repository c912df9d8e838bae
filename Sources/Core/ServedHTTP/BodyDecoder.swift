// SPDX-License-Identifier: Apache-2.0

/// Finds a request's body in the bytes after its head, wherever they are cut apart. Nothing is
/// copied: it says which bytes belong to the body.
package struct BodyDecoder: Sendable {
    /// Size and extensions of one chunk. Extensions are let pass and mean nothing here
    /// (RFC 9112, section 7.1.1).
    package static let chunkLineBytesMax = 128
    /// Hexadecimal digits of a chunk's size: as many as fit `Int`.
    package static let chunkSizeDigitsMax = 15
    /// All trailers together. They are checked and dropped (RFC 9110, section 6.5.1).
    package static let trailerBytesMax = 8 << 10

    package enum Step: Equatable {
        /// These bytes are the body's next.
        case body(Range<Int>)
        /// All bytes are used up, and more belong to the body.
        case more
        /// The body is over. What follows belongs to the next request.
        case end
    }

    private enum State {
        /// So many bytes, and the body is over.
        case length(Int)
        case size(digits: Int, value: Int, lineBytes: Int)
        case extensions(value: Int, lineBytes: Int)
        case sizeLineFeed(value: Int)
        case chunk(Int)
        case chunkReturn, chunkLineFeed
        case trailer(TrailerPart)
        case over
    }

    private enum TrailerPart { case start, name, value, lineFeed, lastLineFeed }

    private var state: State
    private var trailerBytes = 0

    package init(_ length: RequestFraming.Length) {
        switch length {
        case .bytes(0): state = .over
        case .bytes(let count): state = .length(count)
        case .chunked: state = .size(digits: 0, value: 0, lineBytes: 0)
        }
    }

    package var isOver: Bool { if case .over = state { true } else { false } }

    /// Bytes of the body that are known to come; nil: it is sent in chunks.
    package var remainingBytes: Int? {
        switch state {
        case .length(let count): count
        case .over: 0
        default: nil
        }
    }

    /// - Parameters:
    ///   - offset: where the bytes begin that were not looked at; moves behind what was used up.
    ///   - most: bytes of the body that are wanted at once, at least 1.
    package mutating func next(
        in bytes: RawSpan, from offset: inout Int, upTo most: Int
    ) throws(RequestRefusal) -> Step {
        while true {
            switch state {
            case .over: return .end
            case .length(let count):
                guard let range = take(bytes, &offset, min(count, most)) else { return .more }
                state = range.count == count ? .over : .length(count - range.count)
                return .body(range)
            case .chunk(let count):
                guard let range = take(bytes, &offset, min(count, most)) else { return .more }
                state = range.count == count ? .chunkReturn : .chunk(count - range.count)
                return .body(range)
            default:
                guard offset < bytes.byteCount else { return .more }
                let byte = bytes[byte: offset]
                offset += 1
                try framing(byte)
            }
        }
    }

    private func take(_ bytes: RawSpan, _ offset: inout Int, _ most: Int) -> Range<Int>? {
        let count = min(most, bytes.byteCount - offset)
        guard count > 0 else { return nil }
        defer { offset += count }
        return offset..<(offset + count)
    }

    /// One byte that is none of the body's.
    private mutating func framing(_ byte: UInt8) throws(RequestRefusal) {
        switch state {
        case .size(let digits, let value, let lineBytes):
            try size(byte, digits: digits, value: value, lineBytes: lineBytes + 1)
        case .extensions(let value, let lineBytes):
            if byte == carriageReturn {
                state = .sizeLineFeed(value: value)
            } else {
                guard lineBytes < Self.chunkLineBytesMax else {
                    throw .chunkLineTooLong(limit: Self.chunkLineBytesMax)
                }
                guard isFieldByte(byte) else { throw .chunkMalformed }
                state = .extensions(value: value, lineBytes: lineBytes + 1)
            }
        case .sizeLineFeed(let value):
            guard byte == lineFeed else { throw .chunkMalformed }
            state = value == 0 ? .trailer(.start) : .chunk(value)
        case .chunkReturn:
            guard byte == carriageReturn else { throw .chunkMalformed }
            state = .chunkLineFeed
        case .chunkLineFeed:
            guard byte == lineFeed else { throw .chunkMalformed }
            state = .size(digits: 0, value: 0, lineBytes: 0)
        case .trailer(let part): try trailer(byte, part)
        case .length, .chunk, .over: break
        }
    }

    private mutating func size(
        _ byte: UInt8, digits: Int, value: Int, lineBytes: Int
    ) throws(RequestRefusal) {
        if let digit = Self.digit(byte) {
            guard digits < Self.chunkSizeDigitsMax else { throw .chunkMalformed }
            state = .size(digits: digits + 1, value: value << 4 | digit, lineBytes: lineBytes)
            return
        }
        guard digits > 0 else { throw .chunkMalformed }
        switch byte {
        case carriageReturn: state = .sizeLineFeed(value: value)
        case UInt8(ascii: ";"): state = .extensions(value: value, lineBytes: lineBytes)
        default: throw .chunkMalformed
        }
    }

    private static func digit(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte - UInt8(ascii: "A")) + 10
        default: nil
        }
    }

    private mutating func trailer(_ byte: UInt8, _ part: TrailerPart) throws(RequestRefusal) {
        trailerBytes += 1
        guard trailerBytes <= Self.trailerBytesMax else {
            throw .trailersTooLarge(limit: Self.trailerBytesMax)
        }
        switch part {
        case .start where byte == carriageReturn: state = .trailer(.lastLineFeed)
        case .start, .name:
            if part == .name, byte == UInt8(ascii: ":") {
                state = .trailer(.value)
            } else {
                guard isTokenByte(byte) else { throw .fieldMalformed }
                state = .trailer(.name)
            }
        case .value:
            if byte == carriageReturn {
                state = .trailer(.lineFeed)
            } else {
                guard isFieldByte(byte) else { throw .fieldMalformed }
            }
        case .lineFeed:
            guard byte == lineFeed else { throw .lineEndMalformed }
            state = .trailer(.start)
        case .lastLineFeed:
            guard byte == lineFeed else { throw .lineEndMalformed }
            state = .over
        }
    }
}
