// SPDX-License-Identifier: Apache-2.0

/// DNS queries and answers (RFC 1035, section 4; AAAA: RFC 3596).
enum DNSMessage {
    enum RecordType: UInt16 {
        case address4 = 1
        case alias = 5
        case address6 = 28
    }

    /// What a server said.
    enum Answer: Equatable {
        /// Addresses, 4 or 16 bytes each; empty: the name has none of this type.
        case addresses([[UInt8]])
        case noSuchName
        /// Too long for a datagram: ask again over TCP.
        case truncated
        /// The server could not or would not answer.
        case serverFailure(code: UInt8)
    }

    /// A query for one name; nil when the name does not fit DNS.
    static func query(identifier: UInt16, name: String, type: RecordType) -> [UInt8]? {
        var bytes: [UInt8] = []
        append(identifier, to: &bytes)
        append(0x0100, to: &bytes)  // recursion desired
        for count: UInt16 in [1, 0, 0, 0] { append(count, to: &bytes) }
        guard name.utf8.count <= 253, !name.isEmpty else { return nil }
        for label in name.utf8.split(
            separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        {
            guard (1...63).contains(label.count) else { return nil }
            bytes.append(UInt8(label.count))
            bytes.append(contentsOf: label)
        }
        bytes.append(0)
        append(type.rawValue, to: &bytes)
        append(1, to: &bytes)  // class IN
        return bytes
    }

    /// Reads the answer to `query`; nil when it is not one (another identifier or question, or
    /// malformed), which a spoofer may send at will.
    static func answer(_ bytes: [UInt8], to query: [UInt8]) -> Answer? {
        var reader = DNSReader(bytes)
        guard let identifier = reader.word(), let flags = reader.word(),
            let questions = reader.word(), let answers = reader.word(),
            reader.word() != nil, reader.word() != nil,
            identifier == UInt16(query[0]) << 8 | UInt16(query[1]),
            flags & 0x8000 != 0, flags & 0x7800 == 0, questions == 1,
            reader.matchesQuestion(of: query)
        else { return nil }
        if flags & 0x0200 != 0 { return .truncated }
        switch flags & 0xF {
        case 0: break
        case 3: return .noSuchName
        default: return .serverFailure(code: UInt8(flags & 0xF))
        }
        let wanted = UInt16(query[query.count - 4]) << 8 | UInt16(query[query.count - 3])
        var found: [[UInt8]] = []
        for _ in 0..<answers {
            // Aliases lead to the records that follow them; a recursive server gives the chain.
            guard reader.skipName(), let type = reader.word(), let recordClass = reader.word(),
                reader.word() != nil, reader.word() != nil, let length = reader.word(),
                let data = reader.take(Int(length))
            else { return nil }
            guard type == wanted, recordClass == 1 else { continue }
            guard data.count == (wanted == RecordType.address4.rawValue ? 4 : 16) else {
                return nil
            }
            found.append(data)
        }
        return .addresses(found)
    }

    private static func append(_ value: UInt16, to bytes: inout [UInt8]) {
        bytes.append(UInt8(value >> 8))
        bytes.append(UInt8(truncatingIfNeeded: value))
    }
}

/// Walks a message; every step is bounds-checked.
private struct DNSReader {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func word() -> UInt16? {
        guard let pair = take(2) else { return nil }
        return UInt16(pair[0]) << 8 | UInt16(pair[1])
    }

    mutating func take(_ count: Int) -> [UInt8]? {
        guard count <= bytes.count - offset else { return nil }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    /// The question must be ours, letter case aside.
    mutating func matchesQuestion(of query: [UInt8]) -> Bool {
        let question = query.dropFirst(12)
        guard let echoed = take(question.count) else { return false }
        return zip(echoed, question).allSatisfy { Self.lower($0) == Self.lower($1) }
    }

    private static func lower(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    /// Labels up to the root or a pointer.
    mutating func skipName() -> Bool {
        while offset < bytes.count {
            let length = bytes[offset]
            switch length {
            case 0:
                offset += 1
                return true
            case 0xC0...:
                offset += 2
                return offset <= bytes.count
            case 1...63: offset += 1 + Int(length)
            default: return false
            }
        }
        return false
    }
}
