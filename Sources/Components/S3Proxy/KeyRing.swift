// SPDX-License-Identifier: Apache-2.0
internal import Caching
internal import ObjectKeyPorts
internal import Ports
internal import S3Format
internal import SealedObject
internal import SecretMemory
internal import Synchronization

/// An object's data key, with what its envelope is made of.
struct ObjectKey: Sendable {
    enum Wrapping: Sendable {
        case vault(ciphertext: String, transitKey: String)
        case epoch(key: SecretBlock, reference: String)
    }

    let dataKey: SecretBlock
    /// Of the object's name.
    let context: Octets32
    let wrapping: Wrapping

    /// - Parameter salt: new for each call.
    func envelope(
        _ content: KeyEnvelope.Content, salt: Octets32, _ cipher: some AuthenticatedCipher
    ) throws(SealedObjectFailure) -> KeyEnvelope {
        switch wrapping {
        case .vault(let ciphertext, let name):
            do {
                return try KeyEnvelope(
                    content: content, keyReference: name, wrap: .vault(ciphertext: ciphertext))
            } catch { throw .envelope(error) }
        case .epoch(let key, let reference):
            return try key.withBytes { epochKey throws(SealedObjectFailure) in
                try dataKey.withBytes { dataKey throws(SealedObjectFailure) in
                    try KeyEnvelope.wrapping(
                        dataKey, of: content, context: context, epochKey: epochKey,
                        keyReference: reference, wrapSalt: salt, cipher)
                }
            }
        }
    }
}

/// Gives objects their keys: new ones for what is written, those of envelopes for what is read.
final class KeyRing<Cipher: AuthenticatedCipher>: Sendable {
    /// All that the key depends on: a cache that knew less of it could be asked for another's key.
    private struct Wrapped: Hashable {
        let ciphertext: String
        let transitKey: String
        let context: Octets32
    }

    private let epochs: EpochKeys<Cipher>
    private let custodian: any KeyCustodian
    private let cipher: Cipher
    private let arena: SecretArena
    private let clock: any TimeSource & Sendable
    private let settings: S3ProxyPolicy
    private let unwrapped: Mutex<TimedCache<Wrapped, SecretBlock, MonotonicTime>>
    private let unwrapping = SingleFlight<Wrapped, Result<SecretBlock, KeyFailure>>()

    init(_ parts: S3ProxyParts<Cipher>, _ settings: S3ProxyPolicy) {
        epochs = EpochKeys(parts, settings)
        custodian = parts.custodian
        cipher = parts.cipher
        arena = parts.keyMemory
        clock = parts.clock
        self.settings = settings
        unwrapped = Mutex(TimedCache(countMax: settings.keys.entriesMax, costMax: .max))
    }

    /// Forgets keys that are held no longer, also those that nobody asks for.
    func forgetEnded() {
        let now = clock.monotonic()
        unwrapped.withLock { $0.removeEnded(at: now) }
        epochs.forgetEnded(at: now)
    }

    /// Of a bucket that is gone: one of the same name has a table of its own.
    func forget(_ bucket: S3Bucket) { epochs.forget(bucket) }

    /// A new data key for an object.
    func newKey(for name: ObjectName, in bucket: S3Bucket) async throws(KeyFailure) -> ObjectKey {
        let dataKey: SecretBlock
        do throws(KeyCustodyFailure) {
            dataKey = try custodian.newKey()
        } catch { throw KeyFailure(error) }
        return try await wrapping(dataKey, for: name, in: bucket)
    }

    /// The data key of one object for another name: a copy keeps its source's.
    func wrapping(
        _ dataKey: SecretBlock, for name: ObjectName, in bucket: S3Bucket
    ) async throws(KeyFailure) -> ObjectKey {
        let context = name.context(cipher)
        let wrapping: ObjectKey.Wrapping
        switch settings.keys.mode {
        case .epoch:
            let key = try await epochs.current(bucket)
            wrapping = .epoch(key: key.block, reference: key.reference)
        case .object:
            do throws(KeyCustodyFailure) {
                let ciphertext = try await custodian.wrap(
                    dataKey, name: settings.keys.transitKey, context: context.array)
                wrapping = .vault(ciphertext: ciphertext, transitKey: settings.keys.transitKey)
            } catch { throw KeyFailure(error) }
        }
        return ObjectKey(dataKey: dataKey, context: context, wrapping: wrapping)
    }

    /// The data key of an envelope.
    func dataKey(
        of envelope: KeyEnvelope, _ context: Octets32, in bucket: S3Bucket
    ) async throws(KeyFailure) -> SecretBlock {
        switch envelope.wrap {
        case .vault(let ciphertext):
            return try await unwrap(
                Wrapped(
                    ciphertext: ciphertext, transitKey: envelope.keyReference, context: context))
        case .epoch:
            let key = try await epochs.key(envelope.keyReference, of: bucket)
            let block: SecretBlock?
            do throws(SealedObjectFailure) {
                block = try key.withBytes { key throws(SealedObjectFailure) in
                    try envelope.unwrapped(context: context, epochKey: key, cipher, in: arena)
                }
            } catch { throw .sealed(error) }
            guard let block else { throw .custody(.memoryExhausted) }
            return block
        }
    }

    /// - Returns: whether it is wrapped by another version of the vault's key now.
    func rewrapEpochKey(
        _ reference: String, of bucket: S3Bucket
    ) async throws(KeyFailure) -> Bool {
        try await epochs.rewrap(reference, of: bucket)
    }

    private func unwrap(_ wrapped: Wrapped) async throws(KeyFailure) -> SecretBlock {
        // The name is the store's word: only the key that we were given is asked for.
        guard wrapped.transitKey == settings.keys.transitKey else { throw .epochKeyMalformed }
        let now = clock.monotonic()
        if let known = unwrapped.withLock({ $0.value(wrapped, at: now) }) { return known }
        let result = await unwrapping.value(wrapped) {
            do throws(KeyCustodyFailure) {
                let block = try await self.custodian.unwrap(
                    wrapped.ciphertext, name: wrapped.transitKey, context: wrapped.context.array)
                let end = self.clock.monotonic().advanced(by: self.settings.keys.lifetime)
                self.unwrapped.withLock { $0.set(wrapped, block, cost: 0, until: end) }
                return .success(block)
            } catch { return error == .cancelled ? nil : .failure(KeyFailure(error)) }
        }
        guard let result else { throw .cancelled }
        return try result.get()
    }
}
