// SPDX-License-Identifier: Apache-2.0
internal import Caching
internal import Checksums
internal import ObjectKeyPorts
internal import ObjectStorePorts
internal import Ports
internal import S3Format
internal import SealedObject
internal import SecretMemory
internal import Synchronization

/// Keys that wrap data keys for a while, by bucket (mode B).
///
/// Each replica makes its own, for each bucket and epoch. The vault wraps it; what comes of that
/// stands in the bucket under the reserved prefix, in an object named after the key's reference,
/// before the first data key is wrapped. Any replica that reads finds it there.
final class EpochKeys<Cipher: AuthenticatedCipher>: Sendable {
    struct EpochKey: Sendable {
        /// Stands in envelopes: `e1.` and 43 characters of base64url.
        let reference: String
        let block: SecretBlock
    }

    private struct Name: Hashable {
        let bucket: S3Bucket
        let reference: String
    }

    private struct Current {
        let key: EpochKey
        let ciphertext: String
        let end: MonotonicTime
        var confirmedUntil: MonotonicTime
    }

    private struct State {
        var current: [S3Bucket: Current] = [:]
        var known: TimedCache<Name, SecretBlock, MonotonicTime>
    }

    /// Where a bucket's table stands, under the reserved prefix.
    static var tablePath: String { "ct1/keys/" }
    static var referencePrefix: String { "e1." }
    /// Of an entry of the table.
    static var entryBytesMax: Int { SealedObjectLimits.vaultCiphertextBytesMax }
    /// Buckets that are written to at the same time.
    static var bucketsMax: Int { 1024 }

    private let store: any ObjectStore
    private let custodian: any KeyCustodian
    private let salts: any SaltSource
    private let cipher: Cipher
    private let clock: any TimeSource & Sendable
    private let settings: S3ProxyPolicy
    private let state: Mutex<State>
    private let making = SingleFlight<S3Bucket, Result<EpochKey, KeyFailure>>()
    private let fetching = SingleFlight<Name, Result<SecretBlock, KeyFailure>>()

    init(_ parts: S3ProxyParts<Cipher>, _ settings: S3ProxyPolicy) {
        store = parts.store
        custodian = parts.custodian
        salts = parts.salts
        cipher = parts.cipher
        clock = parts.clock
        self.settings = settings
        state = Mutex(
            State(known: TimedCache(countMax: settings.keys.entriesMax, costMax: .max)))
    }

    func forgetEnded(at now: MonotonicTime) {
        state.withLock { state in
            state.known.removeEnded(at: now)
            for (bucket, current) in state.current where now >= current.end {
                state.current[bucket] = nil
            }
        }
    }

    func forget(_ bucket: S3Bucket) { state.withLock { $0.current[bucket] = nil } }

    // MARK: - Writing

    /// The key that wraps new data keys of a bucket.
    func current(_ bucket: S3Bucket) async throws(KeyFailure) -> EpochKey {
        let now = clock.monotonic()
        if let current = state.withLock({ $0.current[bucket] }), now < current.end,
            now < current.confirmedUntil
        {
            return current.key
        }
        let made = await making.value(bucket) {
            do throws(KeyFailure) {
                return .success(try await self.renewed(bucket))
            } catch { return error == .cancelled ? nil : .failure(error) }
        }
        guard let made else { throw .cancelled }
        return try made.get()
    }

    private func renewed(_ bucket: S3Bucket) async throws(KeyFailure) -> EpochKey {
        let now = clock.monotonic()
        if let current = state.withLock({ $0.current[bucket] }), now < current.end {
            if now < current.confirmedUntil { return current.key }
            do throws(KeyFailure) {
                try await confirm(current, bucket)
                return current.key
            } catch {
                // The vault has given up the version of its key that wrapped it: what is written
                // from now on is to be readable.
                guard error.isGivenUp || error == .custody(.notAuthentic) else { throw error }
            }
        }
        return try await make(bucket)
    }

