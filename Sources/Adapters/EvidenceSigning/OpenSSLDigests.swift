// SPDX-License-Identifier: Apache-2.0
import COpenSSL
internal import EvidencePackage

/// SHA-1 and SHA-256 by libcrypto.
package struct OpenSSLDigests: EvidenceDigests {
    package init() {}

    package func sha1(_ bytes: [UInt8]) -> [UInt8] {
        digest(bytes, byteCount: Int(SHA_DIGEST_LENGTH)) { SHA1($0, $1, $2) }
    }

    package func sha256(_ bytes: [UInt8]) -> [UInt8] {
        digest(bytes, byteCount: Int(SHA256_DIGEST_LENGTH)) { SHA256($0, $1, $2) }
    }

    private func digest(
        _ bytes: [UInt8], byteCount: Int,
        _ function: (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<UInt8>?)
            -> UnsafeMutablePointer<UInt8>?
    ) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: byteCount)
        guard function(bytes, bytes.count, &digest) != nil else {
            // Only a libcrypto without the function comes here.
            preconditionFailure("libcrypto cannot compute a digest")
        }
        return digest
    }
}
