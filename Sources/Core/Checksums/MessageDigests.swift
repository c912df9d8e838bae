// SPDX-License-Identifier: Apache-2.0

/// A message digest that S3 uses.
package enum DigestAlgorithm: Sendable, CaseIterable {
    /// FIPS 180-4.
    case sha256
    /// FIPS 180-4. Finds damage, not forgery.
    case sha1
    /// RFC 1321. Finds damage, not forgery.
    case md5

    /// Length of the digest.
    package var byteCount: Int {
        switch self {
        case .sha256: 32
        case .sha1: 20
        case .md5: 16
        }
    }
}

/// Computes message digests, which no part of the standard library does.
package protocol MessageDigests: Sendable {
    /// A digest of nothing so far.
    func begin(_ algorithm: DigestAlgorithm) -> any RunningDigest
}

/// A digest of what was given so far. Copies go on independently of each other.
package protocol RunningDigest: Sendable {
    mutating func update(_ bytes: RawSpan)

    /// Writes the digest of everything given so far to the first bytes of `digest`, which has at
    /// least the algorithm's length.
    func finish(into digest: UnsafeMutableRawBufferPointer)
}

extension RunningDigest {
    /// The digest as an array. Not for digests that are keys.
    ///
    /// - Parameter byteCount: the algorithm's length.
    package func finished(byteCount: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            finish(into: UnsafeMutableRawBufferPointer(buffer))
            count = byteCount
        }
    }
}

extension MessageDigests {
    /// The digest of `bytes`, in one go.
    package func digest(_ algorithm: DigestAlgorithm, of bytes: RawSpan) -> [UInt8] {
        var running = begin(algorithm)
        running.update(bytes)
        return running.finished(byteCount: algorithm.byteCount)
    }
}
