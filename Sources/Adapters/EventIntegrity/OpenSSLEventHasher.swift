// SPDX-License-Identifier: Apache-2.0
import COpenSSL
package import EnforcementEvents

/// SHA-256 by libcrypto.
package struct OpenSSLEventHasher: EventHasher {
    package init() {}

    package func sha256(_ bytes: [UInt8]) -> EventHash {
        var digest = [UInt8](repeating: 0, count: EventHash.byteCount)
        let made = bytes.withUnsafeBytes { SHA256($0.baseAddress, $0.count, &digest) }
        guard made != nil, let hash = EventHash(digest) else {
            // Only a libcrypto without SHA-256 comes here.
            preconditionFailure("libcrypto cannot compute SHA-256")
        }
        return hash
    }
}
