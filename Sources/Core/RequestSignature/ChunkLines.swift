// SPDX-License-Identifier: Apache-2.0
internal import Checksums
private import KubernetesFormat

/// The line before a chunk's data: `SIZE` or `SIZE;chunk-signature=SIGNATURE`.
struct ChunkHead {
    let byteCount: Int
    /// nil: a chunk without one.
    let signature: Signature?

    static let extensionText = ";chunk-signature="

    /// - Parameter line: with its line end.
    init(_ line: [UInt8], isSigned: Bool) throws(BodyRefusal) {
        guard line.suffix(2) == [13, 10] else { throw .framingMalformed }
        let text = line.dropLast(2)
        let digits = text.prefix { $0 != UInt8(ascii: ";") }
        guard (1...ChunkedBodyLimits.sizeDigitsMax).contains(digits.count) else {
            throw .framingMalformed
        }
        var byteCount = 0
        for digit in digits {
            guard let value = Hexadecimal.value(digit) else { throw .framingMalformed }
            byteCount = byteCount << 4 | Int(value)
        }
        self.byteCount = byteCount
        let rest = text.dropFirst(digits.count)
        guard isSigned else {
            guard rest.isEmpty else { throw .framingMalformed }
            signature = nil
            return
        }
        guard rest.starts(with: Self.extensionText.utf8),
            let signature = Signature(
                String(
                    decoding: rest.dropFirst(Self.extensionText.utf8.count), as: UTF8.self))
        else { throw .framingMalformed }
        self.signature = signature
    }
}

/// The lines after the final chunk: one checksum, and its signature where chunks have one.
struct ChunkTrailer: Sendable {
    static let signatureName = "x-amz-trailer-signature"

    private let isSigned: Bool
    private let algorithm: ChecksumAlgorithm?
    private var value: String?
    private(set) var signature: Signature?
    private var emptyLines = 0

    init(_ payload: ChunkedPayload) {
        isSigned = payload.isSigned
        algorithm = payload.trailer
    }

    /// What the trailer's signature signs.
    var signedLines: [UInt8] {
        guard let algorithm, let value else { return [] }
        return Array("\(algorithm.fieldName):\(value)\n".utf8)
    }

    /// Takes a line; returns whether it was the last one.
    ///
    /// - Parameter line: with its line end, which may lack the carriage return.
    mutating func read(_ line: [UInt8]) throws(BodyRefusal) -> Bool {
        let text = line.dropLast(line.suffix(2) == [13, 10] ? 2 : 1)
        guard !text.isEmpty else { return try readEmptyLine() }
        guard let colon = text.firstIndex(of: UInt8(ascii: ":")),
            text.allSatisfy({ (0x20...0x7E).contains($0) }), signature == nil
        else { throw .trailerMalformed }
        let name = String(decoding: text[..<colon], as: UTF8.self).lowercased()
        let value = Self.trimmed(text[colon...].dropFirst())
        if name == Self.signatureName, isSigned {
            guard self.value != nil else { throw .trailerMissing }
            guard let signature = Signature(value) else { throw .trailerMalformed }
            self.signature = signature
        } else {
            guard name == algorithm?.fieldName, self.value == nil else { throw .trailerMalformed }
            self.value = value
        }
        return false
    }

    func check(_ checksum: RunningChecksum) throws(BodyRefusal) {
        try ExpectedChecksum(checksum.algorithm, base64: value ?? "").check(checksum)
    }

    private mutating func readEmptyLine() throws(BodyRefusal) -> Bool {
        guard isSigned, signature == nil else {
            guard value != nil else { throw .trailerMissing }
            return true
        }
        emptyLines += 1
        guard emptyLines <= ChunkedBodyLimits.emptyLinesMax else { throw .trailerMissing }
        return false
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> String {
        let start = text.drop { $0 == 0x20 }
        let end = start.lastIndex { $0 != 0x20 }.map { $0 + 1 } ?? start.startIndex
        return String(decoding: start[..<end], as: UTF8.self)
    }
}

/// A checksum that a client named.
struct ExpectedChecksum: Sendable {
    private let algorithm: ChecksumAlgorithm
    private let bytes: [UInt8]

    init(_ algorithm: ChecksumAlgorithm, base64 text: String) throws(BodyRefusal) {
        guard let bytes = Base64.decoded(text), bytes.count == algorithm.byteCount else {
            throw .checksumMalformed(name: algorithm.name)
        }
        self.algorithm = algorithm
        self.bytes = bytes
    }

    func check(_ checksum: RunningChecksum) throws(BodyRefusal) {
        guard checksum.finished() == bytes else {
            throw .checksumMismatch(name: algorithm.name)
        }
    }
}
