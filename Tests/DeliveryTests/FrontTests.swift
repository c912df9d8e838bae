// SPDX-License-Identifier: Apache-2.0
import Delivery
import SecretMemory
import Testing

@Suite struct `The front of a delivery image` {
    private static func image(_ values: [(String, String)], capacity: Int = 8192) throws
        -> DeliveryImage
    {
        var image = try DeliveryImage(capacity: capacity, minimumTier: .ordinary)
        for (name, value) in values {
            #expect(`A delivery image`.append(name, value, to: &image) == nil)
        }
        return image
    }

    private static let values = [("A", "s3cret"), ("EMPTY", ""), ("LONGER", "of some length")]

    @Test(arguments: [8, 64, 1568, 4096, 98_336])
    func `is given zeroed beside the values, which move behind it`(byteCount: Int) throws {
        var image = try Self.image(Self.values)
        let before = `A delivery image`.text(image)
        let offsets = image.entries.map(\.offset)
        let seen = try image.setFront(byteCount: byteCount) { front, values in
            let isZero = front.allSatisfy { $0 == 0 }
            front.initializeMemory(as: UInt8.self, repeating: 0xee)
            return (isZero, front.count, values.map { String(decoding: $0, as: UTF8.self) })
        }
        #expect(seen.0 && seen.1 == byteCount)
        #expect(seen.2 == Self.values.map(\.1))
        #expect(image.frontBytes == byteCount)
        #expect(image.entries.map(\.offset) == offsets.map { $0 + byteCount })
        let after = `A delivery image`.text(image)
        #expect(after.prefix(byteCount).allSatisfy { $0 == 0xee })
        #expect(Array(after.dropFirst(byteCount)) == before)
    }

    @Test func `grows, and is zeroed again`() throws {
        var image = try Self.image(Self.values)
        let before = `A delivery image`.text(image)
        for byteCount in [0, 16, 16, 4096] {
            let isZero = try image.setFront(byteCount: byteCount) { front, _ in
                defer { front.initializeMemory(as: UInt8.self, repeating: 0xee) }
                return front.allSatisfy { $0 == 0 }
            }
            #expect(isZero)
            #expect(Array(`A delivery image`.text(image).dropFirst(byteCount)) == before)
        }
    }

    @Test func `does not count against the image's capacity, before or after`() throws {
        var image = try Self.image(Self.values, capacity: 128)
        try image.setFront(byteCount: 8192) { _, _ in }
        let long = String(repeating: "x", count: 100)
        #expect(`A delivery image`.append("B", long, to: &image) == .imageTooLarge(limitBytes: 128))
        #expect(`A delivery image`.append("B", "x", to: &image) == nil)
        #expect(image.entries.last?.offset == 8192 + 72)
    }

    @Test func `changes nothing when there is no memory for it`() throws {
        var image = try Self.image(Self.values)
        let before = `A delivery image`.text(image)
        #expect(throws: DeliveryFailure.self) {
            try image.setFront(byteCount: SecretBuffer.capacityBytesMax) { _, _ in }
        }
        #expect(`A delivery image`.text(image) == before && image.frontBytes == 0)
    }
}
