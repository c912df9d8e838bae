// SPDX-License-Identifier: Apache-2.0
import CryptoObjectCipher

@testable import SealedObject

/// The vectors that must be refused. Each is made of pieces of one that opens.
enum FailingVectors {
    static func all() throws -> [FailingVector] {
        try segments() + parts() + envelopes()
    }

    private static let base = "object-131075"
    private static let baseBytes = 131_203

    private static func piece(_ range: Range<Int>, of name: String = base) -> FailingVector.Piece {
        .init(of: name, from: range.lowerBound, to: range.upperBound)
    }

    private static func hex(_ bytes: [UInt8]) -> FailingVector.Piece { .init(hex: bytes.hex) }

    private static func segment(
        _ name: String, attack: Int, byKey: Bool, _ pieces: [FailingVector.Piece],
        key: [UInt8] = VectorMaker.dataKey, _ identity: SegmentIdentity = .object
    ) -> FailingVector {
        FailingVector(
            name: name, attack: attack, form: "segment", byKey: byKey, pieces: pieces,
            dataKey: key.hex, kind: identity.kind.rawValue, partNumber: identity.partNumber)
    }

    // MARK: - Segments

    private static func segments() throws -> [FailingVector] {
        let sealed = try seal(
            VectorMaker.plaintext(0..<131_075), salt: Sample.octets(5_000 + 131_075),
            dataKey: VectorMaker.dataKey)
        func changed(_ name: String, attack: Int, at place: Int, to value: UInt8? = nil)
            -> FailingVector
        {
            segment(
                name, attack: attack, byKey: place >= 16,
                [
                    piece(0..<place), hex([value ?? sealed[place] ^ 1]),
                    piece(place + 1..<baseBytes),
                ])
        }
        let flips: [(String, Int)] = [
            ("magic", 0), ("chunk-size", 6), ("kind", 7), ("part-number", 11), ("reserved", 15),
            ("salt", 16), ("salt-end", 47), ("commitment", 48), ("commitment-end", 79),
            ("chunk-0", 80), ("tag-0", 65_616), ("chunk-1", 65_632), ("tag-1", 131_183),
            ("chunk-2", 131_184), ("tag-2", 131_202),
        ]
        let downgrades = [
            changed("version-0", attack: 8, at: 4, to: 0),
            changed("version-2", attack: 8, at: 4, to: 2),
            changed("suite-0", attack: 8, at: 5, to: 0),
            changed("suite-2", attack: 8, at: 5, to: 2),
            changed("small-chunks", attack: 8, at: 6, to: 12),
        ]
        return flips.map { changed("flipped-\($0.0)", attack: 1, at: $0.1) } + downgrades
            + orders() + cuts()
            + [
                segment(
                    "body-of-another-key", attack: 5, byKey: true,
                    [piece(0..<116, of: "object-of-another-key")]),
                segment(
                    "no-ct1", attack: 12, byKey: false,
                    [hex(Array("plain text in a sealed object's place".utf8) + Array(0..<96))]),
                segment(
                    "part-as-another", attack: 11, byKey: false,
                    [piece(0..<65_632, of: "part-attempt")], Sample.part(3)),
                segment(
                    "part-renumbered", attack: 11, byKey: true,
                    [
                        piece(0..<11, of: "part-attempt"), hex([3]),
                        piece(12..<65_632, of: "part-attempt"),
                    ], Sample.part(3)),
                segment(
                    "part-as-object", attack: 11, byKey: true,
                    [
                        piece(0..<7, of: "part-attempt"), hex([0, 0, 0, 0, 0]),
                        piece(12..<65_632, of: "part-attempt"),
                    ]),
            ]
    }

    private static func orders() -> [FailingVector] {
        let header = piece(0..<80)
        let chunks = [
            piece(80..<65_632), piece(65_632..<131_184), piece(131_184..<baseBytes),
        ]
        let foreign = piece(65_632..<65_649, of: "object-65537")
        func order(_ name: String, _ pieces: [FailingVector.Piece]) -> FailingVector {
            segment(name, attack: 2, byKey: true, [header] + pieces)
        }
        return [
            order("chunks-swapped", [chunks[1], chunks[0], chunks[2]]),
            order("chunk-doubled", [chunks[0], chunks[0], chunks[2]]),
            order("chunk-inserted", [chunks[0], chunks[1], chunks[1], chunks[2]]),
            order("first-chunk-dropped", [chunks[1], chunks[2]]),
            order("middle-chunk-dropped", [chunks[0], chunks[2]]),
            order("last-chunk-dropped", [chunks[0], chunks[1]]),
            order("last-chunk-doubled", chunks + [chunks[2]]),
            order("chunk-of-another-object", [chunks[0], chunks[1], foreign]),
            order("chunk-of-another-object-appended", chunks + [foreign]),
        ]
    }

    private static func cuts() -> [FailingVector] {
        let edges: [(String, Int, Bool)] = [
            ("nothing", 0, false), ("inside-header", 79, false), ("header-only", 80, false),
            ("tag-only", 96, true), ("chunk-0", 65_632, true), ("chunk-1", 131_184, true),
            ("inside-tag-2", 131_200, false), ("one-byte", baseBytes - 1, true),
        ]
        return edges.map { name, end, byKey in
            segment("cut-to-\(name)", attack: 3, byKey: byKey, [piece(0..<end)])
        }
    }

    // MARK: - Objects in parts

