// SPDX-License-Identifier: Apache-2.0
package import Checksums
internal import Crypto
internal import Foundation
internal import ImageFormat

/// SHA-256, SHA-1 and MD5 by swift-crypto.
///
/// Where a digest is keyed (HMAC), swift-crypto has what it made of the key in its contexts, in
/// ordinary memory, and zeroes it when the last copy goes. The digest that `finish` takes from it
/// stands on the stack for a moment and is not zeroed there.
package struct CryptoHasher: ContentHasher {
    package init() {}

    package func sha256(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }
}

extension CryptoHasher: MessageDigests {
    package func begin(_ algorithm: DigestAlgorithm) -> any RunningDigest {
        switch algorithm {
        case .sha256: CryptoDigest(function: SHA256())
        case .sha1: CryptoDigest(function: Insecure.SHA1())
        case .md5: CryptoDigest(function: Insecure.MD5())
        }
    }
}

private struct CryptoDigest<Function: HashFunction & Sendable>: RunningDigest {
    var function: Function

    mutating func update(_ bytes: RawSpan) {
        bytes.withUnsafeBytes { function.update(bufferPointer: $0) }
    }

    func finish(into digest: UnsafeMutableRawBufferPointer) {
        function.finalize().withUnsafeBytes { digest.copyMemory(from: $0) }
    }
}
