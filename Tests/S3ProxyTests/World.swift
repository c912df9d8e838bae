// SPDX-License-Identifier: Apache-2.0
import Checksums
import CryptoHasher
import CryptoObjectCipher
import ObjectKeyPorts
import ObjectServerPorts
import ObjectStorePorts
import Ports
import RequestSignature
import S3Format
import S3Proxy
import SealedObject
import SecretMemory
import ServedHTTP
import SimulatedStorage
import Synchronization
import Testing

/// A proxy, or several replicas, before a store in memory.
final class World: Sendable {
    let storage = SimulatedStorage()
    let clock = TestClock()
    let custodian: TestCustodian
    let arena: SecretArena
    let settings: S3ProxyPolicy
    let proxy: S3Proxy<CryptoObjectCipher>
    let bucket: S3Bucket

    static let accessKeyID = "AKIDCLIENT"
    static let secret = "the client's own secret, which the store never sees"

    init(
        hasVersions: Bool = false, _ change: (inout S3ProxyPolicy) -> Void = { _ in }
    ) throws {
        arena = try SecretArena(bytes: 1 << 20, minimumTier: .ordinary)
        custodian = TestCustodian(arena: arena)
        var settings = S3ProxyPolicy(
            region: "eu-test-1", keys: KeyRingSettings(transitKey: "objects"))
        settings.tenant = "tenant"
        change(&settings)
        self.settings = settings
        bucket = try #require(S3Bucket("bucket"))
        let name = bucket
        storage.withServer { $0.addBucket(name, hasVersions: hasVersions) }
        proxy = Self.replica(storage, custodian, arena, clock, settings, faults: { _ in nil })
    }

    /// What the proxies are before.
    var store: any ObjectStore {
        SimulatedObjectStore(storage, now: { [clock] in clock.secondsSince1970() })
    }

    /// Another replica, with nothing in its memory.
    func replica(
        faults: @escaping @Sendable (ObjectStoreCall) -> SimulatedObjectStoreFault? = { _ in nil },
        report: @escaping @Sendable (S3ProxyReport) -> Void = { _ in },
        settings change: (inout S3ProxyPolicy) -> Void = { _ in }
    ) -> S3Proxy<CryptoObjectCipher> {
        var settings = self.settings
        change(&settings)
        return Self.replica(
            storage, custodian, arena, clock, settings, faults: faults, report: report)
    }

    private static func replica(
        _ storage: SimulatedStorage, _ custodian: TestCustodian, _ arena: SecretArena,
        _ clock: TestClock, _ settings: S3ProxyPolicy,
        faults: @escaping @Sendable (ObjectStoreCall) -> SimulatedObjectStoreFault?,
        report: @escaping @Sendable (S3ProxyReport) -> Void = { _ in }
    ) -> S3Proxy<CryptoObjectCipher> {
        let store = SimulatedObjectStore(
            storage, now: { clock.secondsSince1970() }, begin: { faults($0) })
        var parts = S3ProxyParts(
            store: store, custodian: custodian, credentials: TestCredentials(), salts: custodian,
            clock: clock, digests: CryptoHasher(), cipher: CryptoObjectCipher(keyMemory: arena),
            keyMemory: arena)
        parts.report = report
        return S3Proxy(parts, settings)
    }

    // MARK: - What the store has

    func key(_ text: String) throws -> S3Key { try #require(S3Key(text)) }

    func stored(_ key: String) throws -> SimulatedObjectServer.Version {
        let key = try self.key(key)
        let bucket = bucket
        return try #require(storage.withServer { $0.buckets[bucket]?.objects[key]?.last })
    }

    func tamper(_ key: String, _ change: (inout SimulatedObjectServer.Version) -> Void) throws {
        let location = ObjectLocation(bucket, try self.key(key))
        storage.withServer { server in
            server.tamper(location) { versions in
                if !versions.isEmpty { change(&versions[versions.count - 1]) }
            }
        }
    }

    var storedKeys: [String] {
        let bucket = bucket
        return storage.withServer { $0.buckets[bucket]?.objects.keys.map(\.text).sorted() ?? [] }
    }

    /// Everything that the store has or was told, as bytes.
    var everythingStored: [UInt8] {
        let bucket = bucket
        return storage.withServer { server in
            Array("\(server.buckets[bucket].map { "\($0.objects.keys)" } ?? "")".utf8)
                + (server.buckets[bucket]?.objects.values.flatMap { versions in
                    versions.flatMap { version in
                        (version.content ?? []) + Array("\(version.attributes)".utf8)
                    }
                } ?? [])
                + (server.buckets[bucket]?.uploads.values.flatMap { upload in
                    upload.parts.values.flatMap(\.content) + Array("\(upload.write)".utf8)
                } ?? [])
        }
    }
}

final class TestClock: TimeSource, Sendable {
    private let seconds = Mutex<Int64>(1_795_737_600)

