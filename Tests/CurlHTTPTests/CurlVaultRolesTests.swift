// SPDX-License-Identifier: Apache-2.0
import CurlHTTP
import InspectionPorts
import LoopbackPKI
import ScriptedServer
import Testing

@Suite("A role of a vault") struct CurlVaultRolesTests {
    private let roles = CurlVaultRoles(time: .seconds(300))

    private func ask(
        _ server: ScriptedServer, role: String = "shop", mount: String = "kubernetes",
        namespace: String? = nil, token: String = "s.token"
    ) async throws -> VaultRoleAnswer {
        try await roles.role(
            role, of: mount, at: server.address + "/", namespace: namespace, token: token,
            authorities: Array(server.pki.authority.certificatePEM.utf8))
    }

    @Test func `is read with the token, in the vault's namespace`() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            ScriptedAnswer(200, #"{"data":{"audience":"vault"}}"#)
        }
        let found = try await ask(server, mount: "clusters/eu-1", namespace: "team/a")
        #expect(found == .found(Array(#"{"audience":"vault"}"#.utf8)))
        let request = try #require(server.requests.first)
        #expect(request.target == "/v1/auth/clusters/eu-1/role/shop")
        #expect(request.header("X-Vault-Token") == "s.token")
        #expect(request.header("X-Vault-Namespace") == "team/a")
    }

    @Test(arguments: [
        (#"{"errors":[]}"#, VaultRoleAnswer.noRole),
        (#"{"errors":["no handler for route \"auth/x/role/shop\""]}"#, .noMethod),
    ])
    func `is not there, or its method is not`(
        _ body: String, _ expected: VaultRoleAnswer
    ) async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            ScriptedAnswer(404, body)
        }
        #expect(try await ask(server) == expected)
    }

    @Test(arguments: [403, 500, 503, 404, 200, 301])
    func `an answer that says nothing of it is no answer`(_ status: Int) async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            ScriptedAnswer(status, "<html>")
        }
        await #expect(throws: VaultRoleFailure.refused(status: status)) { try await ask(server) }
        #expect(server.requests.count == 1)
    }

    @Test(arguments: ["", "a b", "a\nX-Other: 1", "ä"])
    func `a token that is none is sent to nobody`(_ token: String) async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in ScriptedAnswer() }
        await #expect(throws: VaultRoleFailure.self) { try await ask(server, token: token) }
        #expect(server.requests.isEmpty)
    }

    @Test(arguments: ["", "../../sys/health", "a?b", "a//b", "a%2e", "a b"])
    func `a name that leads elsewhere is not asked for`(_ name: String) async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in ScriptedAnswer() }
        await #expect(throws: VaultRoleFailure.self) { try await ask(server, role: name) }
        await #expect(throws: VaultRoleFailure.self) { try await ask(server, mount: name) }
        await #expect(throws: VaultRoleFailure.self) { try await ask(server, namespace: name) }
        #expect(server.requests.isEmpty)
    }

    @Test func `no token goes to a server of another authority`() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in ScriptedAnswer() }
        let stranger = try LoopbackPKI(commonName: "Another CA")
        await #expect(throws: VaultRoleFailure.self) {
            try await roles.role(
                "shop", of: "kubernetes", at: server.address, namespace: nil, token: "s.token",
                authorities: Array(stranger.authority.certificatePEM.utf8))
        }
        #expect(server.requests.isEmpty)
    }
}
