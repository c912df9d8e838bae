// SPDX-License-Identifier: Apache-2.0

/// Transit keys that sign. There is no cryptography here: whoever adds a key makes its signatures.
extension SimulatedVault {
    /// An Ed25519 key in its first version.
    package struct SigningKey: Sendable {
        /// 32 bytes (RFC 8032).
        package let publicKey: [UInt8]
        /// The 64 bytes of a signature; nil: it could not be made.
        package let signature: @Sendable ([UInt8]) -> [UInt8]?

        package init(
            publicKey: [UInt8], signature: @escaping @Sendable ([UInt8]) -> [UInt8]?
        ) {
            self.publicKey = publicKey
            self.signature = signature
        }
    }

    private static let firstVersion = 1

    /// Adds a key to an engine, which is mounted as transit when there is none.
    package mutating func addSigningKey(
        _ key: SigningKey, mount: String, name: String, namespace: String = ""
    ) {
        if namespaces[namespace]?.mounts[mount] == nil {
            self.mount(.transit([:]), at: mount, namespace: namespace)
        }
        signingKeys["\(namespace)/\(mount)/\(name)"] = key
    }

    func signed(_ message: [UInt8], with key: SigningKey?) throws(Refusal) -> Answer {
        guard let key else { throw .badRequest("signing key not found") }
        guard let signature = key.signature(message) else {
            throw .badRequest("the key made no signature")
        }
        let text = SimulatedBase64.encoded(signature)
        return Answer(
            data: .object([
                ("key_version", .number(String(Self.firstVersion))),
                ("signature", .string("vault:v\(Self.firstVersion):\(text)")),
            ]))
    }

    /// A read of `<transit>/keys/<key>`: what verifies the key's signatures. Of keys that encrypt
    /// nothing is told.
    func exportedKey(
        _ rest: String, mount: String, in namespace: String
    ) throws(Refusal) -> Answer {
        let parts = rest.split(separator: "/").map(String.init)
        guard parts.count == 2, parts[0] == "keys" else { throw .operationUnsupported }
        guard let key = signingKeys["\(namespace)/\(mount)/\(parts[1])"] else {
            throw .nothingThere
        }
        let version = SimulatedJSON.object([
            ("name", .string("ed25519")),
            ("public_key", .string(SimulatedBase64.encoded(key.publicKey))),
        ])
        return Answer(
            data: .object([
                ("keys", .object([(String(Self.firstVersion), version)])),
                ("latest_version", .number(String(Self.firstVersion))),
                ("type", .string("ed25519")),
            ]))
    }
}
