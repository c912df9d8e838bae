// SPDX-License-Identifier: Apache-2.0

/// Computes SHA-256 (FIPS 180-4), which no part of the standard library does.
package protocol ContentHasher: Sendable {
    /// - Returns: 32 bytes.
    func sha256(_ bytes: [UInt8]) -> [UInt8]
}

/// Names content by its SHA-256: `sha256:` and 64 digits
/// (https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests).
package struct ImageDigest: Sendable, Hashable, CustomStringConvertible {
    /// Lower case, as the specification wants it.
    package let digits: String

    static let algorithm = "sha256"
    static let digitCount = 64

    /// nil: another algorithm, or none that the specification knows.
    package init?(_ text: some StringProtocol) {
        let prefix = Self.algorithm + ":"
        guard text.hasPrefix(prefix) else { return nil }
        let digits = text.dropFirst(prefix.count)
        guard digits.utf8.count == Self.digitCount,
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        self.digits = String(digits)
    }

    package init(of content: [UInt8], _ hasher: any ContentHasher) {
        let alphabet = Array("0123456789abcdef".unicodeScalars)
        var digits = ""
        for byte in hasher.sha256(content) {
            digits.unicodeScalars.append(alphabet[Int(byte >> 4)])
            digits.unicodeScalars.append(alphabet[Int(byte & 15)])
        }
        self.digits = digits
    }

    package var description: String { Self.algorithm + ":" + digits }
}
