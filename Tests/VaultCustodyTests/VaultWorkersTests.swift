// SPDX-License-Identifier: Apache-2.0
import AsyncClock
import ObjectKeyPorts
import Ports
import SecretMemory
import Testing
import VaultCustody

private let outage = SecretStoreFailure.connectionFailed(
    host: "vault", port: 8200, errorNumber: 111)
private let context = [UInt8](repeating: 3, count: 32)

/// Workers on a script, and a custodian on them. Ends the threads at its end.
private final class Bench: Sendable {
    let script = Script()
    let workers: VaultWorkers<ScriptedStore>
    let custodian: TransitKeyCustodian<ScriptedStore>

    init(_ change: (inout VaultWorkersSettings) -> Void = { _ in }) throws {
        var settings = VaultWorkersSettings()
        settings.callTime = .seconds(120)
        change(&settings)
        workers = try VaultWorkers(
            settings: settings, clock: AsyncClock(),
            makeStore: { [script] () throws(SecretStoreFailure) in try script.store() })
        custodian = TransitKeyCustodian(
            workers: workers, arena: try SecretArena(bytes: 64 << 10, minimumTier: .ordinary))
    }

    deinit {
        script.with { $0.isHeld = false }
        workers.stop()
    }

    @discardableResult
    func wrap() async throws(KeyCustodyFailure) -> String {
        try await custodian.wrap(try custodian.newKey(), name: "key", context: context)
    }

    func failure(of call: () async throws(KeyCustodyFailure) -> Void) async -> KeyCustodyFailure? {
        do throws(KeyCustodyFailure) {
            try await call()
            return nil
        } catch { return error }
    }

    func wrapFailure() async -> KeyCustodyFailure? {
        await failure { () async throws(KeyCustodyFailure) in try await wrap() }
    }
}

