// SPDX-License-Identifier: Apache-2.0
internal import ImageFormat

/// Four times FNV-1a over different beginnings: 32 bytes that differ with the content, as long as
/// nobody means to find two alike. The simulator has no SHA-256.
package struct SimulatedHasher: ContentHasher {
    package init() {}

    package func sha256(_ bytes: [UInt8]) -> [UInt8] {
        (0..<4 as Range<UInt64>).flatMap { beginning -> [UInt8] in
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ beginning
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            return (0..<8).map { UInt8(truncatingIfNeeded: hash >> ($0 * 8)) }
        }
    }
}
