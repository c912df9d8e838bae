// SPDX-License-Identifier: Apache-2.0
import CryptoObjectCipher
import TestKit
import Testing

@testable import SealedObject

/// An object in parts, as the proxy has it stored.
struct Multipart {
    var parts: [(number: Int, plain: [UInt8], salt: Octets32)]
    var layout: FooterLayout
    var digests: [PlainDigest] = []
    var footerSalt = Sample.octets(99)

    /// Parts of these sizes with the numbers 1, 2, 4, 7, ….
    init(_ sizes: [Int], _ layout: FooterLayout) {
        parts = sizes.enumerated().map { index, size in
            (
                1 + index * (index + 1) / 2, Sample.random(size, seed: UInt64(index + 1)),
                Sample.octets(10 + index)
            )
        }
        self.layout = layout
    }

    var plain: [UInt8] { parts.flatMap { $0.plain } }
    var upstreamParts: Int { layout.upstreamParts(of: parts.count) }

    func table() throws -> PartTable {
        try PartTable(
            parts.map { .init(number: $0.number, plainBytes: $0.plain.count, salt: $0.salt) },
            digests: digests)
    }

    func segments() throws -> [[UInt8]] {
        try parts.map { try seal($0.plain, Sample.part($0.number), salt: $0.salt) }
    }

    func footer() throws -> [UInt8] {
        let dataKey = Sample.dataKey
        return try table().sealedFooter(
            layout, Sample.cipher, dataKey: dataKey.span.bytes, salt: footerSalt)
    }

    func sealed() throws -> [UInt8] {
        try segments().flatMap { $0 } + footer()
    }
}

/// Reads an object in parts from what is stored, as the proxy does.
func openMultipart(
    _ sealed: [UInt8], upstreamParts: Int, _ plain: Range<Int>? = nil,
    dataKey: [UInt8] = Sample.dataKey, slicing: Slicing = .whole
) -> Opened {
    do {
        let bytes = FooterLayout.suffixBytes(upstreamParts: upstreamParts) ?? 0
        let suffix = Array(sealed.suffix(bytes))
        let (table, _) = try PartTable.open(
            suffix: suffix.span.bytes, upstreamParts: upstreamParts,
            sealedObjectBytes: sealed.count, Sample.cipher, dataKey: dataKey.span.bytes)
        guard let range = MultipartRange(plain ?? 0..<table.plainBytes, of: table) else {
            return Opened(failure: .truncated)
        }
        return open(Array(sealed[range.sealed]), table, range, dataKey: dataKey, slicing: slicing)
    } catch { return Opened(failure: error) }
}

func open(
    _ stretch: [UInt8], _ table: PartTable, _ range: MultipartRange,
    dataKey: [UInt8] = Sample.dataKey, slicing: Slicing = .whole
) -> Opened {
    var opened = Opened()
    do {
        var opener = try MultipartOpenerStateMachine(
            Sample.cipher, dataKey: dataKey.span.bytes, table: table, range: range)
        var output = [UInt8](repeating: 0xEE, count: SealedObjectLimits.outputBytesMax)
        for slice in slicing.slices(stretch) {
            var offset = 0
            while true {
                let rest = Array(slice.dropFirst(offset))
                let action = try output.withUnsafeMutableBytes {
                    try opener.push(rest.span.bytes, into: $0)
                }
                guard case .pass(let taken, let written) = action else { break }
                opened.plain += output[written]
                offset += taken
            }
        }
        try output.withUnsafeMutableBytes { try opener.finish(into: $0) }
    } catch { opened.failure = error as? SealedObjectFailure }
    return opened
}

@Suite struct `Objects in parts` {
    static let shapes: [[Int]] = [
        [0], [0, 0], [1], [65_536], [65_536, 65_536, 3], [100, 1, 70_000], [5, 0, 6], [65_536, 0],
        [131_073, 65_535, 65_537, 40],
    ]

    @Test(arguments: shapes, FooterLayout.allCases)
    func `are read whole in either layout`(_ sizes: [Int], _ layout: FooterLayout) throws {
        let object = Multipart(sizes, layout)
        let sealed = try object.sealed()
        for slicing in [Slicing.whole, .of(1_000), .of(65_552), .of(80)] {
            let opened = openMultipart(
                sealed, upstreamParts: object.upstreamParts, slicing: slicing)
            #expect(opened == Opened(plain: object.plain))
        }
    }

