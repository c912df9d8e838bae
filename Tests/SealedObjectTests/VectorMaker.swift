// SPDX-License-Identifier: Apache-2.0
import CryptoObjectCipher

@testable import SealedObject

/// Makes the vectors of Fixtures/ct1 that Swift writes.
enum VectorMaker {
    /// Byte i of every plaintext: i · 31 + 7 + 13 · ⌊i / 65,536⌋, modulo 256.
    static func plaintext(_ range: Range<Int>) -> [UInt8] {
        range.map { UInt8(truncatingIfNeeded: $0 * 31 + 7 + 13 * ($0 >> 16)) }
    }

    static let dataKey = Sample.octets(1_001).array
    static let otherKey = Sample.octets(1_002).array
    static let epochKey = Sample.octets(1_003).array
    static let sizes = [0, 1, 65_535, 65_536, 65_537, 131_075]

    static var files: [(name: String, vectors: [Vector])] {
        get throws {
            var files = try sizes.map { size in
                (
                    "object-\(size).json",
                    [
                        Vector.segment(
                            try segment("object-\(size)", .object, size, dataKey, salt: size))
                    ]
                )
            }
            let attempt = try segment("part-attempt", Sample.part(2), 65_536, dataKey, salt: 77)
            files.append(("part-attempt.json", [.segment(attempt)]))
            let other = try segment("object-of-another-key", .object, 20, otherKey, salt: 78)
            files.append(("object-of-another-key.json", [.segment(other)]))
            for (name, layout, sizes) in shapes {
                files.append(("\(name).json", [.parts(try parts(name, layout, sizes))]))
            }
            files.append(("envelopes.json", try envelopes()))
            files.append(("must-fail.json", try FailingVectors.all().map { .failing($0) }))
            return files
        }
    }

    static let shapes: [(String, FooterLayout, [Int])] = [
        ("parts-extra", .extraPart, [65_536, 65_536, 3]),
        ("parts-merged", .mergedIntoLastPart, [65_536, 40]),
        ("parts-small", .extraPart, [5, 0, 6]),
        ("parts-one", .mergedIntoLastPart, [9]),
    ]

    static func segment(
        _ name: String, _ identity: SegmentIdentity, _ size: Int, _ key: [UInt8], salt: Int
    ) throws -> SegmentVector {
        let salt = Sample.octets(5_000 + salt)
        let sealed = try seal(plaintext(0..<size), identity, salt: salt, dataKey: key)
        let pseudorandom = try Sample.cipher.extract(
            Sample.cipher.secret(key.span.bytes), salt: salt)
        let chunkKey = try Sample.cipher.expandInClear(
            pseudorandom, info: KeyUse.encryption + identity.prefix)
        return SegmentVector(
            name: name, dataKey: key.hex, salt: salt.array.hex, chunkKey: chunkKey.array.hex,
            commitment: try readHeader(sealed).commitment.array.hex, kind: identity.kind.rawValue,
            partNumber: identity.partNumber, plainBytes: size, sealed: sealed.based)
    }

