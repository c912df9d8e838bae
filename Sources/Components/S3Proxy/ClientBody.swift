// SPDX-License-Identifier: Apache-2.0
internal import Checksums
internal import ObjectServerPorts
internal import RequestSignature
internal import S3Format

/// The body of a client's request without its framing, checked against what the client signed and
/// against its checksums. The last piece comes when everything was right.
///
/// One task pulls, as the port says; that is why nothing is locked.
final class ClientBody: Plaintext, @unchecked Sendable {
    /// Bytes of the content; nil: the client does not say.
    let length: Int64?
    private let body: any RequestBody
    // One of the two; each is changed in place, since what it keeps is not to be copied.
    private var plain: PlainBodyStateMachine?
    private var chunked: ChunkedBodyStateMachine?
    private var input: [UInt8] = []
    private var offset = 0
    private var isOver = false
    private let room: DocumentRoom
    /// Of it, until the request is over.
    private var roomTaken = 0

    init(
        _ body: any RequestBody, length: Int64?, of head: RequestSignature.RequestHead,
        _ verified: VerifiedRequest, _ digests: any MessageDigests, _ room: DocumentRoom
    ) throws(Refusal) {
        self.body = body
        self.room = room
        do throws(BodyRefusal) {
            switch verified.payload {
            case .literal(let hash):
                self.length = length
                plain = try PlainBodyStateMachine(contentHash: hash, of: head, digests)
            case .unsigned:
                self.length = length
                plain = try PlainBodyStateMachine(contentHash: nil, of: head, digests)
            case .chunked(let payload):
                self.length = Int64(payload.decodedByteCount)
                chunked = ChunkedBodyStateMachine(payload, chain: verified.chain, digests)
            }
        } catch { throw .signature(error.answer) }
    }

    deinit { room.giveBack(roomTaken) }

    func next() async throws(Refusal) -> [UInt8]? {
        while !isOver {
            if let piece = try advance(), !piece.isEmpty { return piece }
            guard offset == input.count else { continue }
            if try await pull() { continue }
            isOver = true
            let last = try finished()
            return last.isEmpty ? nil : last
        }
        return nil
    }

    /// All of a body that is a document.
    func collected(bytesMax: Int) async throws(Refusal) -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try await next() {
            guard piece.count <= bytesMax - bytes.count else {
                throw .request(S3Error(.entityTooLarge))
            }
            guard room.take(piece.count) else { throw .request(S3Error(.slowDown)) }
            roomTaken += piece.count
            bytes += piece
        }
        return bytes
    }

    /// What the bytes at hand let go; nil: they are used up.
    private func advance() throws(Refusal) -> [UInt8]? {
        while offset < input.count {
            let step: ChunkedBodyStateMachine.Step?
            do throws(BodyRefusal) {
                if plain != nil {
                    step = try plain?.received(input, from: offset)
                } else {
                    step = try chunked?.received(input, from: offset)
                }
            } catch { throw .signature(error.answer) }
            guard let step else { return nil }
            offset += step.consumed
            if step.action == .release { return released() }
        }
        return nil
    }

    private func released() -> [UInt8] {
        plain?.takeReleased() ?? chunked?.takeReleased() ?? []
    }

    private func finished() throws(Refusal) -> [UInt8] {
        do throws(BodyRefusal) {
            try plain?.ended()
            try chunked?.ended()
        } catch { throw .signature(error.answer) }
        return released()
    }

    /// Returns whether there are more bytes.
    private func pull() async throws(Refusal) -> Bool {
        do throws(StreamFailure) {
            let room = plain?.roomByteCount ?? BodyPiece.byteCount
            guard let more = try await body.next(upTo: room) else { return false }
            (input, offset) = (more, 0)
            return true
        } catch { throw Refusal(error) }
    }
}
