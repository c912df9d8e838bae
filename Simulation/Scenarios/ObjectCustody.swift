// SPDX-License-Identifier: Apache-2.0
internal import ObjectKeyPorts
internal import Ports
internal import SecretMemory
internal import SimulationEngine

/// The vault of `ObjectProxyScenario` as its proxies use it: it wraps keys, bound to name and
/// context, is sealed for a while, and fails now and then. Fault class: `custody.failed`.
final class ObjectVault: @unchecked Sendable {
    private struct Wrapped {
        let key: [UInt8]
        let name: String
        let context: [UInt8]
    }

    static let host = "vault.sim"
    /// How long a call to a vault takes that does not answer.
    static let callTimeMax = Duration.seconds(8)

    let arena: SecretArena
    var isSealed = false
    /// Calls that failed.
    private(set) var failures = 0
    private let run: SimulationRun
    private var wrapped: [Wrapped] = []
    private var keyCount = 0

    init(_ run: SimulationRun) throws(SecretMemoryFailure) {
        self.run = run
        arena = try SecretArena(bytes: 1 << 20, minimumTier: .ordinary)
    }

    func newKey() throws(KeyCustodyFailure) -> SecretBlock {
        keyCount += 1
        let bytes = run.choices.seededBytes(32, label: "entropy/key/\(keyCount)")
        run.report(SecretRegistered("key", bytes: Array(bytes.prefix(12))))
        return try block(bytes)
    }

    func wrap(_ key: SecretBlock, name: String, context: [UInt8]) -> String {
        let bytes = key.withBytes { $0.withUnsafeBytes { [UInt8]($0) } }
        wrapped.append(Wrapped(key: bytes, name: name, context: context))
        return "vault:v1:number\(wrapped.count)"
    }

    func unwrap(
        _ ciphertext: String, name: String, context: [UInt8]
    ) throws(KeyCustodyFailure) -> SecretBlock {
        guard let number = Int(ciphertext.dropFirst("vault:v1:number".count)),
            wrapped.indices.contains(number - 1), wrapped[number - 1].name == name,
            wrapped[number - 1].context == context
        else { throw .notAuthentic }
        return try block(wrapped[number - 1].key)
    }

    /// What a call meets on its way.
    func meet(_ site: String, _ clock: SimulatedClock) async throws(KeyCustodyFailure) {
        guard !Task.isCancelled else { throw .cancelled }
        let latency = run.choices.draw(in: 1...60, label: "custody/latency")
        await clock.sleep(for: .milliseconds(latency))
        guard !Task.isCancelled else { throw .cancelled }
        if isSealed {
            run.marks.hit("object-proxy.sealed")
            failures += 1
            throw .vault(.sealed(host: Self.host))
        }
        guard run.faults.fires("custody.failed", site: site) else { return }
        switch run.choices.draw(below: 4, label: "custody/failure") {
        case 0: throw .vault(.connectionFailed(host: Self.host, port: 8200, errorNumber: 111))
        case 1: throw .vault(.standby(host: Self.host))
        case 2: throw .vault(.rateLimited(host: Self.host, retryAfterSeconds: 1))
        default:
            await clock.sleep(for: Self.callTimeMax)
            // Whoever waits for the same call is told only now.
            failures += 1
            throw Task.isCancelled
                ? .cancelled : .vault(.timedOut(host: Self.host, seconds: 8))
        }
    }

    private func block(_ bytes: [UInt8]) throws(KeyCustodyFailure) -> SecretBlock {
        let block = SecretBlock(bytes.count, in: arena) { $0.copyBytes(from: bytes) }
        guard let block else { throw .memoryExhausted }
        return block
    }

    /// What is kept goes: tasks that stand still for ever may hold the vault.
    func forget() { wrapped = [] }
}

/// One replica's way to the vault.
final class ObjectCustodian: KeyCustodian, @unchecked Sendable {
    private let vault: ObjectVault
    private let clock: SimulatedClock

    init(_ vault: ObjectVault, _ clock: SimulatedClock) {
        self.vault = vault
        self.clock = clock
    }

    func newKey() throws(KeyCustodyFailure) -> SecretBlock { try vault.newKey() }

    func wrap(
        _ key: SecretBlock, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> String {
        try await vault.meet("wrap", clock)
        return vault.wrap(key, name: name, context: context)
    }

    func unwrap(
        _ ciphertext: String, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> SecretBlock {
        try await vault.meet("unwrap", clock)
        return try vault.unwrap(ciphertext, name: name, context: context)
    }
}

/// Salts of all replicas: no two are the same. Fault class: `entropy.unavailable`.
final class ObjectSalts: SaltSource, @unchecked Sendable {
    private let run: SimulationRun
    private var count: UInt64 = 0

    init(_ run: SimulationRun) { self.run = run }

    func salt() throws(EntropyFailure) -> [UInt8] {
        // ENOSYS: what an old kernel answers.
        if run.faults.fires("entropy.unavailable") { throw .unavailable(errorNumber: 38) }
        count += 1
        var mixer = WordMixer(run.seed)
        mixer.add(count)
        return SimulatedCipher.Words(mixer).bytes
    }
}

struct ObjectCredentials: ClientCredentials {
    static let accessKeyID = "AKIDCLIENT"

    let secret: [UInt8]

    func lend(
        _ accessKeyID: String, _ lend: (_ secret: RawSpan, _ sessionToken: RawSpan?) -> Void
    ) {
        guard accessKeyID == Self.accessKeyID else { return }
        lend(secret.span.bytes, nil)
    }
}
