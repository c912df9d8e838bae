// SPDX-License-Identifier: Apache-2.0
import COpenSSL
package import EnforcementEvents

/// Verifies checkpoints with the public keys that it was given, and no others.
package struct TrustedCheckpointKeys: CheckpointVerifier {
    private let keys: [CheckpointKey: [UInt8]]

    /// - Parameter publicKeys: Ed25519 keys of 32 bytes; others verify nothing.
    package init(publicKeys: [[UInt8]]) {
        var keys: [CheckpointKey: [UInt8]] = [:]
        for bytes in publicKeys where bytes.count == Ed25519Key.publicBytes {
            if let name = Ed25519Key.name(ofPublicKey: bytes) { keys[name] = bytes }
        }
        self.keys = keys
    }

    package var names: [CheckpointKey] { Array(keys.keys) }

    package func isValid(
        _ signature: [UInt8], of message: [UInt8], key name: CheckpointKey
    ) -> Bool {
        guard let bytes = keys[name], let key = Ed25519Key(publicKey: bytes) else { return false }
        return key.isValid(signature, of: message)
    }
}

extension TrustedCheckpointKeys {
    /// A file of a public key is a line or a short PEM block.
    package static let fileBytesMax = 16 << 10

    /// The 32 bytes of an Ed25519 public key, nil when the file holds none: PEM (`BEGIN PUBLIC
    /// KEY`), or 64 hexadecimal digits, or Base64 as a vault's transit engine exports it.
    package static func publicKey(ofFile bytes: [UInt8]) -> [UInt8]? {
        guard bytes.count <= fileBytesMax else { return nil }
        let isSpace: (UInt8) -> Bool = { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
        let trimmed = Array(bytes.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
        let base64Characters = 4 * ((Ed25519Key.publicBytes + 2) / 3)
        switch trimmed.count {
        case 2 * Ed25519Key.publicBytes: return EventHash(hexadecimal: trimmed)?.bytes
        case base64Characters: return base64(trimmed)
        default: return pem(bytes)
        }
    }

    private static func pem(_ bytes: [UInt8]) -> [UInt8]? {
        guard let reader = BIO_new_mem_buf(bytes, Int32(bytes.count)) else { return nil }
        defer { BIO_free(reader) }
        let key = Ed25519Key(owning: PEM_read_bio_PUBKEY(reader, nil, { _, _, _, _ in 0 }, nil))
        ERR_clear_error()
        return key?.publicKey
    }

    private static func base64(_ text: [UInt8]) -> [UInt8]? {
        var decoded = [UInt8](repeating: 0, count: text.count / 4 * 3)
        let count = EVP_DecodeBlock(&decoded, text, Int32(text.count))
        ERR_clear_error()
        // The padding is decoded as zeros.
        let padding = text.suffix(2).count { $0 == UInt8(ascii: "=") }
        guard count == decoded.count, decoded.count - padding == Ed25519Key.publicBytes else {
            return nil
        }
        return Array(decoded.prefix(Ed25519Key.publicBytes))
    }
}

/// Takes every signature for valid: for whoever reads a log without the key. What is found then
/// says nothing about signatures.
package struct UncheckedSignatures: CheckpointVerifier {
    package init() {}

    package func isValid(
        _ signature: [UInt8], of message: [UInt8], key: CheckpointKey
    ) -> Bool { true }
}
