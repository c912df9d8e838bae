// SPDX-License-Identifier: Apache-2.0
package import Destinations

/// What an enrolled wrapper asks for before it hands values over: that what its processes write and
/// send is scanned for them.
///
///     scan 2 3a5f10002010 1568 1\n     address and bytes of the leak index, number of rules
///     allow 0 10.0.0.5/32 5432\n       position of the value or *, network, port (0: any)
///                                      then the 8192 bytes of the index's bitmap
///     scanning 2 17\n                  number of the enrolment
///     refused 2 unregistered\n         why, one word
///
/// A later request of the same wrapper takes the place of the former one.
package struct ScanRequest: Sendable, Equatable {
    /// Bits of the bitmap, one for each hash, in bytes.
    package static let bitmapBytes = 8192
    /// An index begins at a multiple of this (bytes).
    package static let alignmentBytes: UInt64 = 16
    /// Smallest and largest index (bytes): 32 and 24 for each of 16 to 4096 slots.
    package static let lengthMin = 416
    package static let lengthMax = 98_336
    /// User addresses end before this (bytes; x86-64 and arm64 with 48 bits).
    package static let addressEnd: UInt64 = 1 << 47
    /// Most bytes of a whole request.
    package static let byteCountMax =
        Registration.lineBytesMax * (1 + DestinationRule.countMax) + bitmapBytes

    /// Of the index in every image of the workload that has one.
    package let address: UInt64
    /// Of the index (bytes).
    package let length: Int
    package let rules: [DestinationRule]
    package let bitmap: [UInt8]

    package enum Refusal: Error, Sendable, Equatable {
        case address, length, rules, bitmap
    }

    /// - Throws: what no agent takes.
    package init(
        address: UInt64, length: Int, rules: [DestinationRule], bitmap: [UInt8]
    ) throws(Refusal) {
        guard (Self.lengthMin...Self.lengthMax).contains(length) else { throw .length }
        guard address > 0, address % Self.alignmentBytes == 0,
            address <= Self.addressEnd - UInt64(length)
        else { throw .address }
        guard rules.count <= DestinationRule.countMax else { throw .rules }
        guard bitmap.count == Self.bitmapBytes else { throw .bitmap }
        self.address = address
        self.length = length
        self.rules = rules
        self.bitmap = bitmap
    }

    package var bytes: [UInt8] {
        let address = String(address, radix: 16)
        let head = "scan \(Registration.version) \(address) \(length) \(rules.count)\n"
        return Array((head + rules.map(Self.line).joined()).utf8) + bitmap
    }

    private static func line(_ rule: DestinationRule) -> String {
        let secret = rule.secret.map(String.init) ?? "*"
        return "allow \(secret) \(rule.network.text) \(rule.port ?? 0)\n"
    }

    // MARK: - Reading

    struct Head {
        let address: UInt64
        let length: Int
        let ruleCount: Int

        /// - Parameter words: of the line, from the version's number on.
        init?(_ words: ArraySlice<Substring>) {
            let words = Array(words)
            guard words.count == 4, let address = ScanRequest.address(words[1]),
                let length = Decimal.number(words[2], max: ScanRequest.lengthMax),
                let ruleCount = Decimal.number(words[3], max: DestinationRule.countMax)
            else { return nil }
            self.address = address
            self.length = length
            self.ruleCount = ruleCount
        }
    }

    private static func address(_ text: Substring) -> UInt64? {
        guard let address = UInt64(text, radix: 16), text == String(address, radix: 16) else {
            return nil
        }
        return address
    }

    static func rule(_ line: String) -> DestinationRule? {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 4, words[0] == "allow",
            let port = Decimal.number(words[3], max: DestinationRule.portMax)
        else { return nil }
        var secret: Int?
        if words[1] != "*" {
            secret = Decimal.number(words[1], max: DestinationRule.secretMax)
            guard secret != nil else { return nil }
        }
        guard words[2].contains("/") else { return nil }
        do throws(NetworkPrefix.Failure) {
            return DestinationRule(
                secret: secret, network: try NetworkPrefix(String(words[2])), port: UInt16(port))
        } catch { return nil }
    }
}

/// What a wrapper may ask of an agent.
package enum AgentRequest: Sendable, Equatable {
    case register
    case scan(ScanRequest)

    /// Most bytes of a request.
    package static let byteCountMax = ScanRequest.byteCountMax

    package enum Reading: Sendable, Equatable {
        /// As far as it goes; more is to come.
        case incomplete
        case complete(AgentRequest)
        case refused(Registration.Refusal)
    }

    /// Reads what has come so far. Nothing may come behind a request.
    package static func read(_ bytes: some RandomAccessCollection<UInt8>) -> Reading {
        var reader = LineReader(bytes)
        switch reader.next() {
        case .incomplete: return .incomplete
        case .tooLong: return .refused(.malformed)
        case .line(let line): return read(line, &reader)
        }
    }

    private static func read(
        _ line: String, _ reader: inout LineReader<some RandomAccessCollection<UInt8>>
    ) -> Reading {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard words.first == "scan" else {
            if let refusal = Registration.accept(line) { return .refused(refusal) }
            return reader.rest.isEmpty ? .complete(.register) : .refused(.malformed)
        }
        guard words.count > 1, let version = Decimal.number(words[1], max: .max) else {
            return .refused(.malformed)
        }
        guard version == Registration.version else { return .refused(.version) }
        guard let head = ScanRequest.Head(words.dropFirst()) else { return .refused(.malformed) }
        var rules: [DestinationRule] = []
        while rules.count < head.ruleCount {
            switch reader.next() {
            case .incomplete: return .incomplete
            case .tooLong: return .refused(.malformed)
            case .line(let line):
                guard let rule = ScanRequest.rule(line) else { return .refused(.malformed) }
                rules.append(rule)
            }
        }
        let bitmap = reader.rest
        guard bitmap.count >= ScanRequest.bitmapBytes else { return .incomplete }
        do throws(ScanRequest.Refusal) {
            return .complete(
                .scan(
                    try ScanRequest(
                        address: head.address, length: head.length, rules: rules,
                        bitmap: Array(bitmap))))
        } catch { return .refused(.malformed) }
    }
}

/// Takes lines off the front of bytes.
private struct LineReader<Bytes: RandomAccessCollection<UInt8>> {
    enum Next {
        case incomplete, tooLong
        case line(String)
    }

    private(set) var rest: Bytes.SubSequence

    init(_ bytes: Bytes) { rest = bytes[...] }

    mutating func next() -> Next {
        let front = rest.prefix(Registration.lineBytesMax)
        guard let end = front.firstIndex(of: UInt8(ascii: "\n")) else {
            return front.count < Registration.lineBytesMax ? .incomplete : .tooLong
        }
        defer { rest = rest[rest.index(after: end)...] }
        return .line(String(decoding: rest[..<end], as: UTF8.self))
    }
}
