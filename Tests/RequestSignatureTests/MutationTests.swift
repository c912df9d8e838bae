// SPDX-License-Identifier: Apache-2.0
import Checksums
import CryptoHasher
import RequestSignature
import Testing

@Suite struct `A signed request with one bit changed` {
    private static let target = RequestTarget(
        path: Array("/bucket/a b+c%2F//../é/\u{7F}".utf8),
        query: [
            QueryItem("uploadId", "A+/="), QueryItem("partNumber", "7"), QueryItem("empty"),
            QueryItem("partNumber", "8"),
        ])
    private static let body = (0..<300).map { UInt8(truncatingIfNeeded: $0 * 7) }
    private static let fields = [
        RequestField("Host", "bucket.example.eu:8190"),
        RequestField("Content-Type", "text/plain; charset=utf-8"),
        RequestField("x-amz-meta-note", "two  words"), RequestField("x-amz-meta-note", "é"),
        RequestField("Range", "bytes=0-9"),
    ]

    private static func signed() throws -> RequestHead {
        let secret = Array(TestWorld.secret.utf8)
        return try TestWorld.signer().sign(
            method: "PUT", target, fields: fields,
            payload: .literal(TestWorld.digests.sha256(body)), now: TestWorld.exampleTime,
            secret: secret.span.bytes, sessionToken: "a/token+of=letters"
        ).head
    }

    private static func presigned() throws -> RequestHead {
        let secret = Array(TestWorld.secret.utf8)
        let text = try TestWorld.signer().presign(
            method: "PUT", target, fields: fields, now: TestWorld.exampleTime,
            expirySeconds: 600, secret: secret.span.bytes, sessionToken: "a/token+of=letters")
        return RequestHead(method: "PUT", target: text, fields: fields)
    }

    private static func isAccepted(_ head: RequestHead) -> Bool {
        TestWorld.refusal(head, keys: TestWorld.keys(token: "a/token+of=letters")) == nil
    }

    /// Every text that differs in one bit.
    private static func changes(_ text: String) -> [String] {
        let bytes = Array(text.utf8)
        return (0..<bytes.count * 8).map { bit in
            var other = bytes
            other[bit / 8] ^= 1 << UInt8(bit % 8)
            return String(decoding: other, as: UTF8.self)
        }
    }

    @Test func `is refused, whatever was signed`() throws {
        for head in [try Self.signed(), try Self.presigned()] {
            #expect(Self.isAccepted(head), "the control")
            for method in Self.changes(head.method) {
                var other = head
                other.method = method
                #expect(!Self.isAccepted(other), "\(method)")
            }
            for index in head.fields.indices {
                for value in Self.changes(head.fields[index].value) {
                    var other = head
                    other.fields[index] = RequestField(head.fields[index].name, value)
                    #expect(!Self.isAccepted(other), "\(head.fields[index].name): \(value)")
                }
            }
        }
    }

    /// `%2f` for `%2F` is no change of what is asked for: nothing else may pass.
    @Test func `is refused for every bit of path and query that means something`() throws {
        for head in [try Self.signed(), try Self.presigned()] {
            let meaning = try RequestTarget(parsing: head.target)
            var same = 0
            for target in Self.changes(head.target) {
                var other = head
                other.target = target
                guard Self.isAccepted(other) else { continue }
                same += 1
                #expect(try RequestTarget(parsing: target) == meaning, "\(target)")
                #expect(target.uppercased() == head.target.uppercased(), "\(target)")
            }
            // The letters among the digits of %2F, %C3 and their like.
            let letters = head.target.split(separator: "%").dropFirst().reduce(0) { count, part in
                count + part.prefix(2).count { "ABCDEF".contains($0) }
            }
            #expect(same == letters && letters > 0)
        }
    }

    @Test func `is refused when a signed field is gone, renamed or doubled`() throws {
        let head = try Self.signed()
        for index in head.fields.indices {
            var gone = head
            gone.fields.remove(at: index)
            #expect(!Self.isAccepted(gone))
            var renamed = head
            renamed.fields[index] = RequestField("x-other", head.fields[index].value)
            #expect(!Self.isAccepted(renamed))
            var doubled = head
            doubled.fields.append(head.fields[index])
            #expect(!Self.isAccepted(doubled))
        }
        // The order of repeated fields is signed, that of others is not.
        var swapped = head
        swapped.fields.swapAt(2, 3)
        #expect(!Self.isAccepted(swapped))
        swapped = head
        swapped.fields.swapAt(0, 1)
        #expect(Self.isAccepted(swapped))
    }

