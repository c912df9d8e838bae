// SPDX-License-Identifier: Apache-2.0
import CryptoObjectCipher
import SealedObject
import Testing

/// A client may send a part again with other bytes, and the store keeps both. Two peers derive
/// their nonces from the upload and the part's number, so that both attempts have one key stream;
/// Ceph had the same error (ceph/ceph#69336).
@Suite struct `Parts that are sent twice` {
    private let one = Sample.random(1_000, seed: 1)
    private let two = Sample.random(1_000, seed: 2)

    /// What the store computes from two attempts: the ciphertexts' difference.
    private func difference(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        zip(left[80..<1_080], right[80..<1_080]).map { $0 ^ $1 }
    }

    /// Whether who knows the first attempt's plaintext can read the second one.
    private func isReadable(_ first: [UInt8], _ second: [UInt8]) -> Bool {
        zip(difference(first, second), one).map { $0 ^ $1 } == two
    }

    @Test func `stay unreadable with a salt for each attempt`() throws {
        let first = try seal(one, Sample.part(3), salt: Sample.octets(1))
        let second = try seal(two, Sample.part(3), salt: Sample.octets(2))
        #expect(!isReadable(first, second))
        // Even the same bytes have another key stream.
        let again = try seal(one, Sample.part(3), salt: Sample.octets(3))
        #expect(difference(first, again).contains { $0 != 0 })
    }

    /// The control: a broken copy of the uploader, which makes the salt of a part from its upload
    /// and number, gives the second attempt away.
    @Test func `would be readable with a salt for each part`() throws {
        func salt(upload: String, part: Int) -> Octets32 {
            Sample.cipher.sha256(Array("\(upload)/\(part)".utf8))
        }
        let first = try seal(one, Sample.part(3), salt: salt(upload: "u", part: 3))
        let second = try seal(two, Sample.part(3), salt: salt(upload: "u", part: 3))
        #expect(isReadable(first, second))
    }

    /// A source of salts that repeats itself is noticed when an object is completed.
    @Test func `are refused when salts repeat`() throws {
        let repeated = Sample.octets(4)
        #expect(throws: PartTableRefusal.saltUsedTwice(part: 2)) {
            try PartTable([
                .init(number: 1, plainBytes: 1_000, salt: repeated),
                .init(number: 2, plainBytes: 1_000, salt: repeated),
            ])
        }
        // Parts with different numbers have different keys even then.
        let first = try seal(one, Sample.part(1), salt: repeated)
        let second = try seal(two, Sample.part(2), salt: repeated)
        #expect(!isReadable(first, second))
    }
}
