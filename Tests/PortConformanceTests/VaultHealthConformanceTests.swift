// SPDX-License-Identifier: Apache-2.0
import InspectionPorts
import LoopbackPKI
import OpenBaoServer
import ScriptedServer
import SimulatedCluster
import Synchronization
import Testing
import VaultHealthHTTP

/// The fake.
private final class SimulatedHealthBench: VaultHealthBench {
    private let simulated = SimulatedVaultHealth()
    private let last = Mutex(0)

    var health: any VaultHealth { simulated }
    let nobody = "https://nobody.test:8200"

    func serve(status: Int, _ body: String, isBelieved: Bool) -> String {
        let number = last.withLock { last in
            last += 1
            return last
        }
        let address = "https://vault-\(number).test:8200"
        simulated.serve(
            address,
            SimulatedVaultHealth.Answer(status: status, body: body, isBelieved: isBelieved))
        return address
    }
}

/// The adapter on a real server with scripted answers.
private final class ScriptedHealthBench: VaultHealthBench {
    let health: any VaultHealth
    let nobody = "https://127.0.0.1:1"
    private let pki: LoopbackPKI
    private let servers = Mutex<[ScriptedServer]>([])

    init() throws {
        pki = try LoopbackPKI()
        health = try patient(pki)
    }

    func serve(status: Int, _ body: String, isBelieved: Bool) async throws -> String {
        let pki = try isBelieved ? self.pki : LoopbackPKI(commonName: "Another CA")
        let server = try await ScriptedServer(pki: pki) { request, _ in
            #expect(request.method == "GET" && request.target == "/v1/sys/health")
            return ScriptedAnswer(status, body)
        }
        servers.withLock { $0.append(server) }
        return server.address
    }
}

/// What takes long on a busy machine is no failure.
private func patient(_ pki: LoopbackPKI) throws -> VaultHealthHTTP {
    var settings = VaultHealthSettings()
    settings.requestTime = .seconds(300)
    settings.authorities = Array(pki.authority.certificatePEM.utf8)
    return try VaultHealthHTTP(settings)
}

@Suite("VaultHealth: the fake") struct SimulatedVaultHealthTests {
    @Test(arguments: VaultHealthCheck.all)
    func `does as every vault's client does`(_ check: VaultHealthCheck) async throws {
        try await check.run(SimulatedHealthBench())
    }
}

@Suite("VaultHealth: the adapter on a scripted server") struct ScriptedVaultHealthTests {
    @Test(arguments: VaultHealthCheck.all)
    func `does as every vault's client does`(_ check: VaultHealthCheck) async throws {
        try await check.run(ScriptedHealthBench())
    }
}

@Suite(
    "VaultHealth: the adapter on a real OpenBao", .timeLimit(.minutes(5)),
    .enabled(if: OpenBaoServer.binary != nil, "CLOUDTASER_OPENBAO names no program"))
struct RealVaultHealthTests {
    @Test func `tells each state that it goes through`() async throws {
        let vault = try OpenBaoServer()
        let health = try patient(vault.pki)
        #expect(try await health.state(of: vault.address) == .notInitialized)
        let keys = try vault.initialize()
        #expect(try await health.state(of: vault.address) == .active)
        try vault.seal(keys)
        #expect(try await health.state(of: vault.address) == .sealed)
        try vault.unseal(keys)
        #expect(try await health.state(of: vault.address + "/") == .active)
    }
}
