// SPDX-License-Identifier: Apache-2.0
internal import HTTPFormat
internal import Ports
internal import WrapperConfiguration

/// What answers other than the hoped-for one mean.
extension VaultSecretStore {
    /// Whether the vault does not know the token (any more). A token that is known but may not
    /// look itself up is refused with a list of errors instead.
    func isTokenInvalid() throws(SecretStoreFailure) -> Bool {
        let response = try get("/v1/auth/token/lookup-self")
        guard response.status == 403 else { return false }
        return try !contains("1 error occurred", response)
    }

    /// What a 403 for a request with the token means.
    func forbidden(_ path: String) throws(SecretStoreFailure) -> SecretStoreFailure {
        try isTokenInvalid() ? .tokenInvalid : .permissionDenied(path: path)
    }

    func contains(
        _ text: StaticString, _ response: HTTPResponse
    ) throws(SecretStoreFailure) -> Bool {
        try transport.withBody(of: response) { $0.contains(text) }
    }

    /// What an answer says about the server rather than about the request; nil: nothing.
    func serverFailure(
        _ response: HTTPResponse, path: String
    ) throws(SecretStoreFailure) -> SecretStoreFailure? {
        let host = settings.origin.host
        switch response.status {
        case 429:
            if let text = transport.publicHeader("retry-after", of: response) {
                return .rateLimited(host: host, retryAfterSeconds: Int(text))
            }
            return ServerHealth.failure(status: try healthStatus(), host: host)
                ?? .rateLimited(host: host, retryAfterSeconds: nil)
        case 472, 473: return .standby(host: host)
        case 500...599:
            let isSealed = try contains("is sealed", response)
            let isStandby = try contains("not active", response)
            if let failure = ServerHealth.failure(status: try healthStatus(), host: host) {
                return failure
            }
            if isSealed { return .sealed(host: host) }
            if isStandby { return .standby(host: host) }
            return .serverError(host: host, status: response.status)
        default: return nil
        }
    }

    /// What `sys/health` answers, without a token; nil when it does not.
    private func healthStatus() throws(SecretStoreFailure) -> Int? {
        let requests = requests
        do throws(SecretStoreFailure) {
            return try transport.perform(path: "/v1/sys/health") {
                origin, target throws(SecretStoreFailure) in
                try requests.get(target, at: origin)
            }.status
        } catch {
            // The answer that made us ask says enough; only a stop must not be lost.
            guard error != .interrupted else { throw error }
            return nil
        }
    }
}

/// The status codes of `sys/health`.
enum ServerHealth {
    static func failure(status: Int?, host: String) -> SecretStoreFailure? {
        switch status {
        case 429, 472, 473: .standby(host: host)
        case 501: .uninitialized(host: host)
        case 503: .sealed(host: host)
        default: nil
        }
    }
}