    private static func parts() throws -> [FailingVector] {
        let name = "parts-extra"
        let size = 65_632
        let (last, end) = (2 * size + 99, 2 * size + 99 + footerBytes)
        let segments = [
            piece(0..<size, of: name), piece(size..<2 * size, of: name),
            piece(2 * size..<last, of: name),
        ]
        let footer = piece(last..<end, of: name)
        func made(
            _ title: String, byKey: Bool, _ pieces: [FailingVector.Piece], attack: Int = 11,
            upstreamParts: Int = 4
        ) -> FailingVector {
            FailingVector(
                name: title, attack: attack, form: "parts", byKey: byKey, pieces: pieces,
                dataKey: VectorMaker.dataKey.hex, upstreamParts: upstreamParts)
        }
        let attempt = piece(0..<65_632, of: "part-attempt")
        let flipped = try VectorMaker.parts(name, .extraPart, [65_536, 65_536, 3]).sealed.unbased
        return [
            made("parts-swapped", byKey: false, [segments[1], segments[0], segments[2], footer]),
            made("part-doubled", byKey: false, [segments[0], segments[0], segments[2], footer]),
            made("part-dropped", byKey: false, [segments[0], segments[2], footer]),
            made(
                "part-dropped-and-counted", byKey: false, [segments[0], segments[2], footer],
                upstreamParts: 3),
            made("last-part-dropped", byKey: false, [segments[0], segments[1], footer]),
            made("part-added", byKey: false, segments + [segments[2], footer]),
            made(
                "part-of-another-attempt", byKey: true,
                [segments[0], attempt, segments[2], footer]),
            made("footer-dropped", byKey: false, segments, upstreamParts: 3),
            made(
                "footer-of-another-object", byKey: false,
                segments + [piece(smallStart..<smallStart + footerBytes, of: "parts-small")]),
            made("footer-cut", byKey: false, segments + [piece(last..<end - 1, of: name)]),
            made(
                "flipped-footer-salt", byKey: true,
                segments + [
                    piece(last..<last + 20, of: name), hex([flipped[last + 20] ^ 1]),
                    piece(last + 21..<end, of: name),
                ], attack: 1),
            made(
                "flipped-footer", byKey: true,
                segments + [
                    piece(last..<end - 1, of: name), hex([flipped[end - 1] ^ 1]),
                ], attack: 1),
            made(
                "salt-used-twice", byKey: false, try saltUsedTwice(), attack: 10, upstreamParts: 2),
        ]
    }

    static let footerBytes = FooterLayout.extraPart.sealedBytes(upstreamParts: 4)
    /// Where the footer of `parts-small` begins.
    private static let smallStart = 101 + 96 + 102

    /// Two parts under one salt and an authentic footer that says so: a table that our writer
    /// refuses to make.
    private static func saltUsedTwice() throws -> [FailingVector.Piece] {
        let salt = Sample.octets(9_001)
        let key = VectorMaker.dataKey
        let rows = [1, 2].map { PartTable.Row(number: $0, plainBytes: 4, salt: salt) }
        let others = [1, 2].map {
            PartTable.Row(number: $0, plainBytes: 4, salt: Sample.octets(9_001 + $0))
        }
        var plain = try PartTable(others).footer(.mergedIntoLastPart)
        for index in 0..<2 {
            let start = FooterLayout.fixedBytes + index * FooterLayout.rowBytes + 12
            plain.replaceSubrange(start..<start + 32, with: salt.array)
        }
        let segments = try rows.map {
            try seal([1, 2, 3, 4], Sample.part($0.number), salt: salt, dataKey: key)
        }
        let footer = try Sample.cipher.sealWhole(
            plain, dataKey: key.span.bytes, identity: .footer, salt: Sample.octets(9_009))
        return [hex(segments.flatMap { $0 }), hex(footer)]
    }

    // MARK: - Envelopes

    private static func envelopes() throws -> [FailingVector] {
        let good = try VectorMaker.wrapped(.parts, "a/b c.txt").text
        func made(
            _ name: String, attack: Int, byKey: Bool, tenant: String = "t", bucket: String = "b",
            key: String = "a/b c.txt", epochKey: [UInt8] = VectorMaker.epochKey, text: String
        ) -> FailingVector {
            FailingVector(
                name: name, attack: attack, form: "envelope", byKey: byKey, tenant: tenant,
                bucket: bucket, key: key, epochKey: epochKey.hex, text: text)
        }
        func changed(_ place: Int, to value: UInt8) -> String {
            var bytes = Base64URL.bytes(good) ?? []
            bytes[place] = value
            return Base64URL.text(bytes)
        }
        let end = (Base64URL.bytes(good)?.count ?? 1) - 1
        return [
            made("envelope-of-another-key", attack: 4, byKey: true, key: "a/b d.txt", text: good),
            made("envelope-of-another-bucket", attack: 4, byKey: true, bucket: "c", text: good),
            made("envelope-of-another-tenant", attack: 4, byKey: true, tenant: "u", text: good),
            made(
                "envelope-with-moved-slash", attack: 4, byKey: true, bucket: "b/a", key: "b c.txt",
                text: good),
            made(
                "envelope-of-another-epoch", attack: 4, byKey: true, epochKey: VectorMaker.otherKey,
                text: good),
            made("envelope-version", attack: 8, byKey: false, text: changed(0, to: 0)),
            made("envelope-suite", attack: 8, byKey: false, text: changed(1, to: 2)),
            made("envelope-kind", attack: 8, byKey: false, text: changed(2, to: 0)),
            made("envelope-reference", attack: 1, byKey: true, text: changed(5, to: 0x63)),
            made("envelope-wrap-salt", attack: 1, byKey: true, text: changed(30, to: 0)),
            made("envelope-tag", attack: 1, byKey: true, text: changed(end, to: 0)),
            made("envelope-cut", attack: 3, byKey: false, text: String(good.dropLast(4))),
            made("envelope-missing", attack: 12, byKey: false, text: ""),
            made("envelope-padded", attack: 8, byKey: false, text: good + "="),
        ]
    }
}
