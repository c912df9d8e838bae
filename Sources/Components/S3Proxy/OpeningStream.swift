// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import SealedObject

/// Opens content on its way from the store.
///
/// One task pulls, and only while the store lends the stream; that is why nothing is locked.
final class OpeningStream<Cipher: AuthenticatedCipher>: Plaintext, @unchecked Sendable {
    private let stream: any ObjectStream
    // One of the two.
    private var segment: OpenerStateMachine<Cipher>?
    private var parts: MultipartOpenerStateMachine<Cipher>?
    /// Sealed bytes that stand before those that are opened, and how many are opened.
    private var skipped: Int
    private var wanted: Int
    private var slice: ArraySlice<UInt8> = []
    private var isOver = false

    /// - Parameters:
    ///   - skipped: bytes of the stream before the range.
    ///   - wanted: bytes of the range; what follows is not looked at.
    init(
        _ stream: any ObjectStream, _ opener: consuming OpenerStateMachine<Cipher>, skipped: Int,
        wanted: Int
    ) {
        self.stream = stream
        segment = consume opener
        self.skipped = skipped
        self.wanted = wanted
    }

    init(
        _ stream: any ObjectStream, _ opener: consuming MultipartOpenerStateMachine<Cipher>,
        skipped: Int, wanted: Int
    ) {
        self.stream = stream
        parts = consume opener
        self.skipped = skipped
        self.wanted = wanted
    }

    func next() async throws(Refusal) -> [UInt8]? {
        while !isOver {
            if let opened = try advance() {
                // Of a chunk at the edge, perhaps nothing was asked for.
                if !opened.isEmpty { return opened }
                continue
            }
            if try await pull() { continue }
            isOver = true
            let last = try finished()
            return last.isEmpty ? nil : last
        }
        return nil
    }

    private func pull() async throws(Refusal) -> Bool {
        while wanted > 0 {
            let chunk: [UInt8]?
            do throws(ObjectStoreFailure) {
                chunk = try await stream.next()
            } catch { throw .store(error) }
            guard let chunk else { return false }
            let dropped = min(skipped, chunk.count)
            skipped -= dropped
            slice = chunk[dropped...].prefix(wanted)
            wanted -= slice.count
            if !slice.isEmpty { return true }
        }
        return false
    }

    private func advance() throws(Refusal) -> [UInt8]? {
        guard !slice.isEmpty else { return nil }
        var taken: Int?
        let opened = try output { output throws(SealedObjectFailure) in
            let action = try push(into: output)
            guard case .pass(let count, let range) = action else { return 0..<0 }
            taken = count
            return range
        }
        guard let taken else {
            slice = []
            return nil
        }
        slice = slice.dropFirst(taken)
        return opened
    }

    private func push(
        into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> SegmentAction {
        if segment != nil { return try segment?.push(slice, into: output) ?? .needsMore }
        return try parts?.push(slice, into: output) ?? .needsMore
    }

    private func finished() throws(Refusal) -> [UInt8] {
        try output { output throws(SealedObjectFailure) in
            if segment != nil { return try segment?.finish(into: output) ?? 0..<0 }
            try parts?.finish(into: output)
            return 0..<0
        }
    }

    /// What `body` wrote, from where it says.
    private func output(
        _ body: (UnsafeMutableRawBufferPointer) throws(SealedObjectFailure) -> Range<Int>
    ) throws(Refusal) -> [UInt8] {
        var failure: SealedObjectFailure?
        var range = 0..<0
        let bytes = [UInt8](unsafeUninitializedCapacity: SealedObjectLimits.outputBytesMax) {
            buffer, count in
            do throws(SealedObjectFailure) {
                range = try body(UnsafeMutableRawBufferPointer(buffer))
                count = range.upperBound
            } catch { failure = error }
        }
        if let failure { throw .sealed(failure) }
        return range.lowerBound == 0 ? bytes : Array(bytes[range])
    }
}

extension OpenerStateMachine {
    fileprivate mutating func push(
        _ slice: ArraySlice<UInt8>, into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> SegmentAction {
        try push(slice.span.bytes, into: output)
    }
}

extension MultipartOpenerStateMachine {
    fileprivate mutating func push(
        _ slice: ArraySlice<UInt8>, into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> SegmentAction {
        try push(slice.span.bytes, into: output)
    }
}
