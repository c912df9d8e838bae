// SPDX-License-Identifier: Apache-2.0
package import InspectionPorts
internal import KubernetesFormat

/// `VaultRoleReading` by libcurl: `GET /v1/auth/MOUNT/role/NAME`
/// (https://openbao.org/api-docs/auth/kubernetes/#read-role, …/auth/jwt/#read-role).
package struct CurlVaultRoles: VaultRoleReading {
    private static let bodyBytesMax = 64 << 10
    /// Of a token; the longest batch tokens have some thousand.
    private static let tokenBytesMax = 16 << 10

    private let time: Duration

    package init(time: Duration = .seconds(10)) { self.time = time }

    package func role(
        _ role: String, of mount: String, at address: String, namespace: String?, token: String,
        authorities: [UInt8]?
    ) async throws(VaultRoleFailure) -> VaultRoleAnswer {
        guard let base = BaseAddress.text(of: address, schemes: ["https"]) else {
            throw .vault(.addressInvalid(detail: "it is not of the form https://host:port"))
        }
        // A blank or a line's end in it would be another header.
        guard Self.isPlain(token), token.utf8.count <= Self.tokenBytesMax else {
            throw .invalid(detail: "the token holds what no token has, or nothing")
        }
        guard Self.isPath(mount), Self.isPath(role), namespace.map(Self.isPath) ?? true else {
            throw .invalid(detail: "the name of the role, its mount or namespace is no path")
        }
        var headers = ["X-Vault-Token: \(token)"]
        if let namespace { headers.append("X-Vault-Namespace: \(namespace)") }
        let request = CurlRequest(
            url: "\(base)/v1/auth/\(mount)/role/\(role)", headers: headers,
            authorities: authorities, time: time, connectTime: time, bytesMax: Self.bodyBytesMax)
        let answer: CurlAnswer
        do throws(CurlFailure) {
            answer = try await CurlSession().perform(request)
        } catch { throw .vault(CurlVaultSurvey.failure(error)) }
        return try Self.read(answer)
    }

    private static func read(_ answer: CurlAnswer) throws(VaultRoleFailure) -> VaultRoleAnswer {
        let tree = try? JSONTree(answer.body)
        switch answer.status {
        case 200:
            guard let data = tree?["data"], data.members != nil else {
                throw .refused(status: answer.status)
            }
            return .found(data.rendered())
        case 404:
            // Without a role the list is empty; without a mount it says that nobody handles it.
            guard let errors = tree?["errors"]?.elements else {
                throw .refused(status: answer.status)
            }
            return errors.isEmpty ? .noRole : .noMethod
        default: throw .refused(status: answer.status)
        }
    }

    private static func isPlain(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    private static func isPath(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return isPlain(text) && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
            && !text.utf8.contains { "?#%\\".utf8.contains($0) }
    }
}
