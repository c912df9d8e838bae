// SPDX-License-Identifier: Apache-2.0

/// What a segment is: the first 16 bytes of its header, which its keys are derived with.
package struct SegmentIdentity: Sendable, Hashable {
    package enum Kind: UInt8, Sendable {
        /// A whole object.
        case object = 0
        /// One attempt at uploading one part of an object.
        case part = 1
        /// The table of an object's parts.
        case footer = 2
    }

    package let kind: Kind
    /// 1 ... 9,999 for a part, 0 for others.
    package let partNumber: Int

    package static let object = SegmentIdentity(kind: .object, partNumber: 0)
    package static let footer = SegmentIdentity(kind: .footer, partNumber: 0)

    private init(kind: Kind, partNumber: Int) {
        self.kind = kind
        self.partNumber = partNumber
    }

    /// nil: no part has this number.
    package static func part(_ number: Int) -> SegmentIdentity? {
        guard (1...SealedObjectLimits.partsMax).contains(number) else { return nil }
        return SegmentIdentity(kind: .part, partNumber: number)
    }

    /// For people.
    package var text: String {
        switch kind {
        case .object: "a whole object"
        case .part: "part \(partNumber)"
        case .footer: "a footer"
        }
    }

    static let magic: [UInt8] = [0x43, 0x54, 0x31, 0x00]
    static let version: UInt8 = 1
    static let suite: UInt8 = 1

    /// The 16 bytes.
    package var prefix: [UInt8] {
        var bytes = Self.magic
        bytes.reserveCapacity(SealedObjectLimits.headerBytes)
        bytes += [
            Self.version, Self.suite, UInt8(SealedObjectLimits.chunkBytesLog2), kind.rawValue,
        ]
        bytes.append(bigEndian: UInt32(partNumber))
        bytes.append(bigEndian: UInt32(0))
        return bytes
    }

    /// - Parameter bytes: at least 16.
    fileprivate init(reading bytes: RawSpan) throws(SealedObjectFailure) {
        for (index, byte) in Self.magic.enumerated() {
            guard bytes[byte: index] == byte else { throw .notSealed }
        }
        guard bytes[byte: 4] == Self.version else { throw .versionUnknown(bytes[byte: 4]) }
        guard bytes[byte: 5] == Self.suite else { throw .suiteUnknown(bytes[byte: 5]) }
        guard bytes[byte: 6] == UInt8(SealedObjectLimits.chunkBytesLog2) else {
            throw .chunkSizeUnknown(log2: bytes[byte: 6])
        }
        guard let kind = Kind(rawValue: bytes[byte: 7]) else { throw .kindUnknown(bytes[byte: 7]) }
        let number = bytes.bigEndian(at: 8, UInt32.self)
        let numbers = kind == .part ? 1...SealedObjectLimits.partsMax : 0...0
        guard let partNumber = Int(exactly: number), numbers.contains(partNumber) else {
            throw .partNumberInvalid(number)
        }
        guard bytes.bigEndian(at: 12, UInt32.self) == 0 else { throw .reservedBytesUsed }
        self.init(kind: kind, partNumber: partNumber)
    }
}

/// The 80 bytes before a segment's chunks.
///
/// Shape: magic `CT1` and a zero, version 1, suite 1, log2 of the chunk size, kind, part number
/// (4 bytes, big-endian), 4 zeros, salt (32), commitment to the key (32).
package struct SegmentHeader: Sendable, Hashable {
    package let identity: SegmentIdentity
    /// Random, new for each segment that is sealed: keys of two segments are never the same.
    package let salt: Octets32
    /// Says which data key the segment was sealed with without telling anything about it.
    package let commitment: Octets32

    package init(identity: SegmentIdentity, salt: Octets32, commitment: Octets32) {
        self.identity = identity
        self.salt = salt
        self.commitment = commitment
    }

    /// - Parameter bytes: the header, and perhaps more.
    /// - Throws: what is wrong with a header; `truncated` when there are fewer than 80 bytes.
    package init(reading bytes: RawSpan) throws(SealedObjectFailure) {
        guard bytes.byteCount >= SealedObjectLimits.headerBytes else { throw .truncated }
        identity = try SegmentIdentity(reading: bytes)
        guard let salt = Octets32(bytes.extracting(16..<48)),
            let commitment = Octets32(bytes.extracting(48..<80))
        else { throw .truncated }
        self.salt = salt
        self.commitment = commitment
    }

    /// The 80 bytes.
    package var bytes: [UInt8] {
        var bytes = identity.prefix
        bytes.append(salt)
        bytes.append(commitment)
        return bytes
    }
}
