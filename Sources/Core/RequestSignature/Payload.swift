// SPDX-License-Identifier: Apache-2.0
package import Checksums

/// A body in `aws-chunked` framing.
package struct ChunkedPayload: Sendable, Equatable {
    /// Whether each chunk carries a signature.
    package let isSigned: Bool
    /// Length of the body without its framing: `x-amz-decoded-content-length`.
    package let decodedByteCount: Int
    /// The checksum that follows the last chunk: `x-amz-trailer`.
    package let trailer: ChecksumAlgorithm?

    /// - Parameters:
    ///   - decodedByteCount: 0 ... `ChunkedBodyLimits.decodedBytesMax`.
    ///   - trailer: nil only for signed chunks.
    package init(isSigned: Bool, decodedByteCount: Int, trailer: ChecksumAlgorithm?) {
        precondition(isSigned || trailer != nil, "chunks without signatures end with a checksum")
        self.isSigned = isSigned
        self.decodedByteCount = decodedByteCount
        self.trailer = trailer
    }
}

/// What a request says of its body in `x-amz-content-sha256`
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html).
package enum Payload: Sendable, Equatable {
    /// SHA-256 of the body, 32 bytes.
    case literal([UInt8])
    /// Nothing.
    case unsigned
    /// What follows is in chunks.
    case chunked(ChunkedPayload)

    static let contentField = "x-amz-content-sha256"
    static let decodedLengthField = "x-amz-decoded-content-length"
    static let trailerField = "x-amz-trailer"
    static let unsignedText = "UNSIGNED-PAYLOAD"
    static let signedChunksText = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    static let signedChunksTrailerText = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    static let unsignedChunksText = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    /// The value of `x-amz-content-sha256`.
    var text: String {
        switch self {
        case .literal(let hash):
            var digits: [UInt8] = []
            Hexadecimal.append(hash, to: &digits)
            return String(decoding: digits, as: UTF8.self)
        case .unsigned: return Self.unsignedText
        case .chunked(let payload):
            guard payload.isSigned else { return Self.unsignedChunksText }
            return payload.trailer == nil ? Self.signedChunksText : Self.signedChunksTrailerText
        }
    }

    init(_ text: String, _ fields: CanonicalFields) throws(SignatureRefusal) {
        switch text {
        case Self.unsignedText: self = .unsigned
        case Self.signedChunksText:
            guard fields.values[Self.trailerField] == nil else {
                throw .body(.trailerUnexpected)
            }
            self = .chunked(
                ChunkedPayload(
                    isSigned: true, decodedByteCount: try Self.decodedByteCount(fields),
                    trailer: nil))
        case Self.signedChunksTrailerText, Self.unsignedChunksText:
            self = .chunked(
                ChunkedPayload(
                    isSigned: text == Self.signedChunksTrailerText,
                    decodedByteCount: try Self.decodedByteCount(fields),
                    trailer: try Self.trailer(fields)))
        default:
            guard let hash = Hexadecimal.decoded(text.utf8, byteCount: Signature.byteCount) else {
                throw .contentHashMalformed
            }
            self = .literal(hash)
        }
    }

    private static func decodedByteCount(
        _ fields: CanonicalFields
    ) throws(SignatureRefusal) -> Int {
        guard let digits = fields.values[decodedLengthField] else {
            throw .body(.decodedLengthMissing)
        }
        guard !digits.isEmpty,
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { throw .body(.decodedLengthMalformed) }
        // More digits than Int holds is more than the limit.
        guard let count = Int(String(decoding: digits, as: UTF8.self)),
            count <= ChunkedBodyLimits.decodedBytesMax
        else { throw .body(.tooLarge(limitBytes: ChunkedBodyLimits.decodedBytesMax)) }
        return count
    }

    private static func trailer(
        _ fields: CanonicalFields
    ) throws(SignatureRefusal) -> ChecksumAlgorithm {
        guard let name = fields.values[trailerField] else { throw .body(.trailerUndeclared) }
        let algorithm = ChecksumAlgorithm(fieldName: String(decoding: name, as: UTF8.self))
        guard let algorithm else { throw .body(.trailerUnsupported) }
        return algorithm
    }
}
