// SPDX-License-Identifier: Apache-2.0
internal import HTTPFormat
internal import JSONFormat
package import Ports
internal import SecretMemory
internal import WrapperConfiguration

extension VaultSecretStore {
    package mutating func encrypt(
        _ plaintext: RawSpan, key: String, context: [UInt8]
    ) throws(SecretStoreFailure) -> String {
        try beginWithToken()
        defer { transport.forgetAnswer() }
        let path = "\(settings.transitMount)/encrypt/\(key)"
        let response = try post("/v1/\(path)") { members throws(SecretMemoryFailure) in
            try members.add("plaintext", base64: plaintext)
            try Self.add(context, to: &members)
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
        _ ciphertext: String, key: String, context: [UInt8],
        receive: (RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure) {
        try beginWithToken()
        defer { transport.forgetAnswer() }
        let path = "\(settings.transitMount)/decrypt/\(key)"
        let response = try post("/v1/\(path)") { members throws(SecretMemoryFailure) in
            try members.add("ciphertext", text: ciphertext)
            try Self.add(context, to: &members)
        }
        guard response.status == 200 else { throw try refusal(ofTransit: response, path: path) }
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
        _ context: [UInt8], to members: inout JSONMembers
    ) throws(SecretMemoryFailure) {
        guard !context.isEmpty else { return }
        try members.add("associated_data", base64: context.span.bytes)
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
