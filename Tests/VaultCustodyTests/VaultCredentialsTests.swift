// SPDX-License-Identifier: Apache-2.0
import AsyncClock
import ObjectKeyPorts
import Ports
import SecretMemory
import Testing
import VaultCustody

private let clientsPath = "secret/s3/clients"
private let upstreamPath = "secret/s3/upstream"

private final class Bench: Sendable {
    let script = Script()
    let arena: SecretArena
    let workers: VaultWorkers<ScriptedStore>
    let credentials: VaultCredentials

    init(arenaBytes: Int = 64 << 10) throws {
        var settings = VaultWorkersSettings()
        settings.callTime = .seconds(120)
        settings.threads = 1
        workers = try VaultWorkers(
            settings: settings, clock: AsyncClock(),
            makeStore: { [script] () throws(SecretStoreFailure) in try script.store() })
        arena = try SecretArena(bytes: arenaBytes, minimumTier: .ordinary)
        credentials = VaultCredentials(
            settings: VaultCredentialsSettings(
                clientsPath: clientsPath, upstreamPath: upstreamPath), arena: arena)
    }

    deinit { workers.stop() }

    func put(_ fields: [(name: String, value: String)]?, at path: String = clientsPath) {
        script.with { $0.secrets[path] = fields }
    }

    func read() async throws -> VaultCredentials.Report {
        try await credentials.readClients(by: workers)
    }

    func secret(of id: String) -> String? {
        var found: String?
        credentials.lend(id) { secret, session in
            if session != nil { Issue.record("a session of nobody") }
            found = secret.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        }
        return found
    }
}

@Suite struct `Credentials of clients` {
    @Test func `are the fields of a secret`() async throws {
        let bench = try Bench()
        #expect(bench.secret(of: "AKIA1") == nil)
        bench.put([("AKIA1", "one"), ("AKIA2", "two")])
        let report = try await bench.read()
        #expect(report == .init(clientCount: 2, unusable: [], isChanged: true))
        #expect(bench.secret(of: "AKIA1") == "one" && bench.secret(of: "AKIA2") == "two")
        #expect(bench.secret(of: "AKIA3") == nil && bench.secret(of: "") == nil)
    }

    @Test func `are in secret memory`() async throws {
        let bench = try Bench()
        bench.put([("AKIA1", "one"), ("AKIA2", "two")])
        _ = try await bench.read()
        #expect(bench.arena.statistics.liveBlocks == 2)
        var isInArena = false
        bench.credentials.lend("AKIA1") { secret, _ in
            isInArena = secret.withUnsafeBytes { $0.baseAddress.map(bench.arena.contains) ?? false }
        }
        #expect(isInArena)
    }

    @Test func `change and go with the vault's`() async throws {
        let bench = try Bench()
        bench.put([("AKIA1", "one"), ("AKIA2", "two")])
        _ = try await bench.read()
        #expect(try await bench.read().isChanged == false)
        bench.put([("AKIA1", "another"), ("AKIA3", "three")])
        #expect(try await bench.read() == .init(clientCount: 2, unusable: [], isChanged: true))
        #expect(bench.secret(of: "AKIA1") == "another" && bench.secret(of: "AKIA2") == nil)
        #expect(bench.secret(of: "AKIA3") == "three")
        #expect(bench.arena.statistics.liveBlocks == 2, "the old ones are gone")
    }

    @Test func `stay when the vault is away`() async throws {
        let bench = try Bench()
        bench.put([("AKIA1", "one")])
        _ = try await bench.read()
        let failure = SecretStoreFailure.sealed(host: "vault")
        for failure in [failure, .permissionDenied(path: clientsPath)] {
            // Another token is tried for a refusal when the first one is old.
            bench.script.with { $0.callFailures = [failure, failure] }
            await #expect(throws: KeyCustodyFailure.vault(failure)) { try await bench.read() }
            bench.script.with { $0.callFailures = [] }
            #expect(bench.secret(of: "AKIA1") == "one")
        }
    }

