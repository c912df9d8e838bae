// SPDX-License-Identifier: Apache-2.0
import Checksums
import CryptoHasher
import ImageFormat
import Testing

@Suite struct CryptoHasherTests {
    /// Of FIPS 180-4's examples, and of nothing.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func `computes SHA-256`(_ text: String, _ wanted: String) {
        #expect(ImageDigest(of: Array(text.utf8), CryptoHasher()).description == "sha256:" + wanted)
        #expect(Self.digest(.sha256, text) == wanted)
    }

    /// FIPS 180-4's example, and RFC 1321, appendix A.5.
    @Test(arguments: [
        (DigestAlgorithm.sha1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        (.sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (.md5, "", "d41d8cd98f00b204e9800998ecf8427e"),
        (.md5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
    ])
    func `computes the older ones`(_ algorithm: DigestAlgorithm, _ text: String, _ wanted: String) {
        #expect(Self.digest(algorithm, text) == wanted)
    }

    @Test func `in pieces, and a copy goes on for itself`() {
        for algorithm in DigestAlgorithm.allCases {
            var running = CryptoHasher().begin(algorithm)
            for byte in Array("abc".utf8) { running.update([byte].span.bytes) }
            let copy = running
            running.update([UInt8]().span.bytes)
            running.update(Array("d".utf8).span.bytes)
            let byteCount = algorithm.byteCount
            #expect(Self.text(copy.finished(byteCount: byteCount)) == Self.digest(algorithm, "abc"))
            #expect(
                Self.text(running.finished(byteCount: byteCount)) == Self.digest(algorithm, "abcd"))
        }
    }

    private static func digest(_ algorithm: DigestAlgorithm, _ text: String) -> String {
        Self.text(CryptoHasher().digest(algorithm, of: Array(text.utf8).span.bytes))
    }

    private static func text(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
