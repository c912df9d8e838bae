// SPDX-License-Identifier: Apache-2.0

/// Hashes that documents are named and compared by; an adapter computes them.
package protocol EvidenceDigests: Sendable {
    /// 20 bytes. Names documents' parts (UUID version 5); nothing is protected by it.
    func sha1(_ bytes: [UInt8]) -> [UInt8]
    /// 32 bytes.
    func sha256(_ bytes: [UInt8]) -> [UInt8]
}

extension EvidenceDigests {
    /// 64 lower-case hexadecimal digits.
    package func sha256Text(_ bytes: [UInt8]) -> String { Hexadecimal.text(sha256(bytes)) }
}

enum Hexadecimal {
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    /// Whether `text` is 64 lower-case digits.
    static func isSHA256(_ text: String) -> Bool {
        text.utf8.count == 64 && isDigits(text)
    }

    /// Lower case only: one text for one value.
    static func isDigits(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }
}

/// UUIDs that a name decides (RFC 9562, version 5): the same catalogue gives the same ones.
struct NameUUIDs {
    /// The namespace of URLs (RFC 9562, section 6.6).
    private static let urls: [UInt8] = [
        0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30,
        0xc8,
    ]
    private static let root = "https://cloudtaser.io/oscal/"

    let digests: any EvidenceDigests

    /// - Parameter path: what the UUID names, from the kind to the id.
    func uuid(_ path: String...) -> String {
        uuid(url: Self.root + path.joined(separator: "/"))
    }

    func uuid(url: String) -> String {
        var bytes = Array(digests.sha1(Self.urls + Array(url.utf8)).prefix(16))
        guard bytes.count == 16 else { return "" }
        bytes[6] = bytes[6] & 0x0f | 0x50
        bytes[8] = bytes[8] & 0x3f | 0x80
        let text = Array(Hexadecimal.text(bytes))
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(text[$0]) }
            .joined(separator: "-")
    }
}