    /// The vault still unwraps it.
    private func confirm(_ current: Current, _ bucket: S3Bucket) async throws(KeyFailure) {
        let again = try await unwrapped(current.ciphertext, bucket, current.key.reference)
        let isSame = again.withBytes { again in
            current.key.block.withBytes { ConstantTime.areEqual($0, again) }
        }
        guard isSame else { throw .epochKeyMalformed }
        // What is wrapped from now on needs the entry: somebody may have emptied the bucket.
        do throws(KeyFailure) { _ = try await entry(bucket, current.key.reference) } catch {
            guard error == .epochKeyMissing else { throw error }
            try await store(current.ciphertext, bucket, current.key.reference)
        }
        let until = clock.monotonic().advanced(by: settings.keys.confirmationTime)
        state.withLock { $0.current[bucket]?.confirmedUntil = until }
    }

    private func make(_ bucket: S3Bucket) async throws(KeyFailure) -> EpochKey {
        let reference = Self.referencePrefix + Base64URL.text(try salts.bytes())
        let key = EpochKey(reference: reference, block: try newKey())
        let ciphertext = try await wrapped(key.block, bucket, reference)
        // Before the first object that needs it: whoever stops here loses nothing.
        try await store(ciphertext, bucket, reference)
        let now = clock.monotonic()
        remember(
            bucket,
            Current(
                key: key, ciphertext: ciphertext,
                end: now.advanced(by: settings.keys.epochTime),
                confirmedUntil: now.advanced(by: settings.keys.confirmationTime)))
        return key
    }

    private func wrapped(
        _ block: SecretBlock, _ bucket: S3Bucket, _ reference: String
    ) async throws(KeyFailure) -> String {
        do throws(KeyCustodyFailure) {
            let ciphertext = try await custodian.wrap(
                block, name: settings.keys.transitKey, context: context(bucket, reference).array)
            guard ciphertext.utf8.count <= Self.entryBytesMax else {
                throw KeyCustodyFailure.keyLengthWrong(bytes: ciphertext.utf8.count)
            }
            return ciphertext
        } catch { throw KeyFailure(error) }
    }

    private func store(
        _ ciphertext: String, _ bucket: S3Bucket, _ reference: String
    ) async throws(KeyFailure) {
        guard let location = location(bucket, reference) else { throw .epochKeyMalformed }
        do throws(ObjectStoreFailure) {
            try await store.putSmall(Array(ciphertext.utf8), at: location)
        } catch { throw .table(error) }
    }

    private func remember(_ bucket: S3Bucket, _ current: Current) {
        let end = clock.monotonic().advanced(by: settings.keys.lifetime)
        let name = Name(bucket: bucket, reference: current.key.reference)
        state.withLock { state in
            if state.current.count >= Self.bucketsMax, state.current[bucket] == nil {
                let first = state.current.min { $0.value.end < $1.value.end }
                if let first { state.current[first.key] = nil }
            }
            state.current[bucket] = current
            state.known.set(name, current.key.block, cost: 0, until: end)
        }
    }

    private func newKey() throws(KeyFailure) -> SecretBlock {
        do throws(KeyCustodyFailure) {
            return try custodian.newKey()
        } catch { throw KeyFailure(error) }
    }

    // MARK: - Reading

    /// The key that an envelope names.
    func key(_ reference: String, of bucket: S3Bucket) async throws(KeyFailure) -> SecretBlock {
        let name = Name(bucket: bucket, reference: reference)
        let now = clock.monotonic()
        if let known = state.withLock({ $0.known.value(name, at: now) }) { return known }
        let fetched = await fetching.value(name) {
            do throws(KeyFailure) {
                return .success(try await self.fetched(name))
            } catch { return error == .cancelled ? nil : .failure(error) }
        }
        guard let fetched else { throw .cancelled }
        return try fetched.get()
    }

