// SPDX-License-Identifier: Apache-2.0
package import Ports
internal import WrapperConfiguration

extension SimulatedSecretStore {
    /// Runs a step on the vault; its refusal is told as the adapter tells it.
    func asking<Result>(
        _ path: String,
        _ body: (inout SimulatedVault) throws(SimulatedVault.Refusal) -> Result
    ) throws(SecretStoreFailure) -> Result {
        do throws(SimulatedVault.Refusal) {
            return try body(&server.vault)
        } catch { throw failure(error, path: path) }
    }

    func checkCondition() throws(SecretStoreFailure) {
        let host = settings.origin.host
        switch server.vault.condition {
        case .active, .invalidJSON: return
        case .sealed: throw .sealed(host: host)
        case .uninitialized: throw .uninitialized(host: host)
        case .standby: throw .standby(host: host)
        case .rateLimited(let seconds):
            throw .rateLimited(host: host, retryAfterSeconds: seconds)
        case .failing(let status): throw .serverError(host: host, status: status)
        case .redirecting(let origin):
            throw .redirectForbidden(from: settings.origin.description, to: origin)
        }
    }

    func failure(_ refusal: SimulatedVault.Refusal, path: String) -> SecretStoreFailure {
        switch refusal {
        case .tokenUnknown: .tokenInvalid
        case .forbidden: .permissionDenied(path: path)
        case .mountHidden, .noRoute, .namespaceUnknown: .mountUnknown(path: path)
        case .nothingThere, .roleUnknown, .transitKeyUnknown: .notFound(path: path)
        case .transitVersionExcluded: .versionDeleted(path: path)
        case .versionGone(let version, _):
            version.state == .destroyed
                ? .versionDestroyed(path: path) : .versionDeleted(path: path)
        case .operationUnsupported: .unexpectedStatus(path: path, status: 405)
        case .badRequest: .unexpectedStatus(path: path, status: 400)
        case .loginRefused(let status, _):
            .loginRefused(
                method: settings.auth.name, role: settings.auth.role, status: status)
        case .wrappingTokenInvalid: .wrappingTokenInvalid
        case .leaseUnknown: .leaseUnknown
        case .leaseNotRenewable: .renewalRefused
        }
    }
}

// MARK: - TransitEngine

extension SimulatedSecretStore {
    package mutating func encrypt(
        _ plaintext: RawSpan, key: String, binding: TransitBinding
    ) throws(SecretStoreFailure) -> String {
        let fault = try begin(.encrypt(key: key))
        let bytes = plaintext.withUnsafeBytes { Array($0) }
        let data = try transit(
            "encrypt/\(key)", ["plaintext": SimulatedBase64.encoded(bytes)], binding: binding)
        try end(fault)
        guard case .string(let ciphertext) = data["ciphertext"] else {
            throw .responseMalformed(path: "encrypt/\(key)", detail: "simulated")
        }
        return ciphertext
    }

    package mutating func decrypt(
        _ ciphertext: String, key: String, binding: TransitBinding,
        receive: (RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure) {
        let fault = try begin(.decrypt(key: key))
        let data = try transit("decrypt/\(key)", ["ciphertext": ciphertext], binding: binding)
        try end(fault)
        guard case .string(let text) = data["plaintext"],
            let bytes = SimulatedBase64.decoded(text)
        else { throw .responseMalformed(path: "decrypt/\(key)", detail: "simulated") }
        try receive(bytes.span.bytes)
    }

    private func transit(
        _ rest: String, _ fields: [String: String], binding: TransitBinding
    ) throws(SecretStoreFailure) -> SimulatedJSON {
        try checkCondition()
        let path = "\(settings.transitMount)/\(rest)"
        var fields = fields
        switch binding {
        case .associatedData(let bytes):
            if !bytes.isEmpty { fields["associated_data"] = SimulatedBase64.encoded(bytes) }
        case .derivation(let bytes): fields["context"] = SimulatedBase64.encoded(bytes)
        }
        return try asking(path) { vault throws(SimulatedVault.Refusal) in
            try vault.use(path, parameters: { fields[$0] }, token: token, in: namespace).data
        }
    }
}

// MARK: - SecretFieldNames

extension SimulatedSecretStore: SecretFieldNames {
    package mutating func fieldNames(of path: String) throws(SecretStoreFailure) -> [String] {
        let fault = try begin(.read(path: path))
        let (answer, mount) = try answer(to: SecretQuery(path: path))
        try end(fault)
        if server.vault.condition == .invalidJSON {
            throw .responseMalformed(path: path, detail: "simulated")
        }
        let secret = mount.version == "2" ? answer.data["data"] ?? .null : answer.data
        guard case .object(let members) = secret, members.count <= fieldNamesMax else {
            throw .responseMalformed(path: path, detail: "simulated")
        }
        return members.map(\.name)
    }
}
