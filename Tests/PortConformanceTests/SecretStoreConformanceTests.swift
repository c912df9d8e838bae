// SPDX-License-Identifier: Apache-2.0
import Glibc
import OpenBaoServer
import Ports
import Testing
import WrapperConfiguration

@Suite("SecretStore: the fake") struct SimulatedStoreTests {
    @Test(arguments: Check.all) func `does as every store does`(_ check: Check) throws {
        try check.run(SimulatedBench())
    }

    @Test func `a sealed vault is told apart, at a login as at a read`() throws {
        try expectSealed(SimulatedBench())
    }
}

@Suite("SecretStore: the adapter on the fake vault") struct LoopbackStoreTests {
    @Test(arguments: Check.all) func `does as every store does`(_ check: Check) throws {
        try check.run(LoopbackBench())
    }

    @Test func `a sealed vault is told apart, at a login as at a read`() throws {
        try expectSealed(LoopbackBench())
    }
}

@Suite(
    "RealVaultTests: the adapter on OpenBao",
    .enabled(if: OpenBaoServer.binary != nil, "CLOUDTASER_OPENBAO names no binary"))
struct RealVaultTests {
    @Test(arguments: Check.all) func `does as every store does`(_ check: Check) throws {
        try check.run(OpenBaoBench.shared.get())
    }

    @Test func `a sealed vault is told apart, at a login as at a read`() throws {
        try expectSealed(OpenBaoBench())
    }

    @Test func `a vault that was never initialised is told apart`() throws {
        let server = try OpenBaoServer()
        let client = OpenBaoBench.client(of: server)
        #expect(throws: SecretStoreFailure.uninitialized(host: "127.0.0.1")) {
            try client.store(StoreOptions(auth: .token(file: nil), credential: "s.any")).logIn()
        }
    }
}

/// Says how much was left out, in the run's last line.
@Suite("Real servers") struct RealServerCountTests {
    /// The checks, sealing and initialisation.
    static let count = Check.all.count + 2

    @Test func `what was not run is counted`() {
        guard OpenBaoServer.binary == nil else { return }
        // After the runner's own summary: a line in the middle of a log is not read.
        atexit {
            let count = RealServerCountTests.count
            print("not run: \(count) tests on a real OpenBao (\(OpenBaoServer.variable) unset)")
        }
    }
}

private func expectSealed(_ bench: any StoreBench) throws {
    let sealed = SecretStoreFailure.sealed(host: "127.0.0.1")
    let store = try bench.appRoleStore()
    let (lease, _) = try store.lease("database/creds/app", "password")
    try bench.seal()
    let calls: [(StoreUnderTest) throws -> Void] = [
        { _ = try $0.read("secret/app", ["yes"]) }, { _ = try $0.currentVersion("secret/app") },
        { _ = try $0.renewToken() }, { _ = try $0.renew(lease.id) }, { try $0.revoke(lease.id) },
        { try $0.revokeToken() }, { _ = try $0.encrypt([1], key: "app") },
        { _ = try $0.decrypt("vault:v1:AAAA", key: "app") }, { try $0.logIn() },
    ]
    for call in calls { #expect(throws: sealed) { try call(store) } }
    #expect(throws: sealed) { try bench.read("secret/app", ["yes"]) }
    try bench.unseal()
    // Everything that was granted before is still good: the vault needs a moment to load it.
    for _ in 0..<300 {
        if (try? store.renewToken()) != nil { break }
        try bench.wait(milliseconds: 100)
    }
    #expect(try store.renewToken().isRenewable)
    #expect(try store.renew(lease.id).isRenewable)
    #expect(try store.read("secret/app", ["yes"]).values == ["true"])
}
