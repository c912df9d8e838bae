// SPDX-License-Identifier: Apache-2.0
internal import HTTPFormat
internal import JSONFormat
internal import Ports
internal import SecretMemory
internal import WrapperConfiguration

/// Lays out whole requests in secret memory: the head carries a token, the body a credential.
struct VaultRequest {
    let settings: VaultSettings
    let memory: ExchangeMemory

    /// `GET` without a token.
    func get(_ path: String, at origin: Origin) throws(SecretStoreFailure) -> SecretBuffer {
        var buffer = try room(path: path, origin: origin, extra: 0)
        do throws(HTTPRequestFailure) {
            try head("GET", path, at: origin, into: &buffer)
            try HTTPRequestWriter.end(into: &buffer)
        } catch { throw Self.failure(error, path: path) }
        return buffer
    }

    func get(
        _ path: String, at origin: Origin, token: borrowing SecretBuffer
    ) throws(SecretStoreFailure) -> SecretBuffer {
        var buffer = try room(path: path, origin: origin, extra: token.count)
        do throws(HTTPRequestFailure) {
            try head("GET", path, at: origin, into: &buffer)
            try HTTPRequestWriter.field("X-Vault-Token", secret: token, into: &buffer)
            try HTTPRequestWriter.end(into: &buffer)
        } catch { throw Self.failure(error, path: path) }
        return buffer
    }

    /// `POST` of a flat JSON object without a token.
    ///
    /// - Parameter members: adds the object's members; called once to count their bytes and once
    ///   to write them.
    func post(
        _ path: String, at origin: Origin,
        members: (inout JSONMembers) throws(SecretMemoryFailure) -> Void
    ) throws(SecretStoreFailure) -> SecretBuffer {
        let bodyBytes = try Self.byteCount(members)
        var buffer = try room(path: path, origin: origin, extra: bodyBytes)
        do throws(HTTPRequestFailure) {
            try head("POST", path, at: origin, into: &buffer)
        } catch { throw Self.failure(error, path: path) }
        return try finish(buffer, path: path, bodyBytes: bodyBytes, members: members)
    }

    func post(
        _ path: String, at origin: Origin, token: borrowing SecretBuffer,
        members: (inout JSONMembers) throws(SecretMemoryFailure) -> Void
    ) throws(SecretStoreFailure) -> SecretBuffer {
        let bodyBytes = try Self.byteCount(members)
        var buffer = try room(path: path, origin: origin, extra: token.count + bodyBytes)
        do throws(HTTPRequestFailure) {
            try head("POST", path, at: origin, into: &buffer)
            try HTTPRequestWriter.field("X-Vault-Token", secret: token, into: &buffer)
        } catch { throw Self.failure(error, path: path) }
        return try finish(buffer, path: path, bodyBytes: bodyBytes, members: members)
    }

    private static func byteCount(
        _ members: (inout JSONMembers) throws(SecretMemoryFailure) -> Void
    ) throws(SecretStoreFailure) -> Int {
        do throws(SecretMemoryFailure) {
            var counter = JSONMembers()
            try members(&counter)
            return counter.byteCount
        } catch { throw .memory(error) }
    }

    /// The fields about the body, and the body.
    private func finish(
        _ begun: consuming SecretBuffer, path: String, bodyBytes: Int,
        members: (inout JSONMembers) throws(SecretMemoryFailure) -> Void
    ) throws(SecretStoreFailure) -> SecretBuffer {
        var buffer = begun
        do throws(HTTPRequestFailure) {
            try HTTPRequestWriter.field("Content-Type", "application/json", into: &buffer)
            try HTTPRequestWriter.field("Content-Length", String(bodyBytes), into: &buffer)
            try HTTPRequestWriter.end(into: &buffer)
        } catch { throw Self.failure(error, path: path) }
        let bodyStart = buffer.count
        do throws(SecretMemoryFailure) {
            var writer = JSONMembers(into: buffer)
            try members(&writer)
            let whole = try writer.finish()
            precondition(
                whole.count - bodyStart == bodyBytes, "the announced length is the body's")
            return whole
        } catch { throw .memory(error) }
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
        return try memory.buffer(capacity: 512 + names + namespace + extra)
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
