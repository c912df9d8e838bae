// SPDX-License-Identifier: Apache-2.0
internal import HTTPFormat
internal import JSONFormat
package import Ports
internal import SecretMemory
internal import WrapperConfiguration

extension VaultSecretStore {
    package mutating func logIn() throws(SecretStoreFailure) -> Grant {
        transport.beginCall()
        defer { transport.forgetAnswer() }
        switch settings.auth {
        case .certificate(let name):
            guard settings.clientCertificateFile != nil else {
                throw .credentialMissing(method: settings.auth.name)
            }
            return try logIn { members throws(SecretMemoryFailure) in
                if let name { try members.add("name", text: name) }
            }
        case .appRole(_, let file) where settings.isSecretIDWrapped:
            if unwrappedSecretID == nil { try unwrap(file: file) }
            guard let secretID = unwrappedSecretID.take() else {
                throw .credentialMissing(method: settings.auth.name)
            }
            do throws(SecretStoreFailure) {
                let grant = try logIn(with: secretID)
                unwrappedSecretID = consume secretID
                return grant
            } catch {
                unwrappedSecretID = consume secretID
                throw error
            }
        case .token(let file), .appRole(_, let file): return try logIn(file: file)
        case .kubernetes(_, let file), .jwt(_, let file): return try logIn(file: file)
        }
    }

    private mutating func logIn(file: String?) throws(SecretStoreFailure) -> Grant {
        let given = try takeCredential(file: file)
        do throws(SecretStoreFailure) {
            let grant = try logIn(with: given)
            if file == nil { credential = consume given }
            return grant
        } catch {
            if file == nil { credential = consume given }
            throw error
        }
    }

    /// From its file, or the one that was handed over: it then must be put back.
    private mutating func takeCredential(
        file: String?
    ) throws(SecretStoreFailure) -> SecretBuffer {
        let given: SecretBuffer
        if let file {
            given = try CredentialFile.read(file, memory: memory)
        } else if let handed = credential.take() {
            given = handed
        } else {
            throw .credentialMissing(method: settings.auth.name)
        }
        guard given.count > 0 else { throw .credentialMissing(method: settings.auth.name) }
        return given
    }

    private mutating func logIn(
        with given: borrowing SecretBuffer
    ) throws(SecretStoreFailure) -> Grant {
        let names: (role: String, proof: String)
        switch settings.auth {
        case .token, .certificate: return try keep(given)
        case .appRole: names = ("role_id", "secret_id")
        case .kubernetes, .jwt: names = ("role", "jwt")
        }
        let role = settings.auth.role
        return try logIn { members throws(SecretMemoryFailure) in
            try members.add(names.role, text: role)
            try given.withBytes { bytes throws(SecretMemoryFailure) in
                try members.add(names.proof, secret: bytes)
            }
        }
    }

    /// Takes a token that somebody else obtained, and asks how long it lasts.
    private mutating func keep(
        _ given: borrowing SecretBuffer
    ) throws(SecretStoreFailure) -> Grant {
        guard given.count <= Self.tokenBytesMax else { throw .tokenInvalid }
        token.zero()
        do throws(SecretMemoryFailure) {
            try given.withBytes { bytes throws(SecretMemoryFailure) in
                try token.append(bytes)
            }
        } catch { throw .memory(error) }
        let path = "/v1/auth/token/lookup-self"
        let response = try get(path)
        if response.status == 200 {
            return try transport.withBody(of: response) { body throws(SecretStoreFailure) in
                try GrantAnswer.lookUp(in: body, path: path)
            }
        }
        if let failure = try serverFailure(response, path: path) { throw failure }
        switch response.status {
        case 403:
            guard try contains("1 error occurred", response) else { throw .tokenInvalid }
            // A token that may not look itself up: good, and nobody says for how long.
            return Grant(lifetime: nil, isRenewable: false)
        case 400...404:
            throw .loginRefused(
                method: settings.auth.name, role: settings.auth.role, status: response.status)
        default: throw .unexpectedStatus(path: path, status: response.status)
        }
    }

    /// `POST auth/<mount>/login`
    private mutating func logIn(
        members: (inout JSONMembers) throws(SecretMemoryFailure) -> Void
    ) throws(SecretStoreFailure) -> Grant {
        let path = "/v1/auth/\(settings.authMount)/login"
        let requests = requests
        let response = try transport.perform(path: path) {
            origin, target throws(SecretStoreFailure) in
            try requests.post(target, at: origin, members: members)
        }
        guard response.status == 200 else {
            if let failure = try serverFailure(response, path: path) { throw failure }
            guard (400...404).contains(response.status) else {
                throw .unexpectedStatus(path: path, status: response.status)
            }
            throw .loginRefused(
                method: settings.auth.name, role: settings.auth.role, status: response.status)
        }
        let grant = try transport.withBody(of: response) { body throws(SecretStoreFailure) in
            try GrantAnswer.token(in: body, path: path)
        }
        token.zero()
        try transport.withMutableBody(of: response) { body throws(SecretStoreFailure) in
            let range = try SecretTextAnswer.text(
                at: ["auth", "client_token"], in: body, path: path, limit: Self.tokenBytesMax)
            do throws(SecretMemoryFailure) {
                try token.append(UnsafeRawBufferPointer(rebasing: body[range]).bytes)
            } catch { throw .memory(error) }
        }
        return grant
    }