    func monotonic() -> MonotonicTime {
        MonotonicTime(nanoseconds: UInt64(secondsSince1970()) * 1_000_000_000)
    }

    func secondsSince1970() -> Int64 { seconds.withLock { $0 } }

    func advance(_ count: Int64) { seconds.withLock { $0 += count } }
}

struct TestCredentials: ClientCredentials {
    func lend(
        _ accessKeyID: String, _ lend: (_ secret: RawSpan, _ sessionToken: RawSpan?) -> Void
    ) {
        guard accessKeyID == World.accessKeyID else { return }
        lend(Array(World.secret.utf8).span.bytes, nil)
    }
}

/// Wraps by giving out numbers for keys, and remembers what each is bound to.
final class TestCustodian: KeyCustodian, SaltSource, Sendable {
    private struct Wrapped {
        let key: SecretBlock
        let name: String
        let context: [UInt8]
        let version: Int
    }

    private struct State {
        var wrapped: [Wrapped] = []
        var drawn: UInt64 = 0
        var failure: KeyCustodyFailure?
        var calls = 0
        var salts: [[UInt8]] = []
        var repeatsSalts = false
        var forgotten = 0
        var version = 1
        var versionMin = 1
    }

    private let arena: SecretArena
    private let state = Mutex(State())

    init(arena: SecretArena) { self.arena = arena }

    var calls: Int { state.withLock { $0.calls } }

    /// From now on; nil: all is well.
    func fail(_ failure: KeyCustodyFailure?) { state.withLock { $0.failure = failure } }

    /// The transit key has a new version.
    func rotate() { state.withLock { $0.version += 1 } }

    /// Its older ones are no longer allowed.
    func forgetOldVersions() { state.withLock { $0.versionMin = $0.version } }

    /// As if the transit key's older versions were no longer allowed.
    func forgetWrapped() { state.withLock { $0.forgotten = $0.wrapped.count } }

    func repeatSalts() { state.withLock { $0.repeatsSalts = true } }

    func newKey() throws(KeyCustodyFailure) -> SecretBlock {
        let bytes = state.withLock { Self.draw(&$0) }
        let block = SecretBlock(32, in: arena) { $0.copyBytes(from: bytes) }
        guard let block else { throw .memoryExhausted }
        return block
    }

    func salt() throws(EntropyFailure) -> [UInt8] {
        state.withLock { state in
            if state.repeatsSalts, let last = state.salts.last { return last }
            let salt = Self.draw(&state)
            state.salts.append(salt)
            return salt
        }
    }

    private static func draw(_ state: inout State) -> [UInt8] {
        (0..<4).flatMap { _ -> [UInt8] in
            state.drawn += 1
            var value = state.drawn &* 0x9E37_79B9_7F4A_7C15
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            value ^= value >> 31
            return (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
        }
    }

    func wrap(
        _ key: SecretBlock, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> String {
        let (number, version, failure) = state.withLock { state in
            state.calls += 1
            state.wrapped.append(
                Wrapped(key: key, name: name, context: context, version: state.version))
            return (state.wrapped.count, state.version, state.failure)
        }
        if let failure { throw failure }
        return "vault:v\(version):number\(number)"
    }

    func unwrap(
        _ ciphertext: String, name: String, context: [UInt8]
    ) async throws(KeyCustodyFailure) -> SecretBlock {
        let (wrapped, isGivenUp, failure) = state.withLock { state in
            state.calls += 1
            let index = (Int(ciphertext.split(separator: "number").last ?? "") ?? 0) - 1
            guard state.wrapped.indices.contains(index) else {
                return (Wrapped?.none, false, state.failure)
            }
            let wrapped = state.wrapped[index]
            let isGivenUp = index < state.forgotten || wrapped.version < state.versionMin
            return (wrapped, isGivenUp, state.failure)
        }
        if let failure { throw failure }
        guard let wrapped, wrapped.name == name else { throw .notAuthentic }
        // As a vault does it: it looks at the version first.
        guard !isGivenUp else { throw .vault(.versionDeleted(path: "transit/decrypt/\(name)")) }
        guard wrapped.context == context else { throw .notAuthentic }
        return wrapped.key
    }
}
