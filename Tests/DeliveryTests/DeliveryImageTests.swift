// SPDX-License-Identifier: Apache-2.0
import Delivery
import SecretMemory
import Testing

@Suite struct `A delivery image` {
    /// Appends and returns the refusal, if any.
    static func append(
        _ name: String, _ value: [UInt8], to image: inout DeliveryImage
    ) -> DeliveryFailure? {
        value.withUnsafeBytes { bytes -> DeliveryFailure? in
            do throws(DeliveryFailure) {
                try image.append(name: name, value: bytes.bytes)
                return nil
            } catch { return error }
        }
    }

    static func append(
        _ name: String, _ value: String, to image: inout DeliveryImage
    ) -> DeliveryFailure? {
        append(name, Array(value.utf8), to: &image)
    }

    static func text(_ image: borrowing DeliveryImage) -> [UInt8] {
        image.withBytes { span in span.withUnsafeBytes { Array($0) } }
    }

    @Test func `lays entries out as NAME=value, NUL, canary, on 8-byte boundaries`() throws {
        var image = try DeliveryImage(capacity: 4096, minimumTier: .ordinary)
        #expect(Self.append("A", "s3cret", to: &image) == nil)
        #expect(Self.append("EMPTY", "", to: &image) == nil)
        #expect(image.entries.map(\.name) == ["A", "EMPTY"])
        #expect(image.entries.map(\.offset) == [0, 24])
        #expect(image.entries.map(\.byteCount) == [8, 6])
        let laidOut = Self.text(image)
        #expect(Array(laidOut[0..<9]) == Array("A=s3cret\0".utf8))
        #expect(laidOut[9] == 1 && laidOut[16] == 2)
        #expect(Array(laidOut[24..<31]) == Array("EMPTY=\0".utf8))
    }

    @Test(arguments: [
        ("B", "a\0b", DeliveryFailure.valueContainsNUL(name: "B")),
        ("A", "x", .nameRepeated("A")), ("1A", "x", .nameInvalid("1A")),
        ("A=B", "x", .nameInvalid("A=B")), ("", "x", .nameInvalid("")),
    ])
    func `refuses what no environment can hold and stays as it was`(
        name: String, value: String, failure: DeliveryFailure
    ) throws {
        var image = try DeliveryImage(capacity: 4096, minimumTier: .ordinary)
        #expect(Self.append("A", "x", to: &image) == nil)
        let before = Self.text(image)
        #expect(Self.append(name, value, to: &image) == failure)
        #expect(Self.text(image) == before)
        #expect(image.entries.count == 1)
    }

    @Test func `grows past its first page and keeps what it held`() throws {
        var image = try DeliveryImage(minimumTier: .ordinary)
        for index in 0..<300 {
            #expect(Self.append("N\(index)", "value-\(index)", to: &image) == nil)
        }
        let laidOut = Self.text(image)
        for (index, entry) in image.entries.enumerated() {
            let end = entry.offset + entry.byteCount
            #expect(Array(laidOut[entry.offset..<end]) == Array("N\(index)=value-\(index)".utf8))
        }
        #expect(image.byteCount > 4096)
    }

    @Test func `limits one value at the edge`() throws {
        let limit = DeliveryImage.secretValueBytesMax
        var image = try DeliveryImage(
            capacity: DeliveryImage.deliveryBytesMax, minimumTier: .ordinary)
        let largest = [UInt8](repeating: 0x61, count: limit)
        #expect(Self.append("N", largest, to: &image) == nil)
        #expect(
            Self.append("M", largest + [0x61], to: &image)
                == .valueTooLarge(name: "M", limitBytes: limit))
    }

    @Test func `limits the whole at the edge`() throws {
        let limit = DeliveryImage.deliveryBytesMax
        #expect(throws: Never.self) {
            _ = try DeliveryImage(capacity: limit, minimumTier: .ordinary).byteCount
        }
        #expect(throws: DeliveryFailure.imageTooLarge(limitBytes: limit)) {
            _ = try DeliveryImage(capacity: limit + 1, minimumTier: .ordinary).byteCount
        }
        var image = try DeliveryImage(capacity: 24, minimumTier: .ordinary)
        #expect(Self.append("A", "123456", to: &image) == nil)
        #expect(Self.append("B", "", to: &image) == .imageTooLarge(limitBytes: 24))
        #expect(image.byteCount == 24 && image.entries.count == 1)
    }
}
