// SPDX-License-Identifier: Apache-2.0
import TestKit
import Testing

@testable import SealedObject

@Suite struct `Tables of parts` {
    private func row(_ number: Int, _ bytes: Int = 5, salt: Int? = nil) -> PartTable.Row {
        .init(number: number, plainBytes: bytes, salt: Sample.octets(salt ?? number))
    }

    @Test func `refuse parts that are no object`() {
        let cases: [([PartTable.Row], PartTableRefusal)] = [
            ([], .empty), ([row(0)], .numbersNotAscending(part: 0)),
            ([row(10_000)], .numbersNotAscending(part: 10_000)),
            ([row(2), row(1)], .numbersNotAscending(part: 1)),
            ([row(1), row(1, salt: 9)], .numbersNotAscending(part: 1)),
            ([row(1, -1)], .partTooLarge(part: 1)),
            ([row(1, (1 << 48) + 1)], .partTooLarge(part: 1)),
            ([row(1, 1 << 48), row(2, 1)], .objectTooLarge),
            ([row(1), row(2, salt: 1)], .saltUsedTwice(part: 2)),
        ]
        for (rows, refusal) in cases {
            #expect(throws: refusal) { try PartTable(rows) }
        }
        #expect((try? PartTable([row(1, 1 << 48)]))?.plainBytes == 1 << 48)
        #expect((try? PartTable([row(1), row(9_999)])) != nil)
    }

    @Test(arguments: FooterLayout.allCases)
    func `hold 9,999 parts and no more`(_ layout: FooterLayout) throws {
        let rows = (1...9_999).map { row($0, $0 * 7) }
        let table = try PartTable(rows)
        let dataKey = Sample.dataKey
        let footer = try table.sealedFooter(
            layout, Sample.cipher, dataKey: dataKey.span.bytes, salt: Sample.octets(0))
        let count = layout.upstreamParts(of: 9_999)
        #expect(footer.count == layout.sealedBytes(upstreamParts: count))
        // Seven chunks.
        #expect(footer.count > 6 * 65_552 && footer.count < 500_000)
        let found = try PartTable.open(
            suffix: footer.span.bytes, upstreamParts: count,
            sealedObjectBytes: table.sealedPartBytes + footer.count, Sample.cipher,
            dataKey: dataKey.span.bytes)
        #expect(found.table == table && found.layout == layout)
        #expect(throws: PartTableRefusal.tooManyParts(10_000)) {
            try PartTable(rows + [row(10_000)])
        }
    }

    @Test func `keep digests of the whole object`() throws {
        let digests = PlainDigest.Kind.allCases.compactMap {
            PlainDigest($0, [UInt8](repeating: $0.rawValue, count: $0.byteCount))
        }
        #expect(digests.count == PlainDigest.Kind.allCases.count)
        let bytes = digests.reduce(0) { $0 + 2 + $1.bytes.count }
        #expect(bytes <= SealedObjectLimits.digestBytesMax)
        let table = try PartTable([row(1)], digests: digests)
        for layout in FooterLayout.allCases {
            let read = try PartTable(
                footer: table.footer(layout), layout,
                upstreamParts: layout.upstreamParts(of: 1))
            #expect(read == table)
        }
        // Where the footer is stored, none of them can be found; in its plaintext they can.
        let dataKey = Sample.dataKey
        let sealed = try table.sealedFooter(
            .extraPart, Sample.cipher, dataKey: dataKey.span.bytes, salt: Sample.octets(0))
        for digest in digests where digest.bytes.count >= 16 {
            #expect(table.footer(.extraPart).contains(digest.bytes))
            #expect(!sealed.contains(digest.bytes))
        }
        #expect(PlainDigest(.crc32, [1, 2, 3]) == nil)
        #expect(throws: PartTableRefusal.digestsInvalid) {
            try PartTable([row(1)], digests: digests.reversed())
        }
        #expect(throws: PartTableRefusal.digestsInvalid) {
            try PartTable([row(1)], digests: [digests[0], digests[0]])
        }
    }

    /// With the right key one could write what is no table. Nothing of it is taken.
    @Test func `are read strictly`() throws {
        let digest = try #require(PlainDigest(.crc32, [1, 2, 3, 4]))
        let table = try PartTable([row(1), row(3)], digests: [digest])
        let good = table.footer(.extraPart)
        func read(_ bytes: [UInt8], _ layout: FooterLayout = .extraPart, _ count: Int = 3) throws
            -> PartTable
        {
            try PartTable(footer: bytes, layout, upstreamParts: count)
        }
        #expect(try read(good) == table)
        let digestStart = 16 + 2 * 44
        let changes: [(Int, UInt8, PartTableRefusal)] = [
            (0, 2, .footerMalformed), (1, 1, .footerMalformed), (2, 1, .footerMalformed),
            (7, 1, .footerMalformed), (7, 3, .footerMalformed), (15, 11, .footerMalformed),
            (19, 0, .numbersNotAscending(part: 0)), (19, 3, .numbersNotAscending(part: 3)),
            (20, 0x80, .partTooLarge(part: 1)), (20, 1, .partTooLarge(part: 1)),
            (27, 6, .footerMalformed), (digestStart, 7, .digestsInvalid),
            (digestStart + 1, 5, .digestsInvalid), (digestStart, 0, .footerMalformed),
            (digestStart + 6, 4, .digestsInvalid), (good.count - 1, 1, .footerMalformed),
        ]
        for (place, value, refusal) in changes {
            var bytes = good
            bytes[place] = value
            #expect(throws: refusal, "\(place)") { try read(bytes) }
        }
        for (bytes, layout, count) in [
            (good.dropLast(), FooterLayout.extraPart, 3), (good + [0], .extraPart, 3),
            (good, .mergedIntoLastPart, 3), (good, .extraPart, 2), (good, .extraPart, 0),
            (good, .extraPart, 10_001), ([], .extraPart, 3),
        ] {
            #expect(throws: PartTableRefusal.footerMalformed) {
                try read(Array(bytes), layout, count)
            }
        }
    }
}

