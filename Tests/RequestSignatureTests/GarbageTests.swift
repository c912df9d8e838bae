// SPDX-License-Identifier: Apache-2.0
import Checksums
import CryptoHasher
import RequestSignature
import TestKit
import Testing

/// Seeded garbage: nothing of it traps, and nothing of it is accepted.
@Suite struct Garbage {
    private static let seed: UInt64 = 20_261_127

    @Test func `for the request's parts is refused`() throws {
        var random = SeededGenerator(seed: Self.seed)
        let good = try BotocoreSample.all()
        let alphabet = Array("AWS4-HMAC-SHA256 Credential=/,;%&?#xX0aZ \t\r\n\0é".utf8) + [0xFF]
        func text() -> String {
            let count = Int.random(in: 0...60, using: &random)
            return String(
                decoding: (0..<count).map { _ in
                    alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                }, as: UTF8.self)
        }
        for round in 0..<4000 {
            let sample = good[round % good.count]
            var head = sample.head
            switch round % 5 {
            case 0: head.target = "/" + text()
            case 1: head.target += text() + "&X-Amz-Algorithm=AWS4-HMAC-SHA256"
            case 2:
                head.fields.removeAll { $0.name == "Authorization" }
                head.fields.append(RequestField("Authorization", "AWS4-HMAC-SHA256 " + text()))
            case 3:
                let index = Int.random(in: 0..<head.fields.count, using: &random)
                head.fields[index] = RequestField(text(), text())
            default: head.method = text()
            }
            guard head != sample.head else { continue }
            do throws(SignatureRefusal) {
                _ = try TestWorld.verify(head, now: sample.now, keys: sample.keys)
                // What was replaced had not been signed, and the region happens to be ours.
                #expect(round % 5 == 3 && sample.region == TestWorld.region)
            } catch {
                #expect(!error.answer.message.isEmpty)
            }
        }
    }

    private static func machines() throws -> [ChunkedBodyStateMachine] {
        let chain = try TestWorld.verify(try #require(PublishedExample.all().first).head).chain
        return [
            (true, nil), (true, ChecksumAlgorithm.crc32c), (false, .crc64nvme),
        ].flatMap { isSigned, trailer in
            [0, 5, 20_000].map { count in
                ChunkedBodyStateMachine(
                    ChunkedPayload(
                        isSigned: isSigned, decodedByteCount: count, trailer: trailer),
                    chain: chain, TestWorld.digests)
            }
        }
    }

    @Test func `for a body in chunks is refused, or more is asked for`() throws {
        var random = SeededGenerator(seed: Self.seed)
        let alphabet =
            Array("0123456789abcdefABCDEF;=:-chunk-signature\r\n\r\n\r\n".utf8) + [0, 0xFF]
        let words = [
            "0\r\n", "5\r\nhello\r\n", ";chunk-signature=", "\r\n", "2000\r\n",
            "x-amz-checksum-crc32c:", "x-amz-trailer-signature:", "AAAA", "FFFFFFFFFFFF\r\n",
        ]
        for machine in try Self.machines() {
            for _ in 0..<400 {
                var wire: [UInt8] = []
                for _ in 0..<Int.random(in: 0...12, using: &random) {
                    if Bool.random(using: &random) {
                        wire += Array(words[Int.random(in: 0..<words.count, using: &random)].utf8)
                    } else {
                        for _ in 0..<Int.random(in: 0...20, using: &random) {
                            wire.append(
                                alphabet[Int.random(in: 0..<alphabet.count, using: &random)])
                        }
                    }
                }
                let run = BodyRun(machine, wire, sizes: [Int.random(in: 1...30, using: &random)])
                #expect(run.refusal != nil && run.released.isEmpty)
                // Without the end: refused, or still waiting.
                let open = BodyRun(machine, wire, ends: false)
                #expect(open.released.isEmpty)
            }
        }
    }

    @Test func `made of a good body is refused`() throws {
        var random = SeededGenerator(seed: Self.seed)
        for sample in try BotocoreSample.all() {
            let verified = try sample.verified()
            guard case .chunked(let payload) = verified.payload else { continue }
            let machine = ChunkedBodyStateMachine(
                payload, chain: verified.chain, TestWorld.digests)
            let (wire, plain) = sample.bodies
            for _ in 0..<30 {
                var other = wire
                let start = Int.random(in: 0..<wire.count, using: &random)
                let end = min(wire.count, start + Int.random(in: 1...9, using: &random))
                switch Int.random(in: 0...2, using: &random) {
                case 0: other.removeSubrange(start..<end)
                case 1: other.insert(contentsOf: wire[start..<end], at: start)
                default:
                    for index in start..<end {
                        other[index] = UInt8.random(in: 0...255, using: &random)
                    }
                }
                let run = BodyRun(machine, other, sizes: [700])
                guard run.refusal == nil else {
                    #expect(run.released.count < max(plain.count, 1))
                    continue
                }
                // An empty line doubled, or bytes replaced by their equals.
                #expect(run.released == plain)
            }
        }
    }
}
