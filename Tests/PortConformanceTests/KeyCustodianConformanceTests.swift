// SPDX-License-Identifier: Apache-2.0
import AsyncClock
import ObjectKeyPorts
import OpenBaoServer
import Ports
import SecretMemory
import SimulatedStorage
import Simulation
import Testing
import VaultCustody
import VaultListener
import VaultSecretStore
import WrapperConfiguration

/// The fake.
final class SimulatedCustodianBench: KeyCustodianBench {
    let custodian: any KeyCustodian
    let vault = SimulatedKeyVault()
    private let change: @Sendable (any KeyCustodian) -> any KeyCustodian

    /// - Parameter change: puts another custodian before the fake.
    init(change: @escaping @Sendable (any KeyCustodian) -> any KeyCustodian = { $0 }) throws {
        self.change = change
        let arena = try SecretArena(
            bytes: KeyCustodianCheck.arenaBytes, minimumTier: .ordinary)
        custodian = change(SimulatedKeyCustodian(vault, arena: arena, seed: 7))
    }

    func custodian(keysIn arena: SecretArena) -> any KeyCustodian {
        change(SimulatedKeyCustodian(vault, arena: arena, seed: 8))
    }

    func putKey() -> String {
        let name = "objects-\(UInt64.random(in: 0 ... .max))"
        vault.addKey(name)
        return name
    }

    func rotate(_ name: String) { vault.rotate(name) }

    func rewrap(_ ciphertext: String, name: String, context: [UInt8]) throws -> String {
        try vault.rewrap(ciphertext, name: name, context: context)
    }

    func wrap(bytes: [UInt8], name: String, context: [UInt8]) throws -> String {
        try vault.seal(bytes, name: name, context: context)
    }
}

/// The adapter, on whatever bench has a vault. Each check has its own, and asks it for one thing
/// after the other.
final class AdapterCustodianBench: KeyCustodianBench, @unchecked Sendable {
    let custodian: any KeyCustodian
    let workers: VaultWorkers<VaultSecretStore>
    private let vault: any StoreBench

    init(_ vault: any StoreBench, settings: VaultSettings) throws {
        self.vault = vault
        workers = try VaultWorkers(
            settings: Self.settings, clock: AsyncClock(),
            makeStore: { () throws(SecretStoreFailure) in
                try VaultSecretStore(
                    settings: settings, credential: nil, openSSLMemory: .unchanged)
            })
        let arena = try SecretArena(
            bytes: KeyCustodianCheck.arenaBytes, minimumTier: .ordinary)
        custodian = TransitKeyCustodian(workers: workers, arena: arena)
    }

    deinit { workers.stop() }

    private static var settings: VaultWorkersSettings {
        var settings = VaultWorkersSettings()
        // A busy machine is no failure of the vault.
        settings.callTime = .seconds(120)
        return settings
    }

    func custodian(keysIn arena: SecretArena) -> any KeyCustodian {
        TransitKeyCustodian(workers: workers, arena: arena)
    }

    func putKey() throws -> String { try vault.putDerivedKey() }

    func rotate(_ name: String) throws { try vault.rotate(key: name) }

    func rewrap(_ ciphertext: String, name: String, context: [UInt8]) throws -> String {
        try vault.rewrap(ciphertext, key: name, ["context": context])
    }

    func wrap(bytes: [UInt8], name: String, context: [UInt8]) throws -> String {
        try vault.store(token: vault.credentials.root).encrypt(
            bytes, key: name, binding: .derivation(context))
    }
}

extension LoopbackBench {
    /// For the root token.
    func settings() throws -> VaultSettings {
        try settings(
            port: vault.listener.port, authorityFile: vault.authorityFile,
            tokenFile: vault.file("root-\(UInt64.random(in: 0 ... .max))", credentials.root))
    }
}

extension OpenBaoBench {
    /// For the root token.
    func settings() throws -> VaultSettings {
        try settings(
            port: server.port, authorityFile: server.authorityFile,
            tokenFile: server.file("root-\(UInt64.random(in: 0 ... .max))", credentials.root))
    }
}

extension StoreBench {
    fileprivate func settings(
        port: UInt16, authorityFile: String, tokenFile: String
    ) -> VaultSettings {
        var settings = VaultSettings(
            origin: Origin(scheme: "https", host: "127.0.0.1", port: port),
            auth: .token(file: tokenFile))
        settings.trustAnchorsFile = authorityFile
        settings.minimumTier = .ordinary
        settings.requestSecondsMax = 60
        return settings
    }
}

@Suite("KeyCustodian: the fake") struct SimulatedCustodianTests {
    @Test(arguments: KeyCustodianCheck.all)
    func `does as every custodian does`(_ check: KeyCustodianCheck) async throws {
        try await check.run(SimulatedCustodianBench())
    }

