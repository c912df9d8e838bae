// SPDX-License-Identifier: Apache-2.0
internal import CBoringSSL
internal import Crypto
package import SealedObject
package import SecretMemory

/// Suite 1 of CT1 by swift-crypto and the BoringSSL inside it.
///
/// Keys, what HKDF makes on the way and key schedules are in blocks of the arena, zeroed when they
/// are given back; BoringSSL is handed that memory and allocates none
/// (docs/adr/0022-key-schedules-in-the-callers-memory.md). When the arena has no block left, calls
/// throw `memoryExhausted`.
///
/// Copies of keys that this makes in ordinary memory, as `KeyCopiesTests` and `StackTests` count
/// them:
/// - On the heap: none, at any time.
/// - On the stack, when a call has returned: none. While HMAC runs, the hash's message schedule is
///   there, made of the secret in `extract` and of the pseudorandom key in `expand`. While a
///   schedule is made, GCM's hash key is there, which opens nothing. Both are overwritten before
///   the call returns.
/// - In vector registers, until the thread uses them for something else: parts of keys that were
///   copied or hashed, and round keys of the last chunk. Who saves registers saves them too: the
///   kernel when it switches threads (in its own memory), a signal's frame, the dynamic linker at
///   the first call of a function, unless the program is bound at its start.
///
/// `seal` and `open` leave key stream of the last 16 bytes and the mask of the tag on the stack: no
/// keys, and of one chunk. An opened data key goes to the caller's memory only.
package struct CryptoObjectCipher: AuthenticatedCipher {
    /// Most that one stream holds of the arena from its start to its end (bytes): a schedule, and
    /// the data key where parts follow.
    package static let streamBytes = Int(boringssl_aead_bytes) + Secret.roomBytes
    /// What deriving a key takes more while it lasts (bytes): HMAC's state, and of footers and
    /// metadata two secrets and two pseudorandom keys.
    package static let derivationBytes = 4 * Secret.roomBytes + Int(boringssl_hmac_bytes)

    /// A key in secret memory. Never described.
    package struct Secret: Sendable, CustomStringConvertible, CustomReflectable {
        fileprivate static let roomBytes = Int(boringssl_code_bytes)

        private let room: SecretBlock
        /// Of the room, from its start on.
        private let count: Int

        /// - Parameter fill: writes `roomBytes` at most, of which `count` are the key.
        fileprivate init(
            count: Int, in arena: SecretArena,
            fill: (UnsafeMutableRawBufferPointer) throws(CipherFailure) -> Void
        ) throws(CipherFailure) {
            let room = try SecretBlock(Self.roomBytes, in: arena, fill: fill)
            guard let room else { throw .memoryExhausted }
            self.room = room
            self.count = count
        }

        package var description: String { "(key)" }
        package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }

        /// Lends the bytes, for the cipher and for tests of where they are.
        func withBytes<Result, Failure: Error>(
            _ body: (RawSpan) throws(Failure) -> Result
        ) throws(Failure) -> Result {
            try room.withBytes { bytes throws(Failure) in try body(bytes.extracting(0..<count)) }
        }
    }

    /// An expanded key.
    package struct SealingKey: Sendable {
        /// BoringSSL does not change a key schedule that it has made.
        fileprivate let schedule: SecretBlock

        fileprivate init(_ key: RawSpan, in arena: SecretArena) throws(CipherFailure) {
            guard key.byteCount == SealedObjectLimits.keyBytes else { throw .unavailable }
            let count = Int(boringssl_aead_bytes)
            let schedule = try SecretBlock(count, in: arena) { room throws(CipherFailure) in
                let isMade = key.withUnsafeBytes { key in
                    boringssl_aead_init(room.aead, key.start) == 1
                }
                guard isMade else { throw .unavailable }
            }
            guard let schedule else { throw .memoryExhausted }
            self.schedule = schedule
        }

        /// Lends the schedule, for tests of where it is.
        func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
            try schedule.withBytes { try body($0) }
        }

        fileprivate func withSchedule<Result>(_ body: (OpaquePointer?) -> Result) -> Result {
            schedule.withBytes { bytes in
                bytes.withUnsafeBytes { body($0.baseAddress.map { OpaquePointer($0) }) }
            }
        }
    }

    private let arena: SecretArena

    /// - Parameter keyMemory: for `streamBytes` of each stream that is under way, and
    ///   `derivationBytes` of each thread that derives.
    package init(keyMemory: SecretArena) { arena = keyMemory }

    package func secret(_ bytes: RawSpan) throws(CipherFailure) -> Secret {
        let count = bytes.byteCount
        guard count <= Secret.roomBytes else { throw .unavailable }
        return try Secret(count: count, in: arena) { room in
            bytes.withUnsafeBytes { room.copyMemory(from: $0) }
        }
    }

    package func extract(_ secret: Secret, salt: Octets32?) throws(CipherFailure) -> Secret {
        let salt = salt?.array ?? []
        return try Secret(count: Secret.roomBytes, in: arena) { room throws(CipherFailure) in
            try secret.withBytes { secret throws(CipherFailure) in
                try code(salt.span.bytes, secret, into: room)
            }
        }
    }

    package func expand(_ key: Secret, info: [UInt8]) throws(CipherFailure) -> Secret {
        // Of one block of HKDF-Expand, whose number stands behind the info.
        let message = info + [1]
        return try Secret(count: SealedObjectLimits.keyBytes, in: arena) {
            room throws(CipherFailure) in
            try key.withBytes { key throws(CipherFailure) in
                try code(key, message.span.bytes, into: room)
            }
        }
    }

    package func expandToSeal(_ key: Secret, info: [UInt8]) throws(CipherFailure) -> SealingKey {
        try expand(key, info: info).withBytes { key throws(CipherFailure) in
            try SealingKey(key, in: arena)
        }
    }

    /// Of 32 bytes, for published vectors.
    func sealingKey(_ bytes: RawSpan) throws(CipherFailure) -> SealingKey {
        try SealingKey(bytes, in: arena)
    }

    package func expandInClear(_ key: Secret, info: [UInt8]) throws(CipherFailure) -> Octets32 {
        let octets = try expand(key, info: info).withBytes { Octets32($0) }
        guard let octets else { throw .unavailable }
        return octets
    }

    /// HMAC-SHA512, with all that it makes of the key in the arena.
    private func code(
        _ key: RawSpan, _ message: RawSpan, into room: UnsafeMutableRawBufferPointer
    ) throws(CipherFailure) {
        precondition(room.count >= Secret.roomBytes, "the room is too small")
        guard let state = arena.allocate(Int(boringssl_hmac_bytes)) else {
            throw .memoryExhausted
        }
        defer { arena.free(state) }
        let isMade = key.withUnsafeBytes { key in
            message.withUnsafeBytes { message in
                boringssl_hmac_sha512(
                    OpaquePointer(state), room.start, key.start, key.count, message.start,
                    message.count) == 1
            }
        }
        guard isMade else { throw .unavailable }
    }

    package func seal(
        _ plaintext: RawSpan, _ key: SealingKey, nonce: ChunkNonce, authenticating: [UInt8],
        into output: UnsafeMutableRawBufferPointer
    ) throws(CipherFailure) {
        let size = plaintext.byteCount + SealedObjectLimits.tagBytes
        precondition(output.count >= size, "the output is too small")
        let isMade = key.withSchedule { schedule in
            plaintext.withUnsafeBytes { plain in
                nonce.withStart { nonce in
                    boringssl_aead_seal(
                        schedule, output.start, nonce, plain.start, plain.count,
                        authenticating, authenticating.count) == 1
                }
            }
        }
        guard isMade else { throw .unavailable }
    }

    package func open(
        _ sealed: RawSpan, _ key: SealingKey, nonce: ChunkNonce, authenticating: [UInt8],
        into output: UnsafeMutableRawBufferPointer
    ) throws(CipherFailure) {
        let size = sealed.byteCount - SealedObjectLimits.tagBytes
        precondition(size >= 0 && output.count >= size, "the output is too small")
        let isOpened = key.withSchedule { schedule in
            sealed.withUnsafeBytes { sealed in
                nonce.withStart { nonce in
                    boringssl_aead_open(
                        schedule, output.start, nonce, sealed.start, sealed.count,
                        authenticating, authenticating.count) == 1
                }
            }
        }
        guard isOpened else { throw .notAuthentic }
    }

    package func sha256(_ bytes: [UInt8]) -> Octets32 {
        var octets = InlineArray<32, UInt8>(repeating: 0)
        for (index, byte) in SHA256.hash(data: bytes).enumerated() { octets[index] = byte }
        return Octets32(octets)
    }
}

extension ChunkNonce {
    fileprivate func withStart<Result>(_ body: (UnsafePointer<UInt8>?) -> Result) -> Result {
        let bytes = bytes
        return bytes.span.withUnsafeBufferPointer { body($0.baseAddress) }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate var start: UnsafePointer<UInt8>? {
        baseAddress?.assumingMemoryBound(to: UInt8.self)
    }
}

extension UnsafeMutableRawBufferPointer {
    fileprivate var start: UnsafeMutablePointer<UInt8>? {
        baseAddress?.assumingMemoryBound(to: UInt8.self)
    }

    fileprivate var aead: OpaquePointer? { baseAddress.map { OpaquePointer($0) } }
}
