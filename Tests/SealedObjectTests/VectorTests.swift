// SPDX-License-Identifier: Apache-2.0
import CryptoObjectCipher
import Foundation
import SecretMemory
import Testing

@testable import SealedObject

@Suite struct `Vectors of CT1` {
    /// To write them anew after a change that is meant: CLOUDTASER_WRITE_VECTORS=1, then read the
    /// difference: what was sealed before must stay readable.
    @Test func `are what is made today`() throws {
        let isWriting = ProcessInfo.processInfo.environment["CLOUDTASER_WRITE_VECTORS"] != nil
        for (name, vectors) in try VectorMaker.files {
            let json = try VectorFile(vectors).json
            let url = VectorFile.folder.appending(path: name)
            if isWriting { try json.write(to: url) }
            #expect(try Data(contentsOf: url) == json, "\(name)")
            #expect(json.count < 400_000, "\(name)")
        }
    }

    /// Ours and those that another hand made from the specification (Tests/ct1).
    @Test func `open, all of them`() throws {
        var counts = [0, 0, 0, 0, 0]
        for vector in try all().values {
            switch vector {
            case .segment(let vector):
                try check(vector)
                counts[0] += 1
            case .parts(let vector):
                try check(vector)
                counts[1] += 1
            case .envelope(let vector):
                try check(vector)
                counts[2] += 1
            case .userMetadata(let vector):
                try check(vector)
                counts[3] += 1
            case .salamander(let vector):
                try check(vector)
                counts[4] += 1
            case .failing: break
            }
        }
        #expect(counts == [13, 6, 5, 2, 1])
    }

    @Test func `that must fail do, and what they are made of opens`() throws {
        let vectors = try all()
        var count = 0
        for case .failing(let vector) in vectors.values {
            let failure = try attempt(vector, vectors)
            #expect(failure != nil, "\(vector.name)")
            if vector.byKey { #expect(failure == .notAuthentic, "\(vector.name)") }
            count += 1
        }
        #expect(count == (try FailingVectors.all().count) && count > 50)
    }

    private func all() throws -> [String: Vector] {
        let names = try VectorMaker.files.map(\.name) + ["peer.json"]
        let vectors = try names.flatMap { try VectorFile(named: $0).vectors }
        return Dictionary(vectors.map { ($0.name, $0) }) { first, _ in first }
    }

    private func identity(_ kind: UInt8, _ number: Int) throws -> SegmentIdentity {
        kind == 0 ? .object : try #require(SegmentIdentity.part(number))
    }

    private func check(_ vector: SegmentVector) throws {
        let sealed = vector.sealed.unbased
        let identity = try identity(vector.kind, vector.partNumber)
        let plain = VectorMaker.plaintext(0..<vector.plainBytes)
        let opened = open(sealed, identity, dataKey: vector.dataKey.unhexed)
        #expect(opened == Opened(plain: plain), "\(vector.name)")
        let salt = try #require(Octets32(vector.salt.unhexed))
        #expect(
            try seal(plain, identity, salt: salt, dataKey: vector.dataKey.unhexed) == sealed)
        #expect(try readHeader(sealed).commitment.array.hex == vector.commitment)
        #expect(SegmentSize.plainSize(ofSealed: sealed.count) == vector.plainBytes)
    }

    private func check(_ vector: PartsVector) throws {
        let (sealed, key) = (vector.sealed.unbased, vector.dataKey.unhexed)
        let size = vector.parts.reduce(0) { $0 + $1.plainBytes }
        let opened = openMultipart(sealed, upstreamParts: vector.upstreamParts, dataKey: key)
        #expect(opened == Opened(plain: VectorMaker.plaintext(0..<size)), "\(vector.name)")
        let suffixBytes = try #require(
            FooterLayout.suffixBytes(upstreamParts: vector.upstreamParts))
        let suffix = Array(sealed.suffix(suffixBytes))
        let (table, layout) = try PartTable.open(
            suffix: suffix.span.bytes, upstreamParts: vector.upstreamParts,
            sealedObjectBytes: sealed.count, Sample.cipher, dataKey: key.span.bytes)
        #expect(layout.rawValue == vector.layout)
        #expect(table.rows.map(\.salt.array.hex) == vector.parts.map(\.salt))
        #expect(table.digests.map(\.bytes.hex) == vector.digests.map(\.digest))
        let footer = try table.sealedFooter(
            layout, Sample.cipher, dataKey: key.span.bytes,
            salt: try #require(Octets32(vector.footerSalt.unhexed)))
        #expect(sealed.suffix(footer.count) == footer[...])
    }

