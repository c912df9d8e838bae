// SPDX-License-Identifier: Apache-2.0
import Checksums
import CryptoHasher
import Testing

@Suite struct `Message authentication` {
    private static func code(_ key: [UInt8], _ message: [UInt8]) -> String {
        hexadecimal(
            [UInt8](unsafeUninitializedCapacity: MessageAuthentication.byteCount) { buffer, count in
                MessageAuthentication.sha256(
                    key: key.span.bytes, message: message.span.bytes, CryptoHasher(),
                    into: UnsafeMutableRawBufferPointer(buffer))
                count = MessageAuthentication.byteCount
            })
    }

    /// RFC 4231, sections 4.2 to 4.5, 4.7 and 4.8.
    @Test func `has the values of RFC 4231`() {
        #expect(
            Self.code([UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8))
                == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        #expect(
            Self.code(Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(
            Self.code(
                [UInt8](repeating: 0xAA, count: 20), [UInt8](repeating: 0xDD, count: 50))
                == "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe")
        #expect(
            Self.code((1...25).map { UInt8($0) }, [UInt8](repeating: 0xCD, count: 50))
                == "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b")
        let long = [UInt8](repeating: 0xAA, count: 131)
        #expect(
            Self.code(
                long, Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8))
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
        let text =
            "This is a test using a larger than block-size key and a larger than block-size data. "
            + "The key needs to be hashed before being used by the HMAC algorithm."
        #expect(
            Self.code(long, Array(text.utf8))
                == "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2")
    }

    @Test func `keys of a block and one byte more differ from each other`() {
        let block = [UInt8](repeating: 1, count: 64)
        #expect(Self.code(block, []) != Self.code(block + [0], []))
        // Shorter keys are filled with zeros, by definition.
        #expect(Self.code([1], []) == Self.code([1, 0], []))
    }

    @Test func `the code may take the key's place`() {
        let key = (0..<32).map { UInt8($0) }
        let message: [UInt8] = [1, 2, 3]
        var place = key
        place.withUnsafeMutableBytes { place in
            MessageAuthentication.sha256(
                key: UnsafeRawBufferPointer(place).bytes, message: message.span.bytes,
                CryptoHasher(), into: place)
        }
        #expect(hexadecimal(place) == Self.code(key, message))
    }

    private static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        ConstantTime.areEqual(left.span.bytes, right.span.bytes)
    }

    @Test func `equality needs every byte`() {
        let bytes = (0..<32).map { UInt8($0) }
        #expect(Self.areEqual(bytes, bytes))
        #expect(!Self.areEqual(bytes, bytes.dropLast()))
        #expect(Self.areEqual([], []))
        for bit in 0..<256 {
            var other = bytes
            other[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!Self.areEqual(bytes, other))
        }
    }
}
