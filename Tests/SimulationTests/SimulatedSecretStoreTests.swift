// SPDX-License-Identifier: Apache-2.0
import Ports
import Simulation
import Testing
import WrapperConfiguration

@Suite("The fake store") struct SimulatedSecretStoreTests {
    private let server: SimulatedVaultServer

    init() {
        var vault = SimulatedVault()
        vault.put(mount: "secret", name: "app", fields: [("a", .string("b"))])
        vault.mount(
            .database(["app": .init(secondsToLive: 60, maxSecondsToLive: 150)]), at: "database")
        vault.namespaces[""]?.authBackends["approle"] = .appRole([
            "app": .init(credentials: ["id"], secondsToLive: 100, maxSecondsToLive: 300)
        ])
        server = SimulatedVaultServer(vault)
    }

    private func store(
        isWrapped: Bool = false, credential: String = "id",
        plan: @escaping (SecretStoreCall) -> SimulatedStoreFault? = { _ in nil }
    ) -> SimulatedSecretStore {
        var settings = VaultSettings(
            origin: Origin(scheme: "https", host: "vault.test", port: 8200),
            auth: .appRole(roleID: "app", secretIDFile: nil))
        settings.isSecretIDWrapped = isWrapped
        return SimulatedSecretStore(
            server: server, settings: settings, credential: credential, plan: plan)
    }

    private static let dynamic = SecretQuery(path: "database/creds/app")

    private func lease(
        _ store: inout SimulatedSecretStore, fields: [String] = ["password"]
    ) throws -> [Lease] {
        var leases: [Lease] = []
        _ = try store.read(
            Self.dynamic, fields: fields, onLease: { leases.append($0) },
            receive: { _, _ in })
        return leases
    }

    @Test func `a lease is renewed up to its longest life, and then it is over`() throws {
        var store = store()
        _ = try store.logIn()
        let lease = try #require(try lease(&store).first)
        #expect(lease.grant == Grant(lifetime: .seconds(60), isRenewable: true))
        server.vault.advance(seconds: 50)
        #expect(try store.renew(lease.id).lifetime == .seconds(60))
        #expect(try store.renewToken().lifetime == .seconds(100))
        server.vault.advance(seconds: 59)
        #expect(try store.renew(lease.id).lifetime == .seconds(41))
        _ = try store.renewToken()
        server.vault.advance(seconds: 41)
        #expect(throws: SecretStoreFailure.leaseUnknown) { try store.renew(lease.id) }
        #expect(server.vault.leases.map(\.state) == [.expired(at: 150)])
        #expect(server.vault.leases.map(\.renewals) == [2])
    }

    @Test func `a token's end takes its leases along`() throws {
        var store = store()
        _ = try store.logIn()
        _ = try lease(&store)
        try store.revokeToken()
        #expect(server.vault.leases.map(\.state) == [.revoked(at: 0)])
        #expect(throws: SecretStoreFailure.tokenInvalid) { try store.renewToken() }
        _ = try store.logIn()
        server.vault.advance(seconds: 50)
        _ = try lease(&store)
        server.vault.advance(seconds: 55)
        #expect(server.vault.leases.last?.state == .revoked(at: 100))
        #expect(server.vault.liveTokens == [SimulatedVault.rootToken])
    }

    @Test func `two stores share one vault, and a wrapped secret id is for the first`() throws {
        let made = server.vault.wrapSecretID(roleID: "app")
        let wrapping = try #require(made)
        var first = store(isWrapped: true, credential: wrapping)
        var second = store(isWrapped: true, credential: wrapping)
        #expect(try first.logIn() == Grant(lifetime: .seconds(100), isRenewable: true))
        #expect(throws: SecretStoreFailure.wrappingTokenInvalid) { try second.logIn() }
        // Kept, since it cannot be had again.
        _ = try first.logIn()
        #expect(
            server.vault.issued.map(\.kind) == [.secretID, .wrappingToken, .token, .token])
    }

    @Test func `a failure can be planted before, after and in an answer`() throws {
        let failure = SecretStoreFailure.timedOut(host: "vault.test", seconds: 30)
        for (fault, leases, isReported) in [
            (SimulatedStoreFault.before(failure), 0, false), (.answerLost(failure), 1, false),
            (.inAnswer(failure), 1, true),
        ] {
            let before = server.vault.leases.count
            var store = store(plan: { $0 == .read(path: "database/creds/app") ? fault : nil })
            _ = try store.logIn()
            var reported: [Lease] = []
            #expect(throws: failure) {
                try store.read(
                    Self.dynamic, fields: ["password"], onLease: { reported.append($0) },
                    receive: { _, _ in Issue.record("a failed read hands nothing over") })
            }
            #expect(server.vault.leases.count == before + leases)
            #expect(reported.count == (isReported ? 1 : 0))
            #expect(store.calls == [.logIn, .read(path: "database/creds/app")])
        }
    }

    @Test func `every case of the port's failures can be injected at every call`() throws {
        let samples = SecretStoreFailure.oneOfEach()
        // The rate limit comes with and without a time to wait.
        #expect(Set(samples.map(\.caseName)).count == samples.count - 1)
        for failure in samples {
            var store = store(plan: { $0 == .logIn ? nil : .before(failure) })
            _ = try store.logIn()
            #expect(throws: failure) { try store.renewToken() }
            #expect(throws: failure) { try store.renew(LeaseID("a")) }
            #expect(throws: failure) { try store.revoke(LeaseID("a")) }
            #expect(throws: failure) { try store.currentVersion(of: Self.dynamic) }
            #expect(throws: failure) { try lease(&store) }
            #expect(throws: failure) { try store.revokeToken() }
            let key: [UInt8] = [1]
            #expect(throws: failure) {
                try store.encrypt(key.span.bytes, key: "app", binding: .none)
            }
            #expect(throws: failure) {
                try store.decrypt("vault:v1:", key: "app", binding: .none) { _ in }
            }
        }
        #expect(server.vault.leases.isEmpty)
    }

    @Test func `a lost answer to a login leaves a token that nobody has`() throws {
        var store = store(plan: { _ in .answerLost(.responseTruncated(path: "login")) })
        #expect(throws: SecretStoreFailure.responseTruncated(path: "login")) {
            _ = try store.logIn()
        }
        #expect(server.vault.liveTokens.count == 2)
    }

    @Test func `a lost answer to an unwrapping uses the wrapping token up`() throws {
        let made = server.vault.wrapSecretID(roleID: "app")
        let failure = SecretStoreFailure.timedOut(host: "vault.test", seconds: 30)
        var store = store(
            isWrapped: true, credential: try #require(made),
            plan: { $0 == .unwrap ? .answerLost(failure) : nil })
        #expect(throws: failure) { try store.logIn() }
        store.plan = { _ in nil }
        #expect(throws: SecretStoreFailure.wrappingTokenInvalid) { try store.logIn() }
    }

    @Test func `what is issued can be named by the caller`() throws {
        let vault = SimulatedVault(makeSecret: { "\($0.rawValue)/\($1 * 7)" })
        let other = SimulatedVaultServer(vault)
        other.vault.namespaces[""]?.authBackends["approle"] = .appRole([
            "app": .init(credentials: ["id"])
        ])
        var settings = VaultSettings(
            origin: Origin(scheme: "https", host: "vault.test", port: 8200),
            auth: .appRole(roleID: "app", secretIDFile: nil))
        settings.namespace = ""
        var store = SimulatedSecretStore(server: other, settings: settings, credential: "id")
        _ = try store.logIn()
        #expect(other.vault.issued == [.init(kind: .token, text: "token/7")])
    }
}