    @Test(arguments: 1...12)
    func `are read by any range and slicing`(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let sizes = (0..<Int.random(in: 1...5, using: &generator)).map { _ in
            [0, 1, 65_536, 100_000, 131_072].randomElement(using: &generator) ?? 0
        }
        let object = Multipart(sizes, seed.isMultiple(of: 2) ? .extraPart : .mergedIntoLastPart)
        let (sealed, plain) = (try object.sealed(), object.plain)
        guard !plain.isEmpty else { return }
        for _ in 0..<20 {
            let start = Int.random(in: 0..<plain.count, using: &generator)
            let end = Int.random(in: start + 1...plain.count, using: &generator)
            let opened = openMultipart(
                sealed, upstreamParts: object.upstreamParts, start..<end,
                slicing: .random(&generator))
            #expect(opened == Opened(plain: Array(plain[start..<end])))
        }
    }

    @Test func `have ranges of whole chunks, in one stretch`() throws {
        let object = Multipart([65_536, 100, 65_536], .extraPart)
        let table = try object.table()
        let range = try #require(MultipartRange(65_535..<65_637, of: table))
        let first = try #require(SegmentSize.sealedSize(of: 65_536))
        let second = try #require(SegmentSize.sealedSize(of: 100))
        // Without the first header, through the second and third one.
        #expect(range.sealed == 80..<first + second + first)
        #expect(MultipartRange(0..<0, of: table) == nil)
        #expect(MultipartRange(0..<table.plainBytes + 1, of: table) == nil)
        #expect(MultipartRange(-1..<1, of: table) == nil)
        let empty = try Multipart([0], .extraPart).table()
        #expect(MultipartRange(0..<0, of: empty)?.sealed == 80..<96)
    }

