// SPDX-License-Identifier: Apache-2.0

/// One pass over the bytes of a document. Every access is bounds-checked by RawSpan.
struct JSONReader {
    /// Of the next byte.
    private var offset: Int

    init(from offset: Int = 0) { self.offset = offset }

    mutating func document(in bytes: RawSpan) throws(JSONFormatFailure) -> JSONValue {
        skipSpace(in: bytes)
        let root = try value(depth: 0, in: bytes)
        skipSpace(in: bytes)
        guard offset == bytes.byteCount else { throw .syntax(offset: offset) }
        return root
    }

    /// From the `{` of an object: the member called `name`.
    mutating func member(named name: String, in bytes: RawSpan) throws(JSONFormatFailure)
        -> JSONValue?
    {
        try expect(UInt8(ascii: "{"), in: bytes)
        skipSpace(in: bytes)
        if take(UInt8(ascii: "}"), in: bytes) { return nil }
        var found: JSONValue?
        repeat {
            skipSpace(in: bytes)
            let start = offset
            try string(in: bytes)
            let isWanted = try JSONText.matches(name, start..<offset, in: bytes)
            skipSpace(in: bytes)
            try expect(UInt8(ascii: ":"), in: bytes)
            skipSpace(in: bytes)
            let member = try value(depth: 0, in: bytes)
            if isWanted {
                guard found == nil else { throw .duplicateName(offset: start) }
                found = member
            }
            skipSpace(in: bytes)
        } while take(UInt8(ascii: ","), in: bytes)
        try expect(UInt8(ascii: "}"), in: bytes)
        return found
    }

    /// From the `{` of an object: its members, in their order; nil: more than `max`.
    mutating func members(
        max: Int, in bytes: RawSpan
    ) throws(JSONFormatFailure) -> [JSONMember]? {
        try expect(UInt8(ascii: "{"), in: bytes)
        skipSpace(in: bytes)
        if take(UInt8(ascii: "}"), in: bytes) { return [] }
        var found: [JSONMember] = []
        repeat {
            skipSpace(in: bytes)
            let start = offset
            try string(in: bytes)
            let name = JSONValue(kind: .string, range: start..<offset)
            skipSpace(in: bytes)
            try expect(UInt8(ascii: ":"), in: bytes)
            skipSpace(in: bytes)
            guard found.count < max else { return nil }
            found.append(JSONMember(name: name, value: try value(depth: 0, in: bytes)))
            skipSpace(in: bytes)
        } while take(UInt8(ascii: ","), in: bytes)
        try expect(UInt8(ascii: "}"), in: bytes)
        return found
    }

    /// From the `[` of an array: its elements; nil: more than `max`.
    mutating func elements(
        max: Int, in bytes: RawSpan
    ) throws(JSONFormatFailure) -> [JSONValue]? {
        try expect(UInt8(ascii: "["), in: bytes)
        skipSpace(in: bytes)
        if take(UInt8(ascii: "]"), in: bytes) { return [] }
        var found: [JSONValue] = []
        repeat {
            skipSpace(in: bytes)
            guard found.count < max else { return nil }
            found.append(try value(depth: 0, in: bytes))
            skipSpace(in: bytes)
        } while take(UInt8(ascii: ","), in: bytes)
        try expect(UInt8(ascii: "]"), in: bytes)
        return found
    }

    // MARK: - Values

    private mutating func value(depth: Int, in bytes: RawSpan) throws(JSONFormatFailure)
        -> JSONValue
    {
        let start = offset
        let kind: JSONValue.Kind
        switch peek(in: bytes) {
        case UInt8(ascii: "{"):
            try object(depth: depth, in: bytes)
            kind = .object
        case UInt8(ascii: "["):
            try array(depth: depth, in: bytes)
            kind = .array
        case UInt8(ascii: "\""):
            try string(in: bytes)
            kind = .string
        case UInt8(ascii: "t"):
            try literal("true", in: bytes)
            kind = .bool
        case UInt8(ascii: "f"):
            try literal("false", in: bytes)
            kind = .bool
        case UInt8(ascii: "n"):
            try literal("null", in: bytes)
            kind = .null
        default:
            try number(in: bytes)
            kind = .number
        }
        return JSONValue(kind: kind, range: start..<offset)
    }

