// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// Signs what an envelope holds.
package protocol StatementSigner {
    /// SHA-256 of the public key (SubjectPublicKeyInfo, DER), in hexadecimal.
    var keyID: String { get }
    /// Ed25519: the 64 bytes of RFC 8032. ECDSA P-256 over SHA-256: DER.
    func sign(_ message: [UInt8]) throws -> [UInt8]
}

/// Verifies with one public key.
package protocol StatementVerifier {
    var keyID: String { get }
    func isValid(_ signature: [UInt8], of message: [UInt8]) -> Bool
}

/// DSSE v1 (github.com/secure-systems-lab/dsse): a payload with signatures over its type and bytes.
package struct Envelope: Sendable, Equatable {
    package struct Signature: Sendable, Equatable {
        package let keyID: String
        package let bytes: [UInt8]

        package init(keyID: String, bytes: [UInt8]) {
            self.keyID = keyID
            self.bytes = bytes
        }
    }

    package static let payloadType = "application/vnd.in-toto+json"
    package static let signaturesMax = 16

    package let payload: [UInt8]
    package let signatures: [Signature]

    package init(payload: [UInt8], signatures: [Signature]) {
        self.payload = payload
        self.signatures = signatures
    }

    /// What is signed: the pre-authentication encoding.
    package static func encoded(_ payload: [UInt8], type: String = payloadType) -> [UInt8] {
        Array("DSSEv1 \(type.utf8.count) \(type) \(payload.count) ".utf8) + payload
    }

    package static func signed(
        _ payload: [UInt8], by signer: some StatementSigner
    ) throws -> Envelope {
        let signature = try signer.sign(encoded(payload))
        return Envelope(
            payload: payload, signatures: [Signature(keyID: signer.keyID, bytes: signature)])
    }

    package var text: String {
        let tree: JSONTree = [
            "payloadType": .string(Self.payloadType), "payload": .string(Base64.encoded(payload)),
            "signatures": .array(
                signatures.map {
                    ["keyid": .string($0.keyID), "sig": .string(Base64.encoded($0.bytes))]
                }),
        ]
        return tree.indented
    }

    /// - Throws: `inputMalformed` when it is no envelope of an in-toto statement.
    package init(json: [UInt8]) throws(PackageFailure) {
        func malformed(_ detail: String) -> PackageFailure {
            .inputMalformed(file: PackageManifest.envelopeName, detail: detail)
        }
        let tree = try PackageInput.tree(json, PackageManifest.envelopeName)
        guard tree["payloadType"]?.text == Self.payloadType else {
            throw malformed("'payloadType' is not \(Self.payloadType)")
        }
        guard let payload = tree["payload"]?.text.flatMap({ Base64.decoded($0) }) else {
            throw malformed("'payload' is no base64")
        }
        guard let list = tree["signatures"]?.elements, !list.isEmpty else {
            throw malformed("has no signature")
        }
        guard list.count <= Self.signaturesMax else {
            throw malformed("has more than \(Self.signaturesMax) signatures")
        }
        var signatures: [Signature] = []
        for entry in list {
            guard let bytes = entry["sig"]?.text.flatMap({ Base64.decoded($0) }) else {
                throw malformed("a signature is no base64")
            }
            signatures.append(Signature(keyID: entry["keyid"]?.text ?? "", bytes: bytes))
        }
        self.init(payload: payload, signatures: signatures)
    }
}
