// SPDX-License-Identifier: Apache-2.0
internal import HTTPFormat
internal import JSONFormat
package import Ports
internal import SecretMemory
package import WrapperConfiguration

/// A signature that transit made, with what verifies it.
package struct TransitSignature: Sendable, Equatable {
    /// Of the key.
    package let version: Int
    package let signature: [UInt8]
    /// As the vault exports it: the 32 bytes of Ed25519, SubjectPublicKeyInfo (DER) of ECDSA.
    package let publicKey: [UInt8]
}

/// Signs with a key of the vault's transit engine, one login for each signature: nothing has to be
/// renewed, and what the login gave is revoked again. An `ed25519` key gives 64 bytes, `ecdsa-p256`
/// DER over SHA-256, both as transit does without being asked for another way.
package enum TransitSigning {
    /// - Parameters:
    ///   - settings: credentials come from files.
    ///   - key: name of the key in `settings.transitMount`.
    package static func sign(
        _ message: [UInt8], key: String, settings: VaultSettings
    ) throws(SecretStoreFailure) -> TransitSignature {
        var store = try VaultSecretStore(
            settings: settings, credential: nil, openSSLMemory: .unchanged)
        _ = try store.logIn()
        let result: TransitSignature
        do throws(SecretStoreFailure) { result = try store.sign(message, key: key) } catch {
            leave(&store, settings.auth)
            throw error
        }
        leave(&store, settings.auth)
        return result
    }

    /// A token that was given is not ours to revoke; the others end by themselves if this fails.
    private static func leave(_ store: inout VaultSecretStore, _ auth: AuthMethod) {
        if case .token = auth {} else { try? store.revokeToken() }
        store.forget()
    }
}

extension VaultSecretStore {
    fileprivate mutating func sign(
        _ message: [UInt8], key: String
    ) throws(SecretStoreFailure) -> TransitSignature {
        let path = "\(settings.transitMount)/sign/\(key)"
        try beginWithToken()
        let response = try post("/v1/\(path)") { members throws(SecretMemoryFailure) in
            try members.add("input", base64: message.span.bytes)
        }
        let text = try member(["data", "signature"], of: response, path: path)
        // vault:v3:BASE64
        let parts = text.split(separator: ":")
        guard parts.count == 3, parts[0] == "vault", parts[1].hasPrefix("v"),
            let version = Int(parts[1].dropFirst()), let bytes = Self.decode(parts[2])
        else { throw .responseMalformed(path: path, detail: "no vault:vN: signature") }
        return TransitSignature(
            version: version, signature: bytes,
            publicKey: try publicKey(of: key, version: version))
    }

    private mutating func publicKey(
        of key: String, version: Int
    ) throws(SecretStoreFailure) -> [UInt8] {
        let path = "\(settings.transitMount)/keys/\(key)"
        try beginWithToken()
        let response = try get("/v1/\(path)")
        let names = ["data", "keys", String(version), "public_key"]
        var text = try member(names, of: response, path: path)
        let lines = text.split(separator: "\n")
        // Of a curve the vault writes PEM.
        if lines.first == "-----BEGIN PUBLIC KEY-----", lines.last == "-----END PUBLIC KEY-----" {
            text = lines.dropFirst().dropLast().joined()
        }
        guard let bytes = Self.decode(text) else {
            throw .responseMalformed(path: path, detail: "the public key is not base64")
        }
        return bytes
    }

    private mutating func member(
        _ names: [String], of response: HTTPResponse, path: String
    ) throws(SecretStoreFailure) -> String {
        defer { transport.forgetAnswer() }
        guard response.status == 200 else { throw try refusal(ofTransit: response, path: path) }
        let text = try transport.withBody(of: response) { body throws(SecretStoreFailure) in
            try parsing(path) { () throws(JSONFormatFailure) -> String? in
                let root = try JSONFormat.check(body)
                guard let value = try JSONFormat.value(at: names, from: root, in: body) else {
                    return nil
                }
                return try JSONText.publicText(value, in: body)
            }
        }
        guard let text else {
            throw .responseMalformed(path: path, detail: "no \(names.joined(separator: "."))")
        }
        return text
    }

    private static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes = Array(text.utf8)
        let count = bytes.withUnsafeMutableBytes { Base64.decodeInPlace($0) }
        return count.map { Array(bytes.prefix($0)) }
    }
}