    private mutating func object(depth: Int, in bytes: RawSpan) throws(JSONFormatFailure) {
        guard depth < JSONFormat.depthMax else { throw .tooDeep(limit: JSONFormat.depthMax) }
        try expect(UInt8(ascii: "{"), in: bytes)
        skipSpace(in: bytes)
        if take(UInt8(ascii: "}"), in: bytes) { return }
        repeat {
            skipSpace(in: bytes)
            try string(in: bytes)
            skipSpace(in: bytes)
            try expect(UInt8(ascii: ":"), in: bytes)
            skipSpace(in: bytes)
            _ = try value(depth: depth + 1, in: bytes)
            skipSpace(in: bytes)
        } while take(UInt8(ascii: ","), in: bytes)
        try expect(UInt8(ascii: "}"), in: bytes)
    }

    private mutating func array(depth: Int, in bytes: RawSpan) throws(JSONFormatFailure) {
        guard depth < JSONFormat.depthMax else { throw .tooDeep(limit: JSONFormat.depthMax) }
        try expect(UInt8(ascii: "["), in: bytes)
        skipSpace(in: bytes)
        if take(UInt8(ascii: "]"), in: bytes) { return }
        repeat {
            skipSpace(in: bytes)
            _ = try value(depth: depth + 1, in: bytes)
            skipSpace(in: bytes)
        } while take(UInt8(ascii: ","), in: bytes)
        try expect(UInt8(ascii: "]"), in: bytes)
    }

    private mutating func string(in bytes: RawSpan) throws(JSONFormatFailure) {
        try expect(UInt8(ascii: "\""), in: bytes)
        var decoder = JSONText.Decoder(offset: offset)
        while try decoder.next(in: bytes) != nil {}
        offset = decoder.offset
        try expect(UInt8(ascii: "\""), in: bytes)
    }

    private mutating func literal(_ text: StaticString, in bytes: RawSpan) throws(JSONFormatFailure)
    {
        for index in 0..<text.utf8CodeUnitCount { try expect(text.utf8Start[index], in: bytes) }
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    private mutating func number(in bytes: RawSpan) throws(JSONFormatFailure) {
        _ = take(UInt8(ascii: "-"), in: bytes)
        if !take(UInt8(ascii: "0"), in: bytes) { try digits(in: bytes) }
        if take(UInt8(ascii: "."), in: bytes) { try digits(in: bytes) }
        if take(UInt8(ascii: "e"), in: bytes) || take(UInt8(ascii: "E"), in: bytes) {
            if !take(UInt8(ascii: "+"), in: bytes) { _ = take(UInt8(ascii: "-"), in: bytes) }
            try digits(in: bytes)
        }
    }

    private mutating func digits(in bytes: RawSpan) throws(JSONFormatFailure) {
        let start = offset
        while let byte = peek(in: bytes), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            offset += 1
        }
        guard offset > start else { throw .syntax(offset: offset) }
    }

    // MARK: - Bytes

    private func peek(in bytes: RawSpan) -> UInt8? {
        offset < bytes.byteCount ? bytes[byte: offset] : nil
    }

    private mutating func take(_ byte: UInt8, in bytes: RawSpan) -> Bool {
        guard peek(in: bytes) == byte else { return false }
        offset += 1
        return true
    }

    private mutating func expect(_ byte: UInt8, in bytes: RawSpan) throws(JSONFormatFailure) {
        guard take(byte, in: bytes) else { throw .syntax(offset: offset) }
    }

    private mutating func skipSpace(in bytes: RawSpan) {
        while let byte = peek(in: bytes),
            byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
        {
            offset += 1
        }
    }
}

extension RawSpan {
    /// One byte, bounds-checked.
    subscript(byte offset: Int) -> UInt8 {
        unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }
}
