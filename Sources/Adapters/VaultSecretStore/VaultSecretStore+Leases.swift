// SPDX-License-Identifier: Apache-2.0
internal import HTTPFormat
package import Ports
internal import SecretMemory

extension VaultSecretStore {
    package mutating func renewToken() throws(SecretStoreFailure) -> Grant {
        try beginWithToken()
        defer { transport.forgetAnswer() }
        let path = "auth/token/renew-self"
        let response = try post("/v1/\(path)")
        guard response.status == 200 else { throw try refusal(response, path: path) }
        return try transport.withBody(of: response) { body throws(SecretStoreFailure) in
            try GrantAnswer.token(in: body, path: path)
        }
    }

    package mutating func renew(_ lease: LeaseID) throws(SecretStoreFailure) -> Grant {
        try beginWithToken()
        defer { transport.forgetAnswer() }
        let path = "sys/leases/renew"
        let response = try post("/v1/\(path)", lease: lease)
        guard response.status == 200 else { throw try refusal(response, path: path) }
        let renewed = try transport.withBody(of: response) { body throws(SecretStoreFailure) in
            try GrantAnswer.lease(in: body, path: path)
        }
        guard let renewed else { throw .responseMalformed(path: path, detail: "no lease_id") }
        return renewed.grant
    }

    package mutating func revoke(_ lease: LeaseID) throws(SecretStoreFailure) {
        try beginWithToken()
        defer { transport.forgetAnswer() }
        let path = "sys/leases/revoke"
        let response = try post("/v1/\(path)", lease: lease)
        guard response.status != 200, response.status != 204 else { return }
        let failure = try refusal(response, path: path)
        guard failure == .leaseUnknown else { throw failure }
    }

    package mutating func revokeToken() throws(SecretStoreFailure) {
        try beginWithToken()
        defer { transport.forgetAnswer() }
        let path = "auth/token/revoke-self"
        let response = try post("/v1/\(path)")
        guard response.status == 200 || response.status == 204 else {
            throw try refusal(response, path: path)
        }
        token.zero()
    }

    private func post(
        _ path: String, lease: LeaseID
    ) throws(SecretStoreFailure) -> HTTPResponse {
        try post(path) { members throws(SecretMemoryFailure) in
            try members.add("lease_id", text: lease.text)
        }
    }

    /// Why something that was granted cannot be kept or given back.
    private func refusal(
        _ response: HTTPResponse, path: String
    ) throws(SecretStoreFailure) -> SecretStoreFailure {
        if let failure = try serverFailure(response, path: path) { return failure }
        switch response.status {
        case 403: return try forbidden(path)
        case 400:
            if try contains("lease not found", response) { return .leaseUnknown }
            // "lease is not renewable", "batch tokens cannot be renewed", past its longest life.
            let isAboutRenewal = path.hasSuffix("renew") || path.hasSuffix("renew-self")
            return isAboutRenewal
                ? .renewalRefused : .unexpectedStatus(path: path, status: response.status)
        default: return .unexpectedStatus(path: path, status: response.status)
        }
    }
}