    @Test func `a sealed vault is told, and is an outage`() async throws {
        let bench = try SimulatedCustodianBench()
        try await expectSealed(bench) { isSealed in
            bench.vault.failure = isSealed ? .sealed(host: "vault") : nil
        }
    }

    @Test func `has one name for each check`() {
        let names = KeyCustodianCheck.all.map(\.testDescription)
        #expect(Set(names).count == names.count)
    }

    @Test func `the same seed makes the same keys, another one others`() throws {
        let vault = SimulatedKeyVault(keys: ["a"])
        let arena = try SecretArena(bytes: 4096, minimumTier: .ordinary)
        let keys = try [1, 1, 2].map { seed in
            try SimulatedKeyCustodian(vault, arena: arena, seed: seed).newKey().bytes
        }
        #expect(keys[0] == keys[1] && keys[0] != keys[2])
    }
}

@Suite("KeyCustodian: custodians that break one line of the contract")
struct KeyCustodianBrokenCopyTests {
    @Test(arguments: BrokenKeyCustodian.Fault.allCases)
    func `are found out`(_ fault: BrokenKeyCustodian.Fault) async throws {
        #expect(!fault.foundBy.isEmpty)
        for name in fault.foundBy {
            let check = try #require(
                KeyCustodianCheck.all.first { $0.testDescription == name }, "no check: \(name)")
            let bench = try SimulatedCustodianBench { BrokenKeyCustodian($0, fault: fault) }
            await #expect(throws: (any Error).self, "\(fault): \(name)") {
                try await check.run(bench)
            }
        }
    }
}

@Suite("KeyCustodian: the adapter on the fake vault") struct LoopbackCustodianTests {
    @Test(arguments: KeyCustodianCheck.all)
    func `does as every custodian does`(_ check: KeyCustodianCheck) async throws {
        let vault = try LoopbackBench()
        try await check.run(try AdapterCustodianBench(vault, settings: vault.settings()))
    }

    @Test func `a sealed vault is told, and is an outage`() async throws {
        let vault = try LoopbackBench()
        let bench = try AdapterCustodianBench(vault, settings: vault.settings())
        try await expectSealed(bench) { $0 ? vault.seal() : vault.unseal() }
    }

    @Test func `a key that is not derived is found out`() async throws {
        let vault = try LoopbackBench()
        let bench = try AdapterCustodianBench(vault, settings: vault.settings())
        try await bench.custodian.check(name: vault.putDerivedKey())
        await #expect(throws: TransitKeyFault.notDerived) {
            try await bench.custodian.check(name: "app")
        }
    }
}

@Suite(
    "RealVaultTests: the custodian on OpenBao",
    .enabled(if: OpenBaoServer.binary != nil, "CLOUDTASER_OPENBAO names no binary"))
struct RealCustodianTests {
    @Test(arguments: KeyCustodianCheck.all)
    func `does as every custodian does`(_ check: KeyCustodianCheck) async throws {
        let vault = try OpenBaoBench.shared.get()
        try await check.run(try AdapterCustodianBench(vault, settings: vault.settings()))
    }

    @Test func `a sealed vault is told, and is an outage`() async throws {
        let vault = try OpenBaoBench()
        let bench = try AdapterCustodianBench(vault, settings: vault.settings())
        try await expectSealed(bench) { $0 ? try vault.seal() : try vault.unseal() }
    }

    @Test func `a key that is not derived is found out`() async throws {
        let vault = try OpenBaoBench.shared.get()
        let bench = try AdapterCustodianBench(vault, settings: vault.settings())
        try await bench.custodian.check(name: try vault.putDerivedKey())
        await #expect(throws: TransitKeyFault.notDerived) {
            try await bench.custodian.check(name: "app")
        }
    }
}

private func expectSealed(
    _ bench: any KeyCustodianBench, seal: (Bool) throws -> Void
) async throws {
    let context = KeyCustodianCheck.context
    let name = try await bench.putKey()
    let key = try bench.custodian.newKey()
    let wrapped = try await bench.custodian.wrap(key, name: name, context: context)
    try seal(true)
    try await expectVault("wrapping while it is sealed", isOutage: true) {
        _ = try await bench.custodian.wrap(key, name: name, context: context)
    }
    try await expectVault("unwrapping while it is sealed", isOutage: true) {
        _ = try await bench.custodian.unwrap(wrapped, name: name, context: context)
    }
    try seal(false)
    // The vault needs a moment to load what it knows.
    for _ in 0..<300 {
        if (try? await bench.custodian.unwrap(wrapped, name: name, context: context)) != nil {
            break
        }
        try await Task.sleep(for: .milliseconds(100))
    }
    let back = try await bench.custodian.unwrap(wrapped, name: name, context: context)
    #expect(back.bytes == key.bytes)
}