/// Waits for something that comes, however busy the machine is.
private func until(_ what: Comment, _ isSo: () -> Bool) async throws {
    for _ in 0..<12_000 {
        if isSo() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("never: \(what)")
}

@Suite struct `Threads for the vault` {
    @Test func `make nothing and log in nowhere before the first call`() async throws {
        let bench = try Bench()
        #expect(bench.script.with { $0.made } == 0)
        try await bench.wrap()
        #expect(bench.script.with { [$0.made, $0.logins] } == [1, 1])
        for _ in 0..<20 { try await bench.wrap() }
        #expect(bench.script.with { $0.logins <= 2 }, "one login for each thread")
    }

    @Test func `make stores and log in one after the other`() async throws {
        let bench = try Bench { $0.threads = 4 }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<64 { group.addTask { _ = try? await bench.wrap() } }
        }
        #expect(bench.script.with { [$0.loginsAtOnceMax, $0.makesAtOnceMax] } == [1, 1])
        #expect(bench.script.with { $0.logins <= 4 })
    }

    @Test func `do not storm a vault that refuses logins`() async throws {
        let bench = try Bench { $0.threads = 4 }
        let refusal = SecretStoreFailure.loginRefused(method: "jwt", role: "s3", status: 400)
        bench.script.with { $0.loginAlwaysFails = refusal }
        let clock = ContinuousClock()
        let start = clock.now
        for _ in 0..<200 { #expect(await bench.wrapFailure() == .vault(refusal)) }
        // As many as the pauses leave room for: 0, 0.25, 0.75, 1.75 seconds, …
        var room = 1
        var length = LoginPause.first
        var time = Duration.zero
        while time + length <= clock.now - start {
            time += length
            length *= 2
            room += 1
        }
        let count = bench.script.with { $0.logins }
        #expect((1...room).contains(count))
        #expect(bench.script.with { $0.encryptions } == 0)
    }

    @Test func `take another token when theirs is refused, and make the call once more`()
        async throws
    {
        let bench = try Bench { $0.threads = 1 }
        try await bench.wrap()
        bench.script.with { $0.callFailures = [.tokenInvalid] }
        try await bench.wrap()
        #expect(bench.script.with { [$0.logins, $0.encryptions] } == [2, 3])
    }

    @Test func `do not log in again and again for tokens that are refused at once`() async throws {
        let bench = try Bench { $0.threads = 1 }
        bench.script.with {
            $0.callFailures = [SecretStoreFailure](repeating: .tokenInvalid, count: 1000)
        }
        let clock = ContinuousClock()
        let start = clock.now
        for _ in 0..<100 { #expect(await bench.wrapFailure() == .vault(.tokenInvalid)) }
        var room = 1
        var length = LoginPause.first
        var time = Duration.zero
        while time + length <= clock.now - start {
            time += length
            length *= 2
            room += 1
        }
        #expect(bench.script.with { $0.logins } <= room)
    }

    @Test func `make a call once more that did not arrive, and not twice`() async throws {
        let bench = try Bench { $0.threads = 1 }
        bench.script.with { $0.callFailures = [outage] }
        try await bench.wrap()
        #expect(bench.script.with { $0.encryptions } == 2)
        bench.script.with { $0.callFailures = [outage, outage, outage] }
        #expect(await bench.wrapFailure() == .vault(outage))
        #expect(bench.script.with { $0.encryptions } == 4)
        bench.script.with { $0.callFailures = [.sealed(host: "vault")] }
        #expect(await bench.wrapFailure() == .vault(.sealed(host: "vault")))
        #expect(bench.script.with { $0.encryptions } == 5)
    }

    @Test func `tell why a store cannot be made, and make one later`() async throws {
        let bench = try Bench { $0.threads = 1 }
        let failure = SecretStoreFailure.trustAnchorsUnreadable(path: "/none")
        bench.script.with { $0.makeFailure = failure }
        for _ in 0..<50 { #expect(await bench.wrapFailure() == .vault(failure)) }
        #expect(bench.script.with { $0.made } < 50, "not for each call")
        bench.script.with { $0.makeFailure = nil }
        for _ in 0..<12_000 {
            if (try? await bench.wrap()) != nil { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(bench.script.with { $0.encryptions } == 1)
    }

    @Test func `renew a token though nobody calls`() async throws {
        let bench = try Bench { $0.threads = 1 }
        bench.script.with { $0.grant = Grant(lifetime: .milliseconds(300), isRenewable: true) }
        try await bench.wrap()
        try await until("renewals") { bench.script.with { $0.renewals >= 3 } }
        #expect(bench.script.with { $0.encryptions } == 1)
    }

    @Test func `refuse more calls than may wait`() async throws {
        let bench = try Bench {
            $0.threads = 1
            $0.waitingMax = 3
        }
        bench.script.with { $0.isHeld = true }
        var tasks = [Task { await bench.wrapFailure() }]
        try await until("a call under way") { bench.script.with { $0.logins == 1 } }
        tasks += (0..<3).map { _ in Task { await bench.wrapFailure() } }
        try await until("three that wait") { bench.workers.waitingCount == 3 }
        #expect(await bench.wrapFailure() == .overloaded)
        bench.script.with { $0.isHeld = false }
        for task in tasks { #expect(await task.value == nil) }
        #expect(await bench.wrapFailure() == nil)
    }

    @Test func `let go of a task that is cancelled, whether it waits or is served`() async throws {
        let bench = try Bench { $0.threads = 1 }
        bench.script.with { $0.isHeld = true }
        let served = Task { await bench.wrapFailure() }
        try await until("a call under way") { bench.script.with { $0.logins == 1 } }
        let waiting = Task { await bench.wrapFailure() }
        try await until("a call that waits") { bench.workers.waitingCount == 1 }
        for task in [waiting, served] {
            task.cancel()
            #expect(await task.value == .cancelled)
        }
        #expect(bench.workers.waitingCount == 0)
        bench.script.with { $0.isHeld = false }
        #expect(await bench.wrapFailure() == nil)
        #expect(bench.script.with { $0.encryptions } == 1, "nobody waited for the others")
    }

    @Test func `end a call that takes too long`() async throws {
        let bench = try Bench {
            $0.threads = 1
            $0.callTime = .seconds(1)
            $0.host = "vault.example"
        }
        bench.script.with { $0.isHeld = true }
        let failure = KeyCustodyFailure.vault(.timedOut(host: "vault.example", seconds: 1))
        let tasks = (0..<3).map { _ in Task { await bench.wrapFailure() } }
        for task in tasks { #expect(await task.value == failure) }
        #expect(bench.workers.waitingCount == 0)
    }

    @Test func `do what waits before they stop, and nothing afterwards`() async throws {
        let bench = try Bench { $0.threads = 2 }
        bench.script.with { $0.isHeld = true }
        let tasks = (0..<8).map { _ in Task { await bench.wrapFailure() } }
        try await until("calls that wait") { bench.workers.waitingCount == 6 }
        bench.script.with { $0.isHeld = false }
        bench.workers.stop()
        for task in tasks { #expect(await task.value == nil) }
        #expect(await bench.wrapFailure() == .vault(.interrupted))
        #expect(bench.script.with { $0.forgotten } == 2)
    }
}

@Suite struct `Salts of the kernel` {
    @Test func `are 32 bytes, never the same`() throws {
        let source = KernelSaltSource()
        var seen: Set<[UInt8]> = []
        for _ in 0..<1000 {
            let salt = try source.salt()
            #expect(salt.count == 32)
            seen.insert(salt)
        }
        #expect(seen.count == 1000)
        // Each place takes many values.
        for place in 0..<32 { #expect(Set(seen.map { $0[place] }).count > 100) }
    }
}
