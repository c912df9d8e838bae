// SPDX-License-Identifier: Apache-2.0
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

    package func isValid(
        _ signature: [UInt8], of message: [UInt8], key name: CheckpointKey
    ) -> Bool {
        guard let bytes = keys[name], let key = Ed25519Key(publicKey: bytes) else { return false }
        return key.isValid(signature, of: message)
    }
}
