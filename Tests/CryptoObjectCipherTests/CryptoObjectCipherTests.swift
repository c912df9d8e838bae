// SPDX-License-Identifier: Apache-2.0
import CryptoObjectCipher
import SealedObject
import Testing

@Suite struct `The cipher by swift-crypto` {
    private let cipher = CryptoObjectCipher()

    private func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = hexadecimal.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        return stride(from: 0, to: digits.count, by: 2).map {
            UInt8(digits[$0] << 4 | digits[$0 + 1])
        }
    }

    /// Of FIPS 180-4's examples.
    @Test func `computes SHA-256`() {
        let text = Array("abc".utf8)
        #expect(
            cipher.sha256(text).array
                == bytes("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
    }
}