    private func fetched(_ name: Name) async throws(KeyFailure) -> SecretBlock {
        let ciphertext = try await entry(name.bucket, name.reference)
        let block = try await unwrapped(ciphertext, name.bucket, name.reference)
        let end = clock.monotonic().advanced(by: settings.keys.lifetime)
        state.withLock { $0.known.set(name, block, cost: 0, until: end) }
        return block
    }

    /// Wraps a key of the table anew with the vault's latest key.
    ///
    /// - Returns: whether the vault's answer was another than what stands there.
    func rewrap(_ reference: String, of bucket: S3Bucket) async throws(KeyFailure) -> Bool {
        let before = try await entry(bucket, reference)
        let block = try await unwrapped(before, bucket, reference)
        let after = try await wrapped(block, bucket, reference)
        // Each wrap has a nonce of its own: what counts is the version of the vault's key.
        guard Self.version(of: after) != Self.version(of: before) else { return false }
        try await store(after, bucket, reference)
        return true
    }

    private static func version(of ciphertext: String) -> Substring? {
        ciphertext.split(separator: ":").dropFirst().first
    }

    /// What the table has.
    private func entry(
        _ bucket: S3Bucket, _ reference: String
    ) async throws(KeyFailure) -> String {
        guard let location = location(bucket, reference) else { throw .epochKeyMalformed }
        let entry: [UInt8]
        do throws(ObjectStoreFailure) {
            entry = try await store.smallObject(location, bytesMax: Self.entryBytesMax)
        } catch {
            switch error {
            case .noSuchKey, .deleted: throw .epochKeyMissing
            case .tooLarge: throw .epochKeyMalformed
            case .cancelled: throw .cancelled
            // Also an answer that is none: it says nothing about what the table has.
            default: throw .table(error)
            }
        }
        guard let ciphertext = String(validating: entry, as: UTF8.self) else {
            throw .epochKeyMalformed
        }
        return ciphertext
    }

    private func unwrapped(
        _ ciphertext: String, _ bucket: S3Bucket, _ reference: String
    ) async throws(KeyFailure) -> SecretBlock {
        do throws(KeyCustodyFailure) {
            return try await custodian.unwrap(
                ciphertext, name: settings.keys.transitKey,
                context: context(bucket, reference).array)
        } catch { throw KeyFailure(error) }
    }

    /// Binds the key to its bucket and reference, by a prefix that no object's context has.
    private func context(_ bucket: S3Bucket, _ reference: String) -> Octets32 {
        var bytes = Array("CT1 epoch".utf8)
        for part in [settings.tenant, bucket.name, reference] {
            bytes.append(UInt8(truncatingIfNeeded: part.utf8.count >> 8))
            bytes.append(UInt8(truncatingIfNeeded: part.utf8.count))
            bytes += Array(part.utf8)
        }
        return cipher.sha256(bytes)
    }

    /// nil: the reference is not one of ours.
    private func location(_ bucket: S3Bucket, _ reference: String) -> ObjectLocation? {
        // What an envelope says is the store's word: it must not lead out of the table.
        let isOurs =
            reference.hasPrefix(Self.referencePrefix)
            && Base64URL.bytes(String(reference.dropFirst(Self.referencePrefix.count)))?.count
                == Octets32.byteCount
        guard isOurs, let key = settings.rules.ownKey(Self.tablePath + reference) else {
            return nil
        }
        return ObjectLocation(bucket, key)
    }
}

extension KeyFailure {
    init(_ failure: KeyCustodyFailure) {
        self = failure == .cancelled ? .cancelled : .custody(failure)
    }
}

extension SaltSource {
    /// 32 bytes.
    func bytes() throws(KeyFailure) -> [UInt8] {
        do { return try salt() } catch { throw .entropy(error) }
    }

    func octets() throws(KeyFailure) -> Octets32 {
        guard let octets = Octets32(try bytes()) else {
            throw .entropy(.unavailable(errorNumber: 0))
        }
        return octets
    }
}
