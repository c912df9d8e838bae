// SPDX-License-Identifier: Apache-2.0
internal import HTTPFormat
internal import JSONFormat
internal import Ports
internal import SecretMemory
internal import WrapperConfiguration

/// Lays out whole requests in secret memory: the head carries a token, the body a credential.
struct VaultRequest {
    let settings: VaultSettings
    let minimumTier: MemoryTier

    /// `GET` with the token; an empty token is left out.
    func get(
        _ path: String, at origin: Origin, token: borrowing SecretBuffer
    ) throws(SecretStoreFailure) -> SecretBuffer {
        var buffer = try room(path: path, origin: origin, extra: token.count)
        do throws(HTTPRequestFailure) {
            try head("GET", path, at: origin, into: &buffer)
            if token.count > 0 {
                try HTTPRequestWriter.field("X-Vault-Token", secret: token, into: &buffer)
            }
            try HTTPRequestWriter.end(into: &buffer)
        } catch { throw Self.failure(error, path: path) }
        return buffer
    }

    /// `POST {"<publicName>": "<publicValue>", "<secretName>": "<secret>"}`
    func login(
        _ path: String, at origin: Origin, publicName: StaticString, publicValue: String,
        secretName: StaticString, secret: borrowing SecretBuffer
    ) throws(SecretStoreFailure) -> SecretBuffer {
        let value = Array(publicValue.utf8)
        let secretBytes = secret.withBytes { JSONWriter.byteCount(of: $0) }
        let bodyBytes =
            publicName.utf8CodeUnitCount + secretName.utf8CodeUnitCount + secretBytes
            + value.withUnsafeBytes { JSONWriter.byteCount(of: $0.bytes) } + 9
        var buffer = try room(path: path, origin: origin, extra: bodyBytes)
        do throws(HTTPRequestFailure) {
            try head("POST", path, at: origin, into: &buffer)
            try HTTPRequestWriter.field("Content-Type", "application/json", into: &buffer)
            try HTTPRequestWriter.field("Content-Length", String(bodyBytes), into: &buffer)
            try HTTPRequestWriter.end(into: &buffer)
        } catch { throw Self.failure(error, path: path) }
        let bodyStart = buffer.count
        do throws(SecretMemoryFailure) {
            try buffer.append(text: "{\"")
            try buffer.append(text: publicName)
            try buffer.append(text: "\":")
            try JSONWriter.append(value.span.bytes, to: &buffer)
            try buffer.append(text: ",\"")
            try buffer.append(text: secretName)
            try buffer.append(text: "\":")
            try secret.withBytes { bytes throws(SecretMemoryFailure) in
                try JSONWriter.append(bytes, to: &buffer)
            }
            try buffer.append(text: "}")
        } catch { throw .memory(error) }
        precondition(buffer.count - bodyStart == bodyBytes, "the announced length is the body's")
        return buffer
    }

    private func head(
        _ method: StaticString, _ path: String, at origin: Origin, into buffer: inout SecretBuffer
    ) throws(HTTPRequestFailure) {
        try HTTPRequestWriter.begin(
            method, path: path, host: Self.hostField(origin), into: &buffer)
        try HTTPRequestWriter.field("User-Agent", "cloudtaser-wrapper", into: &buffer)
        try HTTPRequestWriter.field("Accept", "application/json", into: &buffer)
        // Vault's guard against request forgery: agents may refuse requests without it.
        try HTTPRequestWriter.field("X-Vault-Request", "true", into: &buffer)
        if let namespace = settings.namespace, !namespace.isEmpty {
            try HTTPRequestWriter.field("X-Vault-Namespace", namespace, into: &buffer)
        }
    }

    /// Host, and the port unless it is https's own.
    private static func hostField(_ origin: Origin) -> String {
        let whole = origin.description
        let start = whole.index(whole.startIndex, offsetBy: origin.scheme.count + 3)
        return String(origin.port == 443 ? whole[start...].dropLast(4) : whole[start...])
    }

    /// A buffer that the fixed fields, the percent-encoded path and `extra` bytes fit into.
    private func room(
        path: String, origin: Origin, extra: Int
    ) throws(SecretStoreFailure) -> SecretBuffer {
        let names = path.utf8.count * 3 + origin.host.utf8.count
        let namespace = settings.namespace?.utf8.count ?? 0
        return try SecretBuffer.make(
            capacity: 512 + names + namespace + extra, minimumTier: minimumTier)
    }

    private static func failure(
        _ failure: HTTPRequestFailure, path: String
    ) -> SecretStoreFailure {
        switch failure {
        case .memory(let reason): .memory(reason)
        case .unprintable(let part):
            // A token with a line break or a space is none that a vault has issued.
            part == "X-Vault-Token"
                ? .tokenInvalid
                : .responseMalformed(path: path, detail: "\(part) cannot be sent")
        }
    }
}