    /// What no part but the table shows: parts in another order, one of them left out or twice,
    /// another attempt at one of them.
    @Test(arguments: FooterLayout.allCases)
    func `refuse parts that are dropped, swapped, doubled or others`(
        _ layout: FooterLayout
    ) throws {
        // Of one size, so that sizes tell nothing.
        let object = Multipart([65_536, 65_536, 65_536], layout)
        let (segments, footer) = (try object.segments(), try object.footer())
        func read(_ order: [[UInt8]], _ end: [UInt8]? = nil) -> Opened {
            openMultipart(
                order.flatMap { $0 } + (end ?? footer), upstreamParts: object.upstreamParts)
        }
        #expect(read(segments) == Opened(plain: object.plain))
        // The control: each segment is authentic by itself, and so would be any order of them.
        for (part, segment) in zip(object.parts, segments) {
            #expect(open(segment, Sample.part(part.number)).plain == part.plain)
        }
        let attempt = try seal(
            Sample.random(65_536, seed: 50), Sample.part(object.parts[1].number),
            salt: Sample.octets(50))
        #expect(open(attempt, Sample.part(object.parts[1].number)).failure == nil)
        let renumbered = try seal(
            object.parts[1].plain, Sample.part(9), salt: object.parts[1].salt)
        let (a, b, c) = (segments[0], segments[1], segments[2])
        for order in [
            [b, a, c], [a, c, b], [c, b, a], [a, a, c], [a, b, b], [a, attempt, c],
            [a, renumbered, c],
        ] {
            let opened = read(order)
            #expect(opened.failure == .notAuthentic || isUnexpected(opened.failure))
            #expect(object.plain.starts(with: opened.plain))
        }
        let one = segments[0].count
        let expected = 3 * one + footer.count
        for (order, found) in [
            ([a, b], -one), ([a, c], -one), ([], -3 * one), ([a, b, c, c], one),
        ] {
            #expect(
                read(order).failure
                    == .partTable(
                        .sizesDisagree(expectedBytes: expected, foundBytes: expected + found)))
        }
        // Without its footer, or with the one of another upload.
        #expect(read(segments, []).failure == .notSealed)
        let other = Multipart([65_536, 65_536, 65_536], layout)
        let otherKey = Sample.otherKey
        let foreign = try other.table().sealedFooter(
            layout, Sample.cipher, dataKey: otherKey.span.bytes, salt: other.footerSalt)
        #expect(read(segments, foreign) == Opened(failure: .notAuthentic))
    }

    private func isUnexpected(_ failure: SealedObjectFailure?) -> Bool {
        if case .segmentUnexpected = failure { true } else { false }
    }

    @Test func `refuse a footer with any bit flipped`() throws {
        let object = Multipart([10], .mergedIntoLastPart)
        let sealed = try object.sealed()
        #expect(openMultipart(sealed, upstreamParts: 1) == Opened(plain: object.plain))
        let start = sealed.count - (try object.footer()).count
        for index in start..<sealed.count {
            var changed = sealed
            changed[index] ^= 1 << (index % 8)
            let opened = openMultipart(changed, upstreamParts: 1)
            #expect(opened.plain.isEmpty)
            #expect(
                index < start + 16
                    ? opened.failure == .notSealed : opened.failure == .notAuthentic)
        }
        // Not the size of a footer of another count of parts.
        #expect(openMultipart(sealed, upstreamParts: 2).failure != nil)
    }

    /// The bytes before a merged footer may look like a header: chance, or a provider's part.
    @Test func `find the footer behind what looks like one`() throws {
        let object = Multipart([200], .mergedIntoLastPart)
        var sealed = try object.sealed()
        let suffix = try #require(FooterLayout.suffixBytes(upstreamParts: 1))
        #expect(suffix == (try object.footer()).count + 80)
        let place = sealed.count - suffix
        sealed.replaceSubrange(place..<place + 16, with: SegmentIdentity.footer.prefix)
        let dataKey = Sample.dataKey
        // With one upstream part there is no footer of its own.
        #expect(
            FooterLayout.candidates(in: Array(sealed[place...]).span.bytes, upstreamParts: 1).count
                == 1)
        let two = Multipart([65_536, 200], .mergedIntoLastPart)
        var bytes = try two.sealed()
        let begin = bytes.count - (try #require(FooterLayout.suffixBytes(upstreamParts: 2)))
        bytes.replaceSubrange(begin..<begin + 16, with: SegmentIdentity.footer.prefix)
        let end = Array(bytes[begin...])
        #expect(FooterLayout.candidates(in: end.span.bytes, upstreamParts: 2).count == 2)
        let found = try PartTable.open(
            suffix: end.span.bytes, upstreamParts: 2, sealedObjectBytes: bytes.count,
            Sample.cipher, dataKey: dataKey.span.bytes)
        #expect(found.layout == .mergedIntoLastPart && found.table.rows.count == 2)
    }

    /// The count comes from whoever stores the object.
    @Test func `refuse counts of parts that no object has`() throws {
        let sealed = try Multipart([10], .mergedIntoLastPart).sealed()
        for count in [Int.min, -1, 0, 10_001, .max] {
            #expect(FooterLayout.suffixBytes(upstreamParts: count) == nil)
            #expect(openMultipart(sealed, upstreamParts: count).failure == .notSealed)
        }
        #expect(FooterLayout.suffixBytes(upstreamParts: 1) != nil)
        #expect(FooterLayout.suffixBytes(upstreamParts: 10_000) != nil)
        #expect(openMultipart(sealed, upstreamParts: 1).failure == nil)
    }

    @Test func `refuse stretches cut, filled and of another range`() throws {
        let object = Multipart([65_536, 100, 65_536], .extraPart)
        let (table, sealed) = (try object.table(), try object.sealed())
        let range = try #require(MultipartRange(10..<65_700, of: table))
        let stretch = Array(sealed[range.sealed])
        #expect(open(stretch, table, range) == Opened(plain: Array(object.plain[10..<65_700])))
        for cut in [0, 1, 65_551, 65_552, 65_553, 65_552 + 80, stretch.count - 1] {
            let opened = open(Array(stretch[..<cut]), table, range, slicing: .of(7_000))
            #expect(opened.failure == .truncated, "\(cut)")
        }
        #expect(open(stretch + [0], table, range).failure == .trailingBytes)
        let other = try #require(MultipartRange(65_540..<65_700, of: table))
        #expect(open(stretch, table, other).failure == .notAuthentic)
        #expect(
            open(stretch, table, range, dataKey: Sample.otherKey)
                == Opened(failure: .notAuthentic))
    }
}
