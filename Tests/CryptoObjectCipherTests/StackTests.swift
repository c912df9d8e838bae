// SPDX-License-Identifier: Apache-2.0
import CBoringSSL
import CLinux
import CryptoObjectCipher
import SecretMemory
import Testing

/// What calls leave on the stack below their caller, whatever shape it has.
@Suite struct `The stack below a call` {
    private static let paint: UInt8 = 0xA5
    /// Below the painter's own frames.
    private static let start = 4_096
    private static let end = 65_536

    /// Paints the stack, calls and looks from far above.
    ///
    /// - Returns: from the lowest byte that was written to on, those that the call may have
    ///   written.
    private func residue(_ call: () -> Void) throws -> [UInt8] {
        // The first time, Swift sets up types of these functions, far below them.
        _ = Self.place(of: {})
        let place = Self.place(of: call)
        let painted = UnsafeRawBufferPointer(
            start: UnsafeRawPointer(bitPattern: place - UInt(Self.end)),
            count: Self.end - Self.start)
        let first = try #require(painted.firstIndex { $0 != Self.paint })
        #expect(first > 0, "the call went further down than was painted")
        return Array(painted[first...])
    }

    /// Has so large a frame that what its caller calls afterwards does not reach below it.
    @inline(never) private static func apart(_ call: () -> Void) -> UInt64 {
        var filler = InlineArray<1_024, UInt64>(repeating: 0)
        withUnsafeMutableBytes(of: &filler) { clinux_zero($0.baseAddress, $0.count) }
        call()
        return filler[0]
    }

    private static func place(of call: () -> Void) -> UInt {
        farDown {
            let place = address()
            paintStack(below: place)
            // Into the painted part.
            farDown(30) { _ = apart(call) }
            return place
        }
    }

    @inline(never) private static func address() -> UInt {
        var here: UInt8 = 0
        return withUnsafePointer(to: &here) { UInt(bitPattern: $0) }
    }

    @inline(never) private static func paintStack(below place: UInt) {
        UnsafeMutableRawBufferPointer(
            start: UnsafeMutableRawPointer(bitPattern: place - UInt(end)), count: end - start
        ).initializeMemory(as: UInt8.self, repeating: paint)
    }

    /// What `CBoringSSL` overwrites is the lowest that was written to, but for the address that
    /// a call puts below it.
    private func isOverwritten(_ residue: [UInt8]) -> Bool {
        residue.dropFirst(16).prefix(8_192 - 16).allSatisfy { $0 == 0 }
    }

    @Test func `has nothing of HMAC`() throws {
        let key = Room(64, filledWith: 0x11)
        let (state, code) = (Room(Int(boringssl_hmac_bytes)), Room(64))
        let left = try residue {
            _ = boringssl_hmac_sha512(state.opaque, code.bytes, key.bytes, 64, key.bytes, 32)
        }
        let isOverwritten = isOverwritten(left)
        #expect(isOverwritten)
        #expect(code.isWritten && state.isWritten && key.isWritten)
    }

    @Test func `has nothing of making a schedule`() throws {
        let key = Room(32, filledWith: 0x11)
        let schedule = Room(Int(boringssl_aead_bytes))
        let left = try residue { _ = boringssl_aead_init(schedule.opaque, key.bytes) }
        let isOverwritten = isOverwritten(left)
        #expect(isOverwritten)
        #expect(schedule.isWritten && key.isWritten)
    }

    /// The control: a hash by swift-crypto and the same BoringSSL, after which nobody overwrites.
    @Test func `has something of a hash otherwise`() throws {
        let arena = try SecretArena(bytes: 4_096, minimumTier: .ordinary)
        let cipher = CryptoObjectCipher(keyMemory: arena)
        let left = try residue { _ = cipher.sha256([UInt8](repeating: 0x11, count: 96)) }
        let isOverwritten = isOverwritten(left)
        #expect(!isOverwritten)
    }
}

/// Memory for a call. It is used afterwards too: given back at once, that would be a call after the
/// one that is looked at.
private final class Room {
    let bytes: UnsafeMutablePointer<UInt8>
    let opaque: OpaquePointer
    private let count: Int

    init(_ count: Int, filledWith byte: UInt8 = 0) {
        bytes = .allocate(capacity: count)
        bytes.initialize(repeating: byte, count: count)
        opaque = OpaquePointer(bytes)
        self.count = count
    }

    deinit { bytes.deallocate() }

    var isWritten: Bool { (0..<count).contains { bytes[$0] != 0 } }
}