@Suite struct `Sizes of objects in parts` {
    /// What a listing shows of an object with M parts does not depend on where its footer is.
    @Test func `have one overhead for one count of upstream parts`() throws {
        let differing = (2...10_000).filter { count in
            let extra = FooterLayout.extraPart.sealedBytes(upstreamParts: count)
            let merged = FooterLayout.mergedIntoLastPart.sealedBytes(upstreamParts: count)
            return 80 * (count - 1) + extra != 80 * count + merged
                || FooterLayout.overheadBytes(upstreamParts: count) != 80 * count + merged
        }
        #expect(differing == [])
    }

    @Test func `leave room for rows and digests in both layouts`() {
        for layout in FooterLayout.allCases {
            let wrong = (2...10_000).filter { count in
                let rows = 44 * layout.clientParts(of: count)
                let needed = 16 + rows + SealedObjectLimits.digestBytesMax
                let plain = layout.plainBytes(upstreamParts: count)
                return plain < needed || plain > needed + 1_024 + 80 + 44
            }
            #expect(wrong == [])
        }
    }

    /// Two objects of the same plaintext and count of upstream parts have the same size.
    @Test func `do not tell the layouts apart`() throws {
        let extra = Multipart([65_536, 131_075], .extraPart)
        let merged = Multipart([65_536, 65_536, 65_539], .mergedIntoLastPart)
        #expect(extra.upstreamParts == merged.upstreamParts)
        #expect(extra.plain.count == merged.plain.count)
        #expect(try extra.sealed().count == (try merged.sealed().count))
    }

    @Test func `are computed from a listing when parts are whole chunks`() throws {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<2_000 {
            let count = Int.random(in: 1...50, using: &generator)
            let part = 65_536 * Int.random(in: 1...200, using: &generator)
            let last = Int.random(in: 1...part, using: &generator)
            let rows = (1...count).map {
                PartTable.Row(
                    number: $0, plainBytes: $0 == count ? last : part, salt: Sample.octets($0))
            }
            let table = try PartTable(rows)
            #expect(table.isAligned)
            for layout in FooterLayout.allCases {
                let upstream = layout.upstreamParts(of: count)
                let sealed = table.sealedPartBytes + layout.sealedBytes(upstreamParts: upstream)
                let plain = FooterLayout.alignedPlainSize(
                    ofSealed: sealed, upstreamParts: upstream)
                #expect(plain == table.plainBytes)
                try table.check(sealedObjectBytes: sealed, layout)
            }
        }
    }

    /// The limit of it: other parts have a size that looks like a smaller or larger object's, which
    /// a listing cannot show. Their footer has to be read.
    @Test func `are wrong when parts are not whole chunks`() throws {
        for sizes in [[100, 100], [65_537, 5], [65_536, 0]] {
            let object = Multipart(sizes, .extraPart)
            #expect(try object.table().isAligned == false)
            let sealed = try object.sealed().count
            let listed = FooterLayout.alignedPlainSize(
                ofSealed: sealed, upstreamParts: object.upstreamParts)
            #expect(listed != object.plain.count)
        }
        #expect(try Multipart([0], .extraPart).table().isAligned)
    }

    @Test func `that no object has are refused`() {
        let least = FooterLayout.overheadBytes(upstreamParts: 1) + 16
        #expect(FooterLayout.alignedPlainSize(ofSealed: least, upstreamParts: 1) == 0)
        for (sealed, count) in [
            (least - 1, 1), (0, 1), (.min, 1), (.max, 1), (least, 0), (least, 10_001), (least, -1),
        ] {
            #expect(FooterLayout.alignedPlainSize(ofSealed: sealed, upstreamParts: count) == nil)
        }
        #expect(FooterLayout.alignedPlainSize(ofSealed: 10_000_000, upstreamParts: 10_000) != nil)
    }
}
