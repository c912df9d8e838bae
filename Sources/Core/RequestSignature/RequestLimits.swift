// SPDX-License-Identifier: Apache-2.0

/// How much of a request is looked at. S3 itself allows keys of 1,024 bytes (3,072 encoded) and
/// 8 KB of header fields; a session token in a query takes some thousand bytes more.
package enum RequestLimits {
    /// Path and query as they stand in the request line.
    package static let targetBytesMax = 16 << 10
    package static let queryItemCountMax = 128
    package static let fieldCountMax = 128
    /// Names and values of all header fields together.
    package static let fieldBytesMax = 32 << 10
    package static let accessKeyIDBytesMax = 128
    /// Of a secret access key. Amazon's have 40.
    package static let secretBytesMax = 256
    /// How far a request's time may be from ours, either way.
    package static let skewSecondsMax: Int64 = 15 * 60
    /// `X-Amz-Expires`: from one second to a week.
    package static let expirySeconds: ClosedRange<Int64> = 1...604_800
}

/// How much of a chunked body is accepted.
package struct ChunkedBodyLimits: Sendable, Equatable {
    /// Length of a chunk that carries a signature: all of it is kept until the signature was
    /// checked.
    package var signedChunkBytesMax: Int

    package init(signedChunkBytesMax: Int = 1 << 20) {
        self.signedChunkBytesMax = signedChunkBytesMax
    }

    /// S3's own: only the last chunk may be shorter.
    package static let chunkBytesMin = 8192
    /// S3's own, of one request: 5 GiB.
    package static let decodedBytesMax = 5 << 30
    /// A chunk's size, extension and line end.
    package static let headBytesMax = 128
    /// One line of the trailer, line end included.
    package static let trailerLineBytesMax = 512
    /// Digits of a chunk's size.
    package static let sizeDigitsMax = 12
    /// Empty lines that some clients put before the trailer's signature.
    package static let emptyLinesMax = 2
}

/// How much of a body whose bytes carry no signature of their own is kept back until what is
/// known of the whole was checked: the part without which no object comes to be.
package enum BodyPiece {
    package static let byteCount = 64 << 10
}
