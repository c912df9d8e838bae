// SPDX-License-Identifier: Apache-2.0
import Delivery
import LeakIndex
import SecretMemory
import Testing

@Suite("Leak index: in a delivery image")
struct ImageIndexTests {
    private static func image(_ values: [[UInt8]]) throws -> DeliveryImage {
        var image = try DeliveryImage(minimumTier: .ordinary)
        for (number, value) in values.enumerated() {
            try image.append(name: "VALUE_\(number)", value: value.span.bytes)
        }
        return image
    }

    private static func front(_ image: borrowing DeliveryImage) -> [UInt8] {
        let count = image.frontBytes
        return image.withBytes { span in span.withUnsafeBytes { Array($0.prefix(count)) } }
    }

    @Test("It is the index that is built of the values alone", arguments: [1, 3, 40])
    func sameIndex(count: Int) throws {
        var random = SplitMix64(state: UInt64(count))
        let values = (0..<count).map { _ in random.bytes(8 + 5 * count) }
        var image = try Self.image(values)
        var bitmap = [UInt8](repeating: 0, count: LeakIndex.bitmapBytes)
        let report = try image.addLeakIndex(multiplier: 77, bitmap: &bitmap)
        let expected = BuiltIndex(values, multiplier: 77)
        #expect(report == expected.report)
        #expect(Self.front(image) == expected.bytes)
        #expect(bitmap == expected.bitmap)
        let multiplier = Self.front(image).withUnsafeBytes { LeakIndex.multiplier(of: $0) }
        #expect(multiplier == 77)
    }

    @Test("Made again it replaces the former one, in a table no smaller")
    func again() throws {
        var random = SplitMix64(state: 50)
        var image = try Self.image([random.bytes(40)])
        var bitmap = [UInt8](repeating: 0, count: LeakIndex.bitmapBytes)
        _ = try image.addLeakIndex(multiplier: 5, bitmap: &bitmap)
        let first = Self.front(image)
        _ = try image.addLeakIndex(multiplier: 5, bitmap: &bitmap)
        #expect(Self.front(image) == first)
    }

    @Test("What is no index has no multiplier")
    func noMultiplier() {
        for bytes in [[], [UInt8](repeating: 0, count: 31), [UInt8](repeating: 1, count: 416)] {
            #expect(bytes.withUnsafeBytes { LeakIndex.multiplier(of: $0) } == nil)
        }
    }
}