    /// The controls: what is not signed is not protected.
    @Test func `is accepted where the bit was not signed`() throws {
        var head = try Self.signed()
        head.fields.append(RequestField("user-agent", "a"))
        #expect(Self.isAccepted(head))
        head.fields.append(RequestField("x-unsigned", "b"))
        #expect(Self.isAccepted(head))
        // Case of a field's name, and space around its value.
        head.fields[0] = RequestField("HOST", " bucket.example.eu:8190\t")
        #expect(Self.isAccepted(head))
    }

    @Test func `is refused when the body is another`() throws {
        let head = try Self.signed()
        let verified = try TestWorld.verify(
            head, keys: TestWorld.keys(token: "a/token+of=letters"))
        guard case .literal(let hash) = verified.payload else {
            Issue.record("the body was signed")
            return
        }
        func run(_ body: [UInt8], _ hash: [UInt8]?) throws -> BodyRun {
            BodyRun(
                try PlainBodyStateMachine(contentHash: hash, of: head, TestWorld.digests), body)
        }
        #expect(try run(Self.body, hash).released == Self.body, "the control")
        for bit in 0..<Self.body.count * 8 {
            var other = Self.body
            other[bit / 8] ^= 1 << UInt8(bit % 8)
            let refused = try run(other, hash)
            #expect(refused.refusal == .contentHashMismatch && refused.released.isEmpty)
            // Without a hash, the same change passes.
            #expect(try run(other, nil).released == other)
        }
        #expect(try run(Self.body + [0], hash).refusal == .contentHashMismatch)
        #expect(try run(Self.body.dropLast(), hash).refusal == .contentHashMismatch)
    }
}

@Suite struct `A body in chunks with one bit changed` {
    private static let chunkBytes = 8192
    private static let lastBytes = 61

    /// A body of two chunks, and what it means.
    private static func body(
        isSigned: Bool, trailer: ChecksumAlgorithm?
    ) throws -> (
        wire: [UInt8], plain: [UInt8], chunkEnd: Int, machine: ChunkedBodyStateMachine
    ) {
        let plain = (0..<chunkBytes + lastBytes).map { UInt8(truncatingIfNeeded: $0 * 13 + 1) }
        let payload = ChunkedPayload(
            isSigned: isSigned, decodedByteCount: plain.count, trailer: trailer)
        let secret = Array(TestWorld.secret.utf8)
        let signed = try TestWorld.signer().sign(
            method: "PUT", RequestTarget(path: Array("/b/k".utf8)),
            fields: [RequestField("host", "h")], payload: .chunked(payload),
            now: TestWorld.exampleTime, secret: secret.span.bytes)
        let verified = try TestWorld.verify(signed.head)
        #expect(verified.payload == .chunked(payload))
        var encoder = ChunkedBodyEncoder(payload, chain: signed.chain, TestWorld.digests)
        var wire: [UInt8] = []
        var chunkEnd = 0
        for data in [Array(plain[..<chunkBytes]), Array(plain[chunkBytes...])] {
            wire += encoder.head(of: data.span.bytes) + data + ChunkedBodyEncoder.lineEnd
            if chunkEnd == 0 { chunkEnd = wire.count }
        }
        wire += encoder.end()
        return (
            wire, plain, chunkEnd,
            ChunkedBodyStateMachine(payload, chain: verified.chain, TestWorld.digests)
        )
    }

    /// Bits to change: a few of the first chunk's data, all the others.
    private static func bits(_ wire: [UInt8], _ chunkEnd: Int) -> [Int] {
        (0..<wire.count * 8).filter { bit in
            let isData = (100..<chunkEnd - 2).contains(bit / 8)
            return !isData || bit % 131 == 0
        }
    }

