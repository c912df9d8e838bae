// SPDX-License-Identifier: Apache-2.0
import Glibc
import LoopbackPKI
import Ports
import Simulation
import Testing
import VaultListener
import VaultSecretStore
import WrapperConfiguration

/// The words by which other programs' tests describe a vault that makes secrets.
@Suite("A scripted vault") struct ListenerScriptTests {
    @Test func `makes what its script says, and its time passes`() throws {
        let vault = try ListenerScript(
            """
            real-time
            login-life 600 1200
            approle app the-secret-id
            wrapped app s.the-wrapping-token
            database db short 1 3600
            database db app 60 3600
            pki pki web 60 3600
            transit transit app
            """
        ).start()
        var settings = vault.settings(.appRole(roleID: "app", secretIDFile: nil))
        settings.isSecretIDWrapped = true
        var store = try VaultSecretStore(
            settings: settings, credential: .testing("s.the-wrapping-token"),
            openSSLMemory: .unchanged)
        #expect(try store.logIn() == Grant(lifetime: .seconds(600), isRenewable: true))
        var leases: [Lease] = []
        for path in ["db/creds/short", "db/creds/app"] {
            _ = try store.read(
                SecretQuery(path: path), fields: ["password"], onLease: { leases.append($0) },
                receive: { _, _ in })
        }
        #expect(leases.map(\.grant.lifetime) == [.seconds(1), .seconds(60)])
        let facts = try store.read(
            SecretQuery(
                path: "pki/issue/web", parameters: [.init(name: "common_name", value: "a.test")]),
            fields: ["certificate"], onLease: { _ in }, receive: { _, _ in })
        let lifetime = try #require(facts.lifetime)
        #expect((Duration.seconds(30)...Duration.seconds(60)).contains(lifetime))
        let bytes: [UInt8] = [1, 2, 3]
        _ = try store.encrypt(bytes.span.bytes, key: "app", binding: .none)
        // The short one ends by itself.
        while vault.listener.withVault({ $0.leases.first?.isLive }) == true { usleep(10_000) }
        #expect(throws: SecretStoreFailure.leaseUnknown) { try store.renew(leases[0].id) }
        #expect(try store.renew(leases[1].id).isRenewable)
    }

    @Test func `a client certificate is asked for where it is a way to log in`() throws {
        let vault = try ListenerScript("cert app workload\nkv2 secret app a=b\n").start()
        let client = try vault.pki.client()
        var settings = vault.settings(.certificate(name: "app"))
        settings.clientCertificateFile = try vault.file("client.pem", client.certificatePEM)
        settings.clientKeyFile = try vault.file("client-key.pem", client.keyPEM)
        #expect(
            try vault.read("secret/app", ["a"], settings: settings, credential: nil) == ["b"])
    }

    @Test(arguments: [
        "database db app 60", "pki pki web x 60", "wrapped nobody s.token", "login-life x 1",
    ])
    func `a line that says nothing known is refused`(_ line: String) {
        #expect(throws: ListenerScript.Failure.self) { try ListenerScript(line) }
    }
}
