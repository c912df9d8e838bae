// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import SealedObject
internal import SecretMemory

/// Seals content on its way to the store: one segment, perhaps with bytes behind it.
///
/// One task pulls, as the port says; that is why nothing is locked.
final class SealingSource<Cipher: AuthenticatedCipher>: ObjectSource, @unchecked Sendable {
    let header: SegmentHeader
    /// Why it failed, for the client's answer; the store is told only that it did.
    private(set) var failure: Refusal?
    private let plaintext: any Plaintext
    private var sealer: SealerStateMachine<Cipher>
    private var slice: [UInt8] = []
    private var offset = 0
    private var isOver = false

    /// - Parameters:
    ///   - salt: used for nothing else.
    ///   - length: bytes of the content.
    init(
        _ plaintext: any Plaintext, length: Int64, _ cipher: Cipher, _ dataKey: SecretBlock,
        _ identity: SegmentIdentity, salt: Octets32
    ) throws(SealedObjectFailure) {
        self.plaintext = plaintext
        sealer = try dataKey.withBytes { dataKey throws(SealedObjectFailure) in
            try SealerStateMachine(
                cipher, dataKey: dataKey, identity: identity, salt: salt,
                plainBytes: Int(clamping: length))
        }
        header = sealer.header
    }

    func next() async throws(ObjectSourceFailure) -> [UInt8]? {
        guard failure == nil else { throw ObjectSourceFailure() }
        do throws(Refusal) {
            while !isOver {
                if let sealed = try advance() { return sealed }
                if let more = try await plaintext.next() {
                    (slice, offset) = (more, 0)
                    continue
                }
                isOver = true
                let last = try finished()
                return last.isEmpty ? nil : last
            }
            return nil
        } catch {
            failure = error
            throw ObjectSourceFailure()
        }
    }

    /// The next sealed chunk; nil: more content is needed.
    private func advance() throws(Refusal) -> [UInt8]? {
        guard offset < slice.count else { return nil }
        var taken: Int?
        let sealed = try output { output throws(SealedObjectFailure) in
            let action = try sealer.push(slice, from: offset, into: output)
            guard case .pass(let count, let written) = action else { return 0 }
            taken = count
            return written.upperBound
        }
        guard let taken else {
            offset = slice.count
            return nil
        }
        offset += taken
        return sealed
    }

    private func finished() throws(Refusal) -> [UInt8] {
        try output { output throws(SealedObjectFailure) in
            try sealer.finish(into: output).upperBound
        }
    }

    private func output(
        _ body: (UnsafeMutableRawBufferPointer) throws(SealedObjectFailure) -> Int
    ) throws(Refusal) -> [UInt8] {
        var failure: SealedObjectFailure?
        let bytes = [UInt8](unsafeUninitializedCapacity: SealedObjectLimits.outputBytesMax) {
            buffer, count in
            do throws(SealedObjectFailure) {
                count = try body(UnsafeMutableRawBufferPointer(buffer))
            } catch { failure = error }
        }
        if let failure { throw .sealed(failure) }
        return bytes
    }
}

extension SealerStateMachine {
    fileprivate mutating func push(
        _ slice: [UInt8], from offset: Int, into output: UnsafeMutableRawBufferPointer
    ) throws(SealedObjectFailure) -> SegmentAction {
        try push(slice.span.bytes.extracting(offset..<slice.count), into: output)
    }
}