    @Test(
        arguments: [
            (true, nil), (true, ChecksumAlgorithm.crc32c), (true, .sha256), (false, .crc32),
            (false, .crc64nvme), (false, .sha1),
        ] as [(Bool, ChecksumAlgorithm?)])
    func `is refused, and nothing of the bad chunk is released`(
        _ isSigned: Bool, _ trailer: ChecksumAlgorithm?
    ) throws {
        let (wire, plain, chunkEnd, machine) = try Self.body(isSigned: isSigned, trailer: trailer)
        let whole = BodyRun(machine, wire)
        #expect(whole.refusal == nil && whole.released == plain, "the control")
        // A copy that has the first chunk behind it, for changes in what follows.
        var behind = machine
        _ = try behind.received(Array(wire[..<chunkEnd]), from: 0)
        let first = behind.takeReleased().count
        #expect(first == (isSigned ? Self.chunkBytes : 0))
        var same = 0
        for bit in Self.bits(wire, chunkEnd) {
            var other = wire
            other[bit / 8] ^= 1 << UInt8(bit % 8)
            let isBehind = bit / 8 >= chunkEnd
            let run =
                isBehind
                ? BodyRun(behind, Array(other[chunkEnd...])) : BodyRun(machine, other)
            guard run.refusal == nil else {
                #expect(run.released.isEmpty, "bit \(bit) of \(isSigned) \(trailer as Any)")
                continue
            }
            // The case of a size's digits and of the trailer's name means nothing.
            same += 1
            #expect(run.released == (isBehind ? Array(plain[first...]) : plain) && bit % 8 == 5)
            #expect(Self.lowercased(other) == Self.lowercased(wire), "bit \(bit)")
        }
        // 2000 and 3d: one letter.
        let letters = trailer.map { $0.fieldName.count(where: \.isLetter) } ?? 0
        let signature =
            isSigned && trailer != nil ? "x-amz-trailer-signature".count(where: \.isLetter) : 0
        #expect(same == 1 + letters + signature)
    }

    private static func lowercased(_ bytes: [UInt8]) -> [UInt8] {
        bytes.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    }

    @Test func `is refused when cut short or longer, at any place`() throws {
        for (isSigned, trailer) in [(true, nil), (true, ChecksumAlgorithm.crc32c), (false, .sha1)] {
            let (wire, plain, _, machine) = try Self.body(isSigned: isSigned, trailer: trailer)
            let ends = Array(0..<100) + Array(wire.count - 300..<wire.count)
            for end in ends {
                let run = BodyRun(machine, Array(wire[..<end]))
                #expect(run.refusal == .truncated, "\(end)")
                #expect(run.released.count <= Self.chunkBytes)
            }
            for extra in [[0], [10], [13], [13, 10, 13], [13, 10, 13, 10], Array("0\r\n".utf8)] {
                let run = BodyRun(machine, wire + extra)
                #expect(run.refusal != nil && run.released.count <= Self.chunkBytes, "\(extra)")
            }
            // Some clients end with one more empty line.
            if trailer != nil { #expect(BodyRun(machine, wire + [13, 10]).released == plain) }
        }
    }

    @Test func `is refused when chunks are swapped, repeated or left out`() throws {
        let data = (0..<3).map { [UInt8](repeating: $0, count: Self.chunkBytes) }
        let payload = ChunkedPayload(
            isSigned: true, decodedByteCount: 3 * Self.chunkBytes, trailer: nil)
        let secret = Array(TestWorld.secret.utf8)
        let signed = try TestWorld.signer().sign(
            method: "PUT", RequestTarget(path: [UInt8(ascii: "/")]),
            fields: [RequestField("host", "h")], payload: .chunked(payload),
            now: TestWorld.exampleTime, secret: secret.span.bytes)
        var encoder = ChunkedBodyEncoder(payload, chain: signed.chain, TestWorld.digests)
        let chunks = data.map { encoder.head(of: $0.span.bytes) + $0 + [13, 10] }
        let end = encoder.end()
        func run(_ order: [Int]) -> BodyRun {
            BodyRun(
                ChunkedBodyStateMachine(payload, chain: signed.chain, TestWorld.digests),
                order.flatMap { chunks[$0] } + end)
        }
        #expect(run([0, 1, 2]).released == data.flatMap { $0 }, "the control")
        for order in [[1, 0, 2], [0, 2, 1], [0, 0, 1], [2, 1, 0], [1, 1, 1]] {
            #expect(run(order).refusal == .chunkSignatureMismatch, "\(order)")
        }
        #expect(run([0, 1]).refusal == .decodedLengthMismatch)
        #expect(run([0, 1, 2, 2]).refusal == .decodedLengthMismatch)
        // Each chunk signs the one before: another request's chunk does not fit.
        let later = try TestWorld.signer().sign(
            method: "PUT", RequestTarget(path: [UInt8(ascii: "/")]),
            fields: [RequestField("host", "h")], payload: .chunked(payload),
            now: TestWorld.exampleTime + 1, secret: secret.span.bytes)
        let other = BodyRun(
            ChunkedBodyStateMachine(payload, chain: later.chain, TestWorld.digests),
            chunks.flatMap { $0 } + end)
        #expect(other.refusal == .chunkSignatureMismatch && other.released.isEmpty)
    }
}
