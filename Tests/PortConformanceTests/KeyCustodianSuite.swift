// SPDX-License-Identifier: Apache-2.0
import ObjectKeyPorts
import Ports
import SecretMemory
import Testing

/// Custodians that the checks run against. Checks run in parallel, each with keys of its own.
protocol KeyCustodianBench: Sendable {
    var custodian: any KeyCustodian { get }
    /// The same vault, and keys in another arena.
    func custodian(keysIn arena: SecretArena) throws -> any KeyCustodian
    /// A derived transit key that no other check knows.
    func putKey() async throws -> String
    func rotate(_ name: String) async throws
    /// Inside the vault.
    func rewrap(_ ciphertext: String, name: String, context: [UInt8]) async throws -> String
    /// Wraps what is no key.
    func wrap(bytes: [UInt8], name: String, context: [UInt8]) async throws -> String
}

/// What every `KeyCustodian` does: a check for each line of the port's contract. They throw what
/// they find, so that they can be seen to find something.
struct KeyCustodianCheck: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let run: @Sendable (any KeyCustodianBench) async throws -> Void

    init(
        _ name: String, _ run: @escaping @Sendable (any KeyCustodianBench) async throws -> Void
    ) {
        testDescription = name
        self.run = run
    }

    static let all = keys + bindings + ciphertexts + calls

    static let context = [UInt8](0..<32)
    static let arenaBytes = 64 << 10

    // MARK: - Checks

    private static let keys = [
        KeyCustodianCheck("new keys are 32 bytes that nobody has seen") { bench in
            var seen: Set<[UInt8]> = []
            for _ in 0..<64 {
                let key = try bench.custodian.newKey()
                try require(key.count == 32, "a key of \(key.count) bytes")
                let bytes = key.bytes
                try require(Set(bytes).count > 8, "a key with few different bytes")
                try require(seen.insert(bytes).inserted, "the same key twice")
            }
        },
        KeyCustodianCheck("keys are in the arena, and go back to it") { bench in
            let arena = try SecretArena(bytes: arenaBytes, minimumTier: .ordinary)
            let custodian = try bench.custodian(keysIn: arena)
            let name = try await bench.putKey()
            do {
                let key = try custodian.newKey()
                try require(arena.statistics.liveBytes == 32, "a new key is not in the arena")
                let wrapped = try await custodian.wrap(key, name: name, context: context)
                let back = try await custodian.unwrap(wrapped, name: name, context: context)
                try require(arena.statistics.liveBytes == 64, "an unwrapped key is not there")
                try require(back.bytes == key.bytes, "another key")
            }
            // A thread may hold what it has done with for a moment.
            for _ in 0..<1000 where arena.statistics.liveBytes > 0 {
                try await Task.sleep(for: .milliseconds(10))
            }
            try require(arena.statistics.liveBytes == 0, "keys stay in the arena")
        },
        KeyCustodianCheck("an arena without a block is told") { bench in
            let arena = try SecretArena(bytes: 4096, minimumTier: .ordinary)
            let custodian = try bench.custodian(keysIn: arena)
            let name = try await bench.putKey()
            let wrapped = try await bench.custodian.wrap(
                try bench.custodian.newKey(), name: name, context: context)
            var held: [SecretBlock] = []
            for _ in 0..<128 { held.append(try custodian.newKey()) }
            try await expect(.memoryExhausted, "a new key") { _ = try custodian.newKey() }
            try await expect(.memoryExhausted, "an unwrapped key") {
                _ = try await custodian.unwrap(wrapped, name: name, context: context)
            }
            held = []
            _ = try await custodian.unwrap(wrapped, name: name, context: context)
        },
        KeyCustodianCheck("only keys of 32 bytes are wrapped and unwrapped") { bench in
            let name = try await bench.putKey()
            let arena = try SecretArena(bytes: 4096, minimumTier: .ordinary)
            for count in [1, 16, 31, 33, 64] {
                let block = try #require(
                    SecretBlock(count, in: arena) { room throws(Never) in
                        for index in room.indices { room[index] = 7 }
                    })
                try await expect(.keyLengthWrong(bytes: count), "wrapping \(count) bytes") {
                    _ = try await bench.custodian.wrap(block, name: name, context: context)
                }
                let bytes = [UInt8](repeating: 7, count: count)
                let wrapped = try await bench.wrap(bytes: bytes, name: name, context: context)
                try await expect(.keyLengthWrong(bytes: count), "unwrapping \(count) bytes") {
                    _ = try await bench.custodian.unwrap(wrapped, name: name, context: context)
                }
            }
        },
    ]

    private static let bindings = [
        KeyCustodianCheck("what was wrapped is unwrapped, as often as asked") { bench in
            let name = try await bench.putKey()
            let key = try bench.custodian.newKey()
            let first = try await bench.custodian.wrap(key, name: name, context: context)
            let second = try await bench.custodian.wrap(key, name: name, context: context)
            try require(first != second, "the same ciphertext twice")
            for ciphertext in [first, second, first] {
                let back = try await bench.custodian.unwrap(
                    ciphertext, name: name, context: context)
                try require(back.bytes == key.bytes, "another key")
            }
        },
        KeyCustodianCheck("another context is not authentic") { bench in
            let name = try await bench.putKey()
            let wrapped = try await bench.custodian.wrap(
                try bench.custodian.newKey(), name: name, context: context)
            var others = [0, 15, 31].map { index in
                var other = context
                other[index] ^= 1
                return other
            }
            others += [context.reversed(), [UInt8](repeating: 0, count: 32)]
            for other in others {
                try await expect(.notAuthentic, "another context") {
                    _ = try await bench.custodian.unwrap(wrapped, name: name, context: other)
                }
            }
        },
        KeyCustodianCheck("another transit key is not authentic, and one that is not is told") {
            bench in
            let (name, other) = (try await bench.putKey(), try await bench.putKey())
            let wrapped = try await bench.custodian.wrap(
                try bench.custodian.newKey(), name: name, context: context)
            try await expect(.notAuthentic, "another transit key") {
                _ = try await bench.custodian.unwrap(wrapped, name: other, context: context)
            }
            let missing = name + "-missing"
            try await expectVault("a transit key that is not there", isOutage: false) {
                _ = try await bench.custodian.unwrap(wrapped, name: missing, context: context)
            }
        },
        KeyCustodianCheck("older versions are unwrapped; new ones are wrapped with the newest") {
            bench in
            let name = try await bench.putKey()
            let key = try bench.custodian.newKey()
            let old = try await bench.custodian.wrap(key, name: name, context: context)
            try await bench.rotate(name)
            let new = try await bench.custodian.wrap(key, name: name, context: context)
            try require(old.hasPrefix("vault:v1:") && new.hasPrefix("vault:v2:"), "versions")
            for ciphertext in [old, new] {
                let back = try await bench.custodian.unwrap(
                    ciphertext, name: name, context: context)
                try require(back.bytes == key.bytes, "another key")
            }
            try await expect(.notAuthentic, "another version") {
                _ = try await bench.custodian.unwrap(
                    "vault:v2:" + old.dropFirst("vault:v1:".count), name: name, context: context)
            }
        },
        KeyCustodianCheck("a rewrap inside the vault keeps the key and the context") { bench in
            let name = try await bench.putKey()
            let key = try bench.custodian.newKey()
            let old = try await bench.custodian.wrap(key, name: name, context: context)
            try await bench.rotate(name)
            let new = try await bench.rewrap(old, name: name, context: context)
            try require(new.hasPrefix("vault:v2:"), "a rewrap with an old version")
            let back = try await bench.custodian.unwrap(new, name: name, context: context)
            try require(back.bytes == key.bytes, "another key")
            try await expect(.notAuthentic, "another context after a rewrap") {
                _ = try await bench.custodian.unwrap(
                    new, name: name, context: context.reversed())
            }
        },
    ]
}

extension SecretBlock {
    var bytes: [UInt8] { withBytes { $0.withUnsafeBytes { Array($0) } } }
}

/// Expects exactly this failure.
func expect(
    _ failure: KeyCustodyFailure, _ what: String, _ call: () async throws -> Void
) async throws {
    do { try await call() } catch let found as KeyCustodyFailure {
        return try require(found == failure, "\(what): \(found)")
    }
    throw ObjectStoreFinding(description: "\(what): it succeeded")
}

/// Expects a failure of the vault.
func expectVault(
    _ what: String, isOutage: Bool, _ call: () async throws -> Void
) async throws {
    do { try await call() } catch let found as KeyCustodyFailure {
        guard case .vault(let failure) = found, failure.isOutage == isOutage,
            found.isTransient == isOutage
        else { throw ObjectStoreFinding(description: "\(what): \(found)") }
        return
    }
    throw ObjectStoreFinding(description: "\(what): it succeeded")
}
