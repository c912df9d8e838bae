// SPDX-License-Identifier: Apache-2.0

/// FNV-1a, 64 bits: the same on every machine and in every run. No digest: who wants to find two
/// texts with one hash, finds them.
package enum StableHash {
    package static func value(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    /// In 16 digits.
    package static func text(_ text: String) -> String {
        let digits = String(value(text), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
