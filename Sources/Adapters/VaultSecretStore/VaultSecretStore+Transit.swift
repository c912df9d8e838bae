// SPDX-License-Identifier: Apache-2.0
internal import HTTPFormat
internal import JSONFormat
package import Ports
internal import SecretMemory
internal import WrapperConfiguration

extension VaultSecretStore {
    package mutating func encrypt(
        _ plaintext: RawSpan, key: String, binding: TransitBinding
    ) throws(SecretStoreFailure) -> String {
        try beginWithToken()
        defer { transport.forgetAnswer() }
        let path = "\(settings.transitMount)/encrypt/\(key)"
        let response = try post("/v1/\(path)") { members throws(SecretMemoryFailure) in
            try members.add("plaintext", base64: plaintext)
            try Self.add(binding, to: &members)
        }
        guard response.status == 200 else { throw try refusal(ofTransit: response, path: path) }
        let ciphertext = try transport.withBody(of: response) {
            body throws(SecretStoreFailure) in
            try parsing(path) { () throws(JSONFormatFailure) -> String? in
                let root = try JSONFormat.check(body)
                let names = ["data", "ciphertext"]
                guard let value = try JSONFormat.value(at: names, from: root, in: body) else {
                    return nil
                }
                return try JSONText.publicText(value, in: body)
            }
        }
        guard let ciphertext else {
            throw .responseMalformed(path: path, detail: "no data.ciphertext")
        }
        return ciphertext
    }

    package mutating func decrypt(
        _ ciphertext: String, key: String, binding: TransitBinding,
        receive: (RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure) {
        try beginWithToken()
        defer { transport.forgetAnswer() }
        let path = "\(settings.transitMount)/decrypt/\(key)"
        let response = try post("/v1/\(path)") { members throws(SecretMemoryFailure) in
            try members.add("ciphertext", text: ciphertext)
            try Self.add(binding, to: &members)
        }
        guard response.status == 200 else {
            throw try refusal(ofDecryption: response, path: path)
        }
        try transport.withMutableBody(of: response) { body throws(SecretStoreFailure) in
            let range = try SecretTextAnswer.text(
                at: ["data", "plaintext"], in: body, path: path, limit: body.count,
                mayBeEmpty: true)
            let text = UnsafeMutableRawBufferPointer(rebasing: body[range])
            guard let count = Base64.decodeInPlace(text) else {
                throw .responseMalformed(path: path, detail: "data.plaintext is not base64")
            }
            try receive(UnsafeRawBufferPointer(rebasing: text[..<count]).bytes)
        }
    }

    private static func add(
        _ binding: TransitBinding, to members: inout JSONMembers
    ) throws(SecretMemoryFailure) {
        switch binding {
        case .associatedData(let bytes):
            guard !bytes.isEmpty else { return }
            try members.add("associated_data", base64: bytes.span.bytes)
        case .derivation(let bytes): try members.add("context", base64: bytes.span.bytes)
        }
    }

    /// The engine says everything with 400; its words (OpenBao's and Vault's are the same) tell a
    /// ciphertext that is not its own from what is wrong with the key.
    private func refusal(
        ofDecryption response: HTTPResponse, path: String
    ) throws(SecretStoreFailure) -> SecretStoreFailure {
        guard response.status == 400 else {
            return try refusal(ofTransit: response, path: path)
        }
        if try contains("encryption key not found", response) { return .notFound(path: path) }
        if try contains("disallowed by policy", response) { return .versionDeleted(path: path) }
        for text: StaticString in [
            "message authentication failed", "invalid ciphertext", "for key derivation",
        ] where try contains(text, response) {
            return .unexpectedStatus(path: path, status: 400)
        }
        return .responseMalformed(path: path, detail: "refused for a reason that is not known")
    }

    func refusal(
        ofTransit response: HTTPResponse, path: String
    ) throws(SecretStoreFailure) -> SecretStoreFailure {
        if let failure = try serverFailure(response, path: path) { return failure }
        switch response.status {
        case 403: return try forbidden(path)
        case 404: return .mountUnknown(path: path)
        default: return .unexpectedStatus(path: path, status: response.status)
        }
    }
}
