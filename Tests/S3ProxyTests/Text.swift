// SPDX-License-Identifier: Apache-2.0
import Checksums
import CryptoHasher

enum CryptoText {
    static func md5(_ bytes: [UInt8]) -> [UInt8] {
        CryptoHasher().digest(.md5, of: bytes.span.bytes)
    }

    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        CryptoHasher().digest(.sha256, of: bytes.span.bytes)
    }

    static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

enum Base64Text {
    static func encoded(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0...group.count { text.append(alphabet[bits >> (18 - 6 * place) & 63]) }
            text += String(repeating: "=", count: 3 - group.count)
        }
        return text
    }
}

extension [UInt8] {
    /// Whether a text's bytes stand in it somewhere.
    func contains(_ text: String) -> Bool {
        let wanted = Array(text.utf8)
        return indices.contains { self[$0...].starts(with: wanted) }
    }
}
