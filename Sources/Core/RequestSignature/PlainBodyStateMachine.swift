// SPDX-License-Identifier: Apache-2.0
package import Checksums
private import KubernetesFormat

/// Checks a body without framing against the hash that was signed and the checksums that header
/// fields name. Data is released in pieces of `BodyPiece.byteCount`; the last one by `ended`
/// alone, when everything was checked.
package struct PlainBodyStateMachine: Sendable {
    package typealias Step = ChunkedBodyStateMachine.Step

    private let contentHash: [UInt8]?
    private let contentMD5: [UInt8]?
    private let expected: ExpectedChecksum?
    private var sha256: (any RunningDigest)?
    private var md5: (any RunningDigest)?
    private var checksum: RunningChecksum?
    private var piece: [UInt8] = []
    private var isReleased = false
    private var isOver = false

    static let md5Field = "content-md5"

    /// - Parameters:
    ///   - contentHash: of the whole body, 32 bytes; nil: `UNSIGNED-PAYLOAD`.
    ///   - head: may have one `x-amz-checksum-…` and a `content-md5`.
    package init(
        contentHash: [UInt8]?, of head: RequestHead, _ digests: any MessageDigests
    ) throws(BodyRefusal) {
        self.contentHash = contentHash
        sha256 = contentHash.map { _ in digests.begin(.sha256) }
        var named: [(ChecksumAlgorithm, String)] = []
        var texts: [String] = []
        for field in head.fields {
            if let algorithm = ChecksumAlgorithm(fieldName: field.name) {
                named.append((algorithm, field.value))
            }
            if field.name.lowercased() == Self.md5Field { texts.append(field.value) }
        }
        guard named.count <= 1, texts.count <= 1 else { throw .severalChecksums }
        expected = try named.first.map { named throws(BodyRefusal) in
            try ExpectedChecksum(named.0, base64: named.1)
        }
        checksum = named.first.map { RunningChecksum($0.0, digests) }
        contentMD5 = try texts.first.map { text throws(BodyRefusal) in
            guard let bytes = Base64.decoded(text), bytes.count == DigestAlgorithm.md5.byteCount
            else { throw .checksumMalformed(name: Self.md5Field) }
            return bytes
        }
        md5 = contentMD5.map { _ in digests.begin(.md5) }
    }

    /// Bytes that the piece under way takes, or the next one. Who gives as many spares a copy.
    package var roomByteCount: Int {
        piece.count < BodyPiece.byteCount ? BodyPiece.byteCount - piece.count : BodyPiece.byteCount
    }

    /// Takes a slice as it arrived, cut anywhere, from a byte on. One that is a piece, or the start
    /// of one, is kept as it is.
    package mutating func received(
        _ slice: [UInt8], from offset: Int
    ) throws(BodyRefusal) -> Step {
        guard !isOver else { throw .alreadyRefused }
        guard !isReleased else { return Step(consumed: 0, action: .release) }
        let count = min(BodyPiece.byteCount - piece.count, slice.count - offset)
        let taken = slice.span.bytes.extracting(offset..<offset + count)
        sha256?.update(taken)
        md5?.update(taken)
        checksum?.update(taken)
        if piece.isEmpty, count == slice.count {
            piece = slice
        } else if count > 0 {
            piece.append(contentsOf: slice[offset..<offset + count])
        }
        // A full piece is the last one unless more follows.
        isReleased = offset + count < slice.count
        return Step(consumed: count, action: isReleased ? .release : .read)
    }

    /// The body has no more bytes. When this returns, what is released is the last of a body that
    /// was checked as a whole. To be called when nothing is released.
    package mutating func ended() throws(BodyRefusal) {
        guard !isOver, !isReleased else { throw .alreadyRefused }
        isOver = true
        do throws(BodyRefusal) {
            try check()
        } catch {
            piece = []
            throw error
        }
        isReleased = true
    }

    /// Hands over what is released.
    package mutating func takeReleased() -> [UInt8] {
        guard isReleased else { return [] }
        isReleased = false
        defer { piece = [] }
        return piece
    }

    private func check() throws(BodyRefusal) {
        if let contentHash, let sha256 {
            let hash = sha256.finished(byteCount: DigestAlgorithm.sha256.byteCount)
            guard hash == contentHash else { throw .contentHashMismatch }
        }
        if let contentMD5, let md5 {
            let hash = md5.finished(byteCount: DigestAlgorithm.md5.byteCount)
            guard hash == contentMD5 else { throw .checksumMismatch(name: Self.md5Field) }
        }
        if let expected, let checksum { try expected.check(checksum) }
    }
}
