// SPDX-License-Identifier: Apache-2.0

extension SimulatedVault {
    /// One HTTP response; Content-Length is the listener's to add.
    package struct Response: Sendable {
        package var status: Int
        package var headers: [(name: String, value: String)]
        package var body: [UInt8]

        package init(
            status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []
        ) {
            self.status = status
            self.headers = headers
            self.body = body
        }
    }
}

extension SimulatedVault.Response {
    /// Vault's error body.
    package static func errors(_ status: Int, _ texts: [String]) -> Self {
        json(status, .object([("errors", .array(texts.map { .string($0) }))]))
    }

    /// A JSON body.
    package static func json(_ status: Int, _ body: SimulatedJSON) -> Self {
        SimulatedVault.Response(
            status: status,
            headers: [("Content-Type", "application/json"), ("Cache-Control", "no-store")],
            body: body.rendered())
    }

    /// Vault's envelope around `data`, a lease (with the time now, in the vault's seconds) or
    /// `auth`.
    static func envelope(
        _ status: Int = 200, data: SimulatedJSON = .null, auth: SimulatedJSON = .null,
        lease: (SimulatedVault.Lease, now: Int)? = nil
    ) -> Self {
        let seconds = lease.map { $0.0.expiresAt - $0.now } ?? 0
        return json(
            status,
            .object([
                ("request_id", .string("00000000-0000-0000-0000-000000000000")),
                ("lease_id", .string(lease?.0.id ?? "")),
                ("renewable", .bool(lease?.0.isRenewable ?? false)),
                ("lease_duration", .number(String(seconds))), ("data", data),
                ("wrap_info", .null), ("warnings", .null), ("auth", auth),
            ]))
    }

    /// The answer to a login or a renewal.
    ///
    /// - Parameter lifetime: seconds; nil: without an end.
    static func authenticated(_ token: String, lifetime: Int?, isRenewable: Bool) -> Self {
        envelope(
            auth: .object([
                ("client_token", .string(token)), ("accessor", .string("accessor")),
                ("policies", .array([.string("default")])),
                ("lease_duration", .number(String(lifetime ?? 0))),
                ("renewable", .bool(isRenewable)), ("token_type", .string("service")),
            ]))
    }

    /// `sys/internal/ui/mounts/<path>`
    static func mount(
        _ found: (path: String, mount: SimulatedVault.Mount, rest: String)
    ) -> Self {
        let options = found.mount.version.map { version in
            SimulatedJSON.object([("version", .string(version))])
        }
        return envelope(
            data: .object([
                ("options", options ?? .null), ("path", .string(found.path + "/")),
                ("type", .string(found.mount.type)),
            ]))
    }

    /// OpenBao's words for a refusal.
    static func refusal(_ refusal: SimulatedVault.Refusal) -> Self {
        switch refusal {
        case .tokenUnknown: return errors(403, ["permission denied"])
        case .forbidden: return errors(403, ["1 error occurred:\n\t* permission denied\n\n"])
        case .mountHidden(let path):
            let text =
                "preflight capability check returned 403, please ensure client's policies "
                + "grant access to path \"\(path)/\""
            return errors(403, [text])
        case .noRoute(let path):
            return errors(404, ["no handler for route \"\(path)\". route entry not found."])
        case .namespaceUnknown: return errors(404, ["namespace not found"])
        case .nothingThere: return errors(404, [])
        case .versionGone(let version, let number):
            return envelope(404, data: SimulatedVault.data(of: version, number: number))
        case .operationUnsupported:
            return errors(405, ["1 error occurred:\n\t* unsupported operation\n\n"])
        case .roleUnknown(let name): return errors(400, ["unknown role: \(name)"])
        case .transitKeyUnknown: return errors(400, ["encryption key not found"])
        case .transitVersionExcluded:
            return errors(
                400, ["ciphertext or signature version is disallowed by policy (too old)"])
        case .badRequest(let text): return errors(400, [text])
        case .loginRefused(let status, let text): return errors(status, [text])
        case .wrappingTokenInvalid:
            return errors(400, ["wrapping token is not valid or does not exist"])
        case .leaseUnknown: return errors(400, ["lease not found"])
        case .leaseNotRenewable: return errors(400, ["lease is not renewable"])
        }
    }
}