    static func parts(
        _ name: String, _ layout: FooterLayout, _ sizes: [Int]
    ) throws -> PartsVector {
        let key = dataKey
        var (sealed, rows, offset): ([UInt8], [PartTable.Row], Int) = ([], [], 0)
        for (index, size) in sizes.enumerated() {
            let row = PartTable.Row(
                number: index == 0 ? 1 : index * index + 1, plainBytes: size,
                salt: Sample.octets(7_000 + index + sizes.count * 10))
            sealed += try seal(
                plaintext(offset..<offset + size), Sample.part(row.number), salt: row.salt,
                dataKey: key)
            rows.append(row)
            offset += size
        }
        let digests = [
            PlainDigest(.sha256, Sample.cipher.sha256(plaintext(0..<offset)).array),
            PlainDigest(.crc32, [1, 2, 3, 4]),
        ].compactMap { $0 }
        let footerSalt = Sample.octets(7_100 + sizes.count)
        let table = try PartTable(rows, digests: layout == .extraPart ? digests : [])
        sealed += try table.sealedFooter(
            layout, Sample.cipher, dataKey: key.span.bytes, salt: footerSalt)
        let metadataKey = try Sample.cipher.expandInClear(
            Sample.cipher.extract(Sample.cipher.secret(key.span.bytes), salt: nil),
            info: KeyUse.metadata)
        return PartsVector(
            name: name, dataKey: key.hex, metadataKey: metadataKey.array.hex,
            footerSalt: footerSalt.array.hex, layout: layout.rawValue,
            upstreamParts: layout.upstreamParts(of: rows.count),
            parts: rows.map {
                .init(number: $0.number, plainBytes: $0.plainBytes, salt: $0.salt.array.hex)
            },
            digests: table.digests.map { .init(kind: $0.kind.rawValue, digest: $0.bytes.hex) },
            sealed: sealed.based)
    }

    static func envelopes() throws -> [Vector] {
        let content = KeyEnvelope.Content.object(
            salt: Sample.octets(8_001), commitment: Sample.octets(8_002))
        let vault = KeyEnvelope.Wrap.vault(
            ciphertext: "vault:v3:" + Sample.random(60, seed: 8).based)
        var vectors: [Vector] = []
        for (name, content) in [("object", content), ("parts", KeyEnvelope.Content.parts)] {
            let modeA = try KeyEnvelope(
                content: content, keyReference: "transit/ct1-\(name)", wrap: vault)
            vectors.append(.envelope(try envelope("mode-a-\(name)", "a/b c.txt", modeA)))
            let modeB = try wrapped(content, "a/b c.txt")
            vectors.append(.envelope(try envelope("mode-b-\(name)", "a/b c.txt", modeB)))
        }
        let key = dataKey
        let pairs = [
            ["content-type", "text/plain"], ["x-amz-meta-a", ""], ["x-amz-meta-b", "ü"],
        ]
        let metadata = try UserMetadata(pairs.map { .init($0[0], $0[1]) })
        let salt = Sample.octets(8_003)
        vectors.append(
            .userMetadata(
                UserMetadataVector(
                    name: "user-metadata", dataKey: key.hex, salt: salt.array.hex,
                    context: Sample.context("a").array.hex, pairs: pairs,
                    text: try metadata.sealed(
                        Sample.cipher, dataKey: key.span.bytes, salt: salt,
                        context: Sample.context("a")))))
        return vectors
    }

    static func wrapped(_ content: KeyEnvelope.Content, _ name: String) throws -> KeyEnvelope {
        let (key, epochKey) = (dataKey, epochKey)
        return try KeyEnvelope.wrapping(
            key.span.bytes, of: content, context: Sample.context(name),
            epochKey: epochKey.span.bytes, keyReference: "b/2026-11-27T04/1",
            wrapSalt: Sample.octets(8_004), Sample.cipher)
    }

    private static func envelope(
        _ name: String, _ key: String, _ envelope: KeyEnvelope
    ) throws -> EnvelopeVector {
        var vector = EnvelopeVector(
            name: name, tenant: "t", bucket: "b", key: key,
            context: Sample.context(key).array.hex, keyReference: envelope.keyReference,
            kind: envelope.content == .parts ? 1 : 0, text: envelope.text)
        if case .object(let salt, let commitment) = envelope.content {
            (vector.salt, vector.commitment) = (salt.array.hex, commitment.array.hex)
        }
        switch envelope.wrap {
        case .vault(let ciphertext): vector.ciphertext = ciphertext
        case .epoch(let salt, _):
            vector.wrapSalt = salt.array.hex
            (vector.dataKey, vector.epochKey) = (dataKey.hex, epochKey.hex)
        }
        return vector
    }
}
