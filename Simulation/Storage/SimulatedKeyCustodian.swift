// SPDX-License-Identifier: Apache-2.0
package import ObjectKeyPorts
package import Ports
package import SecretMemory
internal import Simulation
internal import Synchronization

/// The keys that wrap objects' keys, in the vault that several custodians share.
package final class SimulatedKeyVault: Sendable {
    /// One call that asks the vault.
    package enum Call: Sendable, Equatable {
        case wrap(name: String)
        case unwrap(name: String)
    }

    private struct State {
        /// Name → newest version, from 1.
        var keys: [String: Int] = [:]
        /// Numbers used so far: none is used twice.
        var nonces: UInt64 = 0
        var failure: SecretStoreFailure?
        var calls: [Call] = []
    }

    private let state = Mutex(State())

    package init(keys: [String] = []) {
        for key in keys { addKey(key) }
    }

    /// A key with `derived=true` in its first version.
    package func addKey(_ name: String) { state.withLock { $0.keys[name] = 1 } }

    /// What was wrapped before can still be unwrapped.
    package func rotate(_ name: String) { state.withLock { $0.keys[name, default: 0] += 1 } }

    /// Every call fails so until it is nil again.
    package var failure: SecretStoreFailure? {
        get { state.withLock { $0.failure } }
        set { state.withLock { $0.failure = newValue } }
    }

    /// The calls so far, in order, failed ones included.
    package var calls: [Call] { state.withLock { $0.calls } }

    /// Wraps anew with the newest version, as the vault does by itself.
    package func rewrap(
        _ ciphertext: String, name: String, context: [UInt8]
    ) throws(KeyCustodyFailure) -> String {
        let bytes = try opened(ciphertext, name: name, context: context)
        return try seal(bytes, name: name, context: context)
    }

    func begin(_ call: Call) throws(KeyCustodyFailure) {
        let failure = state.withLock { state in
            state.calls.append(call)
            return state.failure
        }
        if let failure { throw .vault(failure) }
    }

    /// Wraps any bytes.
    package func seal(
        _ bytes: [UInt8], name: String, context: [UInt8]
    ) throws(KeyCustodyFailure) -> String {
        let taken: (version: Int, nonce: UInt64)? = state.withLock { state in
            guard let version = state.keys[name] else { return nil }
            state.nonces += 1
            return (version, state.nonces)
        }
        guard let taken else { throw .vault(.notFound(path: "transit/encrypt/\(name)")) }
        let box = Self.box(name, taken.version, context)
        return "vault:v\(taken.version):"
            + SimulatedBase64.encoded(box.seal(bytes, nonce: taken.nonce))
    }

    func opened(
        _ ciphertext: String, name: String, context: [UInt8]
    ) throws(KeyCustodyFailure) -> [UInt8] {
        guard let newest = state.withLock({ $0.keys[name] }) else {
            throw .vault(.notFound(path: "transit/decrypt/\(name)"))
        }
        let parts = ciphertext.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "vault", parts[1].hasPrefix("v"),
            let version = Int(parts[1].dropFirst()), (1...newest).contains(version),
            let hidden = SimulatedBase64.decoded(String(parts[2])),
            let bytes = Self.box(name, version, context).open(hidden)
        else { throw .notAuthentic }
        return bytes
    }

    private static func box(_ name: String, _ version: Int, _ context: [UInt8]) -> ToyCipher {
        ToyCipher(key: "\(name)/\(version)", context: context)
    }
}

/// `KeyCustodian` without cryptography worth its name: what it wraps is hidden from nobody who
/// reads this file, but another name, another context and a changed ciphertext are refused. Keys
/// follow from the seed.
package final class SimulatedKeyCustodian: KeyCustodian {
    package static let keyBytes = 32

    private let vault: SimulatedKeyVault
    private let arena: SecretArena
    private let drawn: Mutex<UInt64>
    private let pause: @Sendable () async -> Void

    /// - Parameters:
    ///   - seed: of the keys; custodians with the same one make the same keys.
    ///   - pause: waited for in each call that asks the vault.
    package init(
        _ vault: SimulatedKeyVault, arena: SecretArena, seed: UInt64,
        pause: @escaping @Sendable () async -> Void = {}
    ) {
        self.vault = vault
        self.arena = arena
        drawn = Mutex(seed)
        self.pause = pause
    }

    package func newKey() throws(KeyCustodyFailure) -> SecretBlock {
        let bytes = drawn.withLock { state in
            (0..<Self.keyBytes).map { _ in
                state &+= 0x9E37_79B9_7F4A_7C15
                return UInt8(truncatingIfNeeded: Self.mix(state))
            }
        }
        return try block(bytes)
    }

    package func wrap(
        _ key: SecretBlock, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> String {
        guard key.count == Self.keyBytes else { throw .keyLengthWrong(bytes: key.count) }
        try await ask(.wrap(name: name))
        let bytes = key.withBytes { $0.withUnsafeBytes { Array($0) } }
        return try vault.seal(bytes, name: name, context: context)
    }

    package func unwrap(
        _ ciphertext: String, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> SecretBlock {
        try await ask(.unwrap(name: name))
        let bytes = try vault.opened(ciphertext, name: name, context: context)
        guard bytes.count == Self.keyBytes else { throw .keyLengthWrong(bytes: bytes.count) }
        return try block(bytes)
    }

    private func ask(_ call: SimulatedKeyVault.Call) async throws(KeyCustodyFailure) {
        guard !Task.isCancelled else { throw .cancelled }
        await pause()
        guard !Task.isCancelled else { throw .cancelled }
        try vault.begin(call)
    }

    private func block(_ bytes: [UInt8]) throws(KeyCustodyFailure) -> SecretBlock {
        let block = SecretBlock(bytes.count, in: arena) { room throws(Never) in
            room.copyBytes(from: bytes)
        }
        guard let block else { throw .memoryExhausted }
        return block
    }

    /// The finalizer of SplitMix64.
    private static func mix(_ value: UInt64) -> UInt64 {
        var mixed = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Salts that follow from a seed. No two are the same.
package final class SimulatedSaltSource: SaltSource {
    private let count: Mutex<UInt64>

    package init(seed: UInt64) { count = Mutex(seed) }

    package func salt() -> [UInt8] {
        let number = count.withLock { count in
            count &+= 1
            return count
        }
        // The number itself makes each different; the rest only looks like a salt.
        return (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
            + (0..<24).map {
                UInt8(truncatingIfNeeded: (number &* 0x9E37_79B9_7F4A_7C15) >> ($0 % 8 * 8))
            }
    }
}

/// Credentials of clients that a test or a scenario gives out. They are plain text in this process.
package final class SimulatedClientCredentials: ClientCredentials {
    package struct Client: Sendable, Equatable {
        package var secret: String
        package var sessionToken: String?

        package init(secret: String, sessionToken: String? = nil) {
            self.secret = secret
            self.sessionToken = sessionToken
        }
    }

    private let clients: Mutex<[String: Client]>

    package init(_ clients: [String: Client]) { self.clients = Mutex(clients) }

    package func set(_ client: Client?, for accessKeyID: String) {
        clients.withLock { $0[accessKeyID] = client }
    }

    package func lend(
        _ accessKeyID: String, _ lend: (_ secret: RawSpan, _ sessionToken: RawSpan?) -> Void
    ) {
        guard let client = clients.withLock({ $0[accessKeyID] }) else { return }
        let secret = Array(client.secret.utf8)
        guard let session = client.sessionToken.map({ Array($0.utf8) }) else {
            return lend(secret.span.bytes, nil)
        }
        lend(secret.span.bytes, session.span.bytes)
    }
}