    @Test(arguments: [
        SecretStoreFailure.notFound(path: clientsPath), .versionDeleted(path: clientsPath),
        .versionDestroyed(path: clientsPath),
    ])
    func `go when the vault says that there are none`(_ failure: SecretStoreFailure) async throws {
        let bench = try Bench()
        bench.put([("AKIA1", "one")])
        _ = try await bench.read()
        bench.script.with { $0.callFailures = [failure] }
        await #expect(throws: KeyCustodyFailure.vault(failure)) { try await bench.read() }
        #expect(bench.secret(of: "AKIA1") == nil)
    }

    @Test func `leave out what is none, by name`() async throws {
        let bench = try Bench()
        bench.put([
            ("AKIA1", "one"), ("with/slash", "x"), ("with space", "x"), ("empty", ""),
            ("long", String(repeating: "x", count: 1025)),
        ])
        let report = try await bench.read()
        #expect(report.clientCount == 1)
        #expect(report.unusable == ["empty", "long", "with space", "with/slash"])
        #expect(bench.secret(of: "empty") == nil && bench.secret(of: "AKIA1") == "one")
    }

    @Test func `stay when there is no memory for new ones`() async throws {
        let bench = try Bench(arenaBytes: 4096)
        bench.put([("AKIA1", "one")])
        _ = try await bench.read()
        bench.put((0..<300).map { ("AKIA\($0)", "value of client \($0)") })
        await #expect(throws: KeyCustodyFailure.memoryExhausted) { try await bench.read() }
        #expect(bench.secret(of: "AKIA1") == "one" && bench.secret(of: "AKIA2") == nil)
    }
}

@Suite struct `Credentials for the upstream store` {
    private func secret(_ block: SecretBlock?) -> String? {
        block?.withBytes { $0.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
    }

    @Test func `are named fields of a secret`() async throws {
        let bench = try Bench()
        #expect(bench.credentials.upstream == nil)
        bench.put(
            [("access_key_id", "UP1"), ("secret_access_key", "s3cret"), ("note", "ours")],
            at: upstreamPath)
        #expect(try await bench.credentials.readUpstream(by: bench.workers))
        let found = try #require(bench.credentials.upstream)
        #expect(found.accessKeyID == "UP1" && secret(found.secret) == "s3cret")
        #expect(found.sessionCredential == nil)
        #expect(try await bench.credentials.readUpstream(by: bench.workers) == false)
        bench.put(
            [("access_key_id", "UP1"), ("secret_access_key", "s3cret"), ("session_token", "t")],
            at: upstreamPath)
        #expect(try await bench.credentials.readUpstream(by: bench.workers))
        #expect(secret(bench.credentials.upstream?.sessionCredential) == "t")
    }

    @Test func `are told to be incomplete, and the old ones stay`() async throws {
        let bench = try Bench()
        bench.put([("access_key_id", "UP1"), ("secret_access_key", "s")], at: upstreamPath)
        _ = try await bench.credentials.readUpstream(by: bench.workers)
        for (fields, missing) in [
            ([("access_key_id", "UP2")], "secret_access_key"),
            ([("secret_access_key", "s")], "access_key_id"),
        ] {
            bench.put(fields, at: upstreamPath)
            let failure = SecretStoreFailure.fieldMissing(path: upstreamPath, field: missing)
            await #expect(throws: KeyCustodyFailure.vault(failure)) {
                try await bench.credentials.readUpstream(by: bench.workers)
            }
        }
        bench.put([("access_key_id", "with space"), ("secret_access_key", "s")], at: upstreamPath)
        await #expect(throws: KeyCustodyFailure.self) {
            try await bench.credentials.readUpstream(by: bench.workers)
        }
        #expect(bench.credentials.upstream?.accessKeyID == "UP1")
    }
}