    // MARK: - Wrapped secret ids

    /// Longest secret id accepted (bytes).
    private static var secretIDBytesMax: Int { tokenBytesMax }

    /// Exchanges the wrapping token for the secret id it stands for. The wrapping token is of no
    /// use afterwards, whoever has it; before, a failure leaves it for the next try.
    private mutating func unwrap(file: String?) throws(SecretStoreFailure) {
        let wrapping = try takeCredential(file: file)
        do throws(SecretStoreFailure) {
            unwrappedSecretID = try unwrap(wrapping)
        } catch {
            if file == nil { credential = consume wrapping }
            throw error
        }
    }

    /// Anybody who may wrap something can put a token of his own in the place of the right one, and
    /// have us log in with what he chose. Where it was made cannot be chosen.
    private func checkOrigin(
        of wrapping: borrowing SecretBuffer
    ) throws(SecretStoreFailure) {
        let path = "/v1/sys/wrapping/lookup"
        let requests = requests
        let response = try transport.perform(path: path) {
            origin, target throws(SecretStoreFailure) in
            try requests.post(target, at: origin) { members throws(SecretMemoryFailure) in
                try wrapping.withBytes { bytes throws(SecretMemoryFailure) in
                    try members.add("token", secret: bytes)
                }
            }
        }
        try checkWrapping(response, path: path)
        let made = try transport.withBody(of: response) { body throws(SecretStoreFailure) in
            try parsing(path) { () throws(JSONFormatFailure) in
                let root = try JSONFormat.check(body)
                let value = try JSONFormat.value(
                    at: ["data", "creation_path"], from: root, in: body)
                return try value.flatMap { value throws(JSONFormatFailure) in
                    try JSONText.publicText(value, in: body)
                }
            }
        }
        guard let made else {
            throw .responseMalformed(path: path, detail: "no data.creation_path")
        }
        guard Self.makesSecretIDs(made, mount: settings.authMount) else {
            throw .wrappingTokenForeign(creationPath: made)
        }
    }

    /// `auth/<mount>/role/<name>/secret-id`, or `custom-secret-id`.
    private static func makesSecretIDs(_ path: String, mount: String) -> Bool {
        let roles = "auth/\(mount)/role/"
        guard path.hasPrefix(roles) else { return false }
        let rest = path.dropFirst(roles.count).split(
            separator: "/", omittingEmptySubsequences: false)
        return rest.count == 2 && !rest[0].isEmpty
            && ["secret-id", "custom-secret-id"].contains(rest[1])
    }

    private func checkWrapping(
        _ response: HTTPResponse, path: String
    ) throws(SecretStoreFailure) {
        guard response.status != 200 else { return }
        if let failure = try serverFailure(response, path: path) { throw failure }
        guard (400...404).contains(response.status) else {
            throw .unexpectedStatus(path: path, status: response.status)
        }
        throw .wrappingTokenInvalid
    }

    private func unwrap(
        _ wrapping: borrowing SecretBuffer
    ) throws(SecretStoreFailure) -> SecretBuffer {
        try checkOrigin(of: wrapping)
        let path = "/v1/sys/wrapping/unwrap"
        let requests = requests
        let response: HTTPResponse
        do throws(SecretStoreFailure) {
            response = try transport.perform(path: path) {
                origin, target throws(SecretStoreFailure) in
                try requests.post(target, at: origin, token: wrapping) { _ in }
            }
        } catch {
            // The bytes cannot even be sent as a token.
            throw error == .tokenInvalid ? .wrappingTokenInvalid : error
        }
        try checkWrapping(response, path: path)
        let memory = memory
        return try transport.withMutableBody(of: response) { body throws(SecretStoreFailure) in
            let range = try SecretTextAnswer.text(
                at: ["data", "secret_id"], in: body, path: path, limit: Self.secretIDBytesMax)
            var secretID = try memory.buffer(capacity: range.count)
            do throws(SecretMemoryFailure) {
                try secretID.append(UnsafeRawBufferPointer(rebasing: body[range]).bytes)
            } catch { throw .memory(error) }
            return secretID
        }
    }
}
