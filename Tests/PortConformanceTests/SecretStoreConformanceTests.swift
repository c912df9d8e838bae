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
            try client.read(
                "secret/app", ["a"], auth: .token(file: nil), credential: "s.any",
                namespace: nil)
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
    #expect(try bench.read("secret/app", ["yes"]) == ["true"])
    try bench.seal()
    #expect(throws: SecretStoreFailure.sealed(host: "127.0.0.1")) {
        try bench.read("secret/app", ["yes"])
    }
    #expect(throws: SecretStoreFailure.sealed(host: "127.0.0.1")) {
        try bench.read(
            "secret/app", ["yes"],
            auth: .appRole(roleID: bench.credentials.roleID, secretIDFile: nil),
            credential: bench.credentials.secretID, namespace: nil)
    }
}
