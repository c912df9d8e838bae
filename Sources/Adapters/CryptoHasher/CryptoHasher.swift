// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import ImageFormat

/// SHA-256 by swift-crypto.
package struct CryptoHasher: ContentHasher {
    package init() {}

    package func sha256(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }
}