    private func check(_ vector: EnvelopeVector) throws {
        let name = try #require(
            ObjectName(tenant: vector.tenant, bucket: vector.bucket, key: vector.key))
        let context = name.context(Sample.cipher)
        #expect(context.array.hex == vector.context)
        let envelope = try KeyEnvelope(vector.text)
        #expect(envelope.text == vector.text && envelope.keyReference == vector.keyReference)
        if case .object(let salt, let commitment) = envelope.content {
            #expect(salt.array.hex == vector.salt && commitment.array.hex == vector.commitment)
        } else {
            #expect(vector.salt == nil && vector.kind == 1)
        }
        switch envelope.wrap {
        case .vault(let ciphertext): #expect(ciphertext == vector.ciphertext)
        case .epoch(let salt, _):
            let epochKey = try #require(vector.epochKey).unhexed
            var buffer = try SecretBuffer(capacity: 32, minimumTier: .ordinary)
            try envelope.unwrap(
                context: context, epochKey: epochKey.span.bytes, Sample.cipher, into: &buffer)
            let key = buffer.withBytes { bytes in bytes.withUnsafeBytes { Array($0) } }
            #expect(key.hex == vector.dataKey && salt.array.hex == vector.wrapSalt)
        }
    }

    private func check(_ vector: UserMetadataVector) throws {
        let (key, context) = (vector.dataKey.unhexed, vector.context.unhexed)
        let metadata = try UserMetadata(
            vector.text, Sample.cipher, dataKey: key.span.bytes,
            context: try #require(Octets32(context)))
        #expect(metadata.pairs.map { [$0.name, $0.value] } == vector.pairs)
    }

    /// A chunk that two keys open (eprint.iacr.org/2019/016). The control: without the commitment
    /// both data keys read it, each another plaintext.
    private func check(_ vector: SalamanderVector) throws {
        let sealed = vector.sealed.unbased
        let salt = try #require(Octets32(vector.salt.unhexed))
        let chunk = Array(sealed[80...])
        let plains = try [vector.dataKey, vector.otherKey].map { hex in
            let key = hex.unhexed
            let keys = try SegmentKeys(
                Sample.cipher, dataKey: Sample.cipher.secret(key.span.bytes), identity: .object,
                salt: salt)
            var plain = [UInt8](repeating: 0, count: chunk.count - 16)
            try plain.withUnsafeMutableBytes {
                try Sample.cipher.open(
                    chunk.span.bytes, keys.encryption, nonce: ChunkNonce(index: 0, isLast: true),
                    authenticating: [], into: $0)
            }
            return plain
        }
        #expect(plains[0] != plains[1])
        #expect(open(sealed, dataKey: vector.dataKey.unhexed) == Opened(plain: plains[0]))
        #expect(
            open(sealed, dataKey: vector.otherKey.unhexed) == Opened(failure: .notAuthentic))
    }

    /// Why it was refused; nil: it was not.
    private func attempt(
        _ vector: FailingVector, _ vectors: [String: Vector]
    ) throws -> SealedObjectFailure? {
        let bytes = vector.bytes(vectors)
        switch vector.form {
        case "segment":
            let opened = open(
                bytes, try identity(vector.kind ?? 0, vector.partNumber ?? 0),
                dataKey: try #require(vector.dataKey).unhexed)
            let plain = VectorMaker.plaintext(0..<opened.plain.count)
            #expect(opened.plain == plain, "\(vector.name): released what was never sealed")
            return opened.failure
        case "parts":
            return openMultipart(
                bytes, upstreamParts: vector.upstreamParts ?? 0,
                dataKey: try #require(vector.dataKey).unhexed
            ).failure
        default: return try unwrap(vector)
        }
    }

    private func unwrap(_ vector: FailingVector) throws -> SealedObjectFailure? {
        let name = try #require(
            ObjectName(
                tenant: vector.tenant ?? "", bucket: vector.bucket ?? "", key: vector.key ?? ""))
        let epochKey = try #require(vector.epochKey).unhexed
        var buffer = try SecretBuffer(capacity: 32, minimumTier: .ordinary)
        let envelope: KeyEnvelope
        do { envelope = try KeyEnvelope(vector.text ?? "") } catch { return .envelope(error) }
        do {
            try envelope.unwrap(
                context: name.context(Sample.cipher), epochKey: epochKey.span.bytes, Sample.cipher,
                into: &buffer)
        } catch { return error }
        return nil
    }
}
