// SPDX-License-Identifier: Apache-2.0
import SealedObject
import SecretMemory
import TestKit
import Testing

@Suite struct `Envelopes of data keys` {
    private let vault = "vault:v1:" + String(repeating: "A", count: 80)

    private func wrapped(
        _ key: String = "k", bucket: String = "b", content: KeyEnvelope.Content = .parts,
        reference: String = "epoch-1", salt: Octets32 = Sample.octets(7)
    ) throws -> KeyEnvelope {
        let (dataKey, epochKey) = (Sample.dataKey, Sample.epochKey)
        return try KeyEnvelope.wrapping(
            dataKey.span.bytes, of: content, context: Sample.context(key, bucket: bucket),
            epochKey: epochKey.span.bytes, keyReference: reference, wrapSalt: salt, Sample.cipher)
    }

    /// The data key, nil when it does not unwrap: always for the same reason.
    private func unwrap(
        _ envelope: KeyEnvelope, _ key: String = "k", bucket: String = "b",
        epochKey: [UInt8] = Sample.epochKey
    ) throws -> [UInt8]? {
        var buffer = try SecretBuffer(capacity: 32, minimumTier: .ordinary)
        do {
            try envelope.unwrap(
                context: Sample.context(key, bucket: bucket), epochKey: epochKey.span.bytes,
                Sample.cipher, into: &buffer)
        } catch {
            #expect(error == .notAuthentic && buffer.count == 0)
            return nil
        }
        return buffer.withBytes { bytes in bytes.withUnsafeBytes { Array($0) } }
    }

    private var all: [KeyEnvelope] {
        get throws {
            let object = KeyEnvelope.Content.object(
                salt: Sample.octets(1), commitment: Sample.octets(2))
            return try [
                KeyEnvelope(
                    content: object, keyReference: "k", wrap: .vault(ciphertext: vault)),
                KeyEnvelope(
                    content: .parts, keyReference: "k", wrap: .vault(ciphertext: vault)),
                wrapped(content: object), wrapped(),
            ]
        }
    }

    @Test func `are read as they were written, and have one text only`() throws {
        for envelope in try all {
            #expect(try KeyEnvelope(envelope.text) == envelope)
            #expect(try KeyEnvelope(envelope.text).text == envelope.text)
            #expect(envelope.text.utf8.allSatisfy { $0 != UInt8(ascii: "=") })
        }
    }

    /// Every other text of the same length, one character changed, is another envelope or none.
    @Test func `with one character changed are others or refused`() throws {
        let alphabet = Array("AQg7-_+/= ".utf8)
        for envelope in try all {
            let text = Array(envelope.text.utf8)
            for index in text.indices {
                for character in alphabet where character != text[index] {
                    var changed = text
                    changed[index] = character
                    let other = String(decoding: changed, as: UTF8.self)
                    guard let read = try? KeyEnvelope(other) else { continue }
                    #expect(read != envelope && read.text == other)
                }
            }
        }
    }

    @Test func `unwrap what was wrapped, with this key and name only`() throws {
        let envelope = try wrapped("a/b", bucket: "c")
        #expect(try unwrap(envelope, "a/b", bucket: "c") == Sample.dataKey)
        #expect(try unwrap(envelope, "b", bucket: "c/a") == nil)
        #expect(try unwrap(envelope, "a/b", bucket: "d") == nil)
        #expect(try unwrap(envelope, "a/B", bucket: "c") == nil)
        #expect(try unwrap(envelope, "a/b", bucket: "c", epochKey: Sample.otherKey) == nil)
    }

    @Test func `do not unwrap with one byte changed`() throws {
        let envelope = try wrapped(
            content: .object(salt: Sample.octets(1), commitment: Sample.octets(2)))
        #expect(try unwrap(try KeyEnvelope(envelope.text)) == Sample.dataKey)
        let text = Array(envelope.text.utf8)
        var tried = 0
        for index in text.indices {
            var changed = text
            changed[index] =
                text[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            guard let other = try? KeyEnvelope(String(decoding: changed, as: UTF8.self)) else {
                continue
            }
            #expect(try unwrap(other) == nil)
            tried += 1
        }
        // Most characters are salts and the wrapped key.
        #expect(tried > 150)
    }

    /// Metadata of one object with the body of another.
    @Test func `give a key that opens no other body`() throws {
        let one = try seal(Array("one".utf8), salt: Sample.octets(1))
        let two = try seal(Array("two".utf8), salt: Sample.octets(2), dataKey: Sample.otherKey)
        let key = try #require(try unwrap(try wrapped("one"), "one"))
        #expect(open(one, dataKey: key).plain == Array("one".utf8))
        #expect(open(two, dataKey: Sample.otherKey).plain == Array("two".utf8))
        #expect(open(two, dataKey: key) == Opened(failure: .notAuthentic))
    }

    @Test func `have what a range is read with`() throws {
        let size = 100_000
        let plain = Sample.random(size, seed: 1)
        let sealed = try seal(plain)
        let header = try readHeader(sealed)
        let content = try #require(KeyEnvelope.Content(header))
        #expect(try KeyEnvelope(try wrapped(content: content).text).content.header == header)
        #expect(KeyEnvelope.Content(try readHeader(try seal([], Sample.part(1)))) == nil)
        #expect(KeyEnvelope.Content.parts.header == nil)
        // With another commitment nothing is read.
        let other = SegmentHeader(
            identity: .object, salt: header.salt, commitment: Sample.octets(5))
        let range = try #require(SegmentRange(10..<20, of: size))
        let dataKey = Sample.dataKey
        #expect(throws: SealedObjectFailure.notAuthentic) {
            _ = try OpenerStateMachine(
                Sample.cipher, dataKey: dataKey.span.bytes, header: other, range: range)
        }
        #expect(try openRange(sealed, 10..<20, of: size).plain == Array(plain[10..<20]))
    }

    @Test func `that are missing are refused`() {
        #expect(throws: EnvelopeRefusal.missing) { try KeyEnvelope(nil) }
    }

    /// A copy: another wrap, the same data key, so the payload stays as it is.
    @Test func `are made anew for a copy`() throws {
        let key = try #require(try unwrap(try wrapped("from"), "from"))
        let copy = try wrapped("to", salt: Sample.octets(8))
        #expect(try unwrap(copy, "to") == key)
        #expect(try unwrap(copy, "from") == nil)
        #expect(copy.wrap != (try wrapped("from")).wrap)
    }

    @Test func `of the other mode are refused as such`() throws {
        let envelope = try #require(try all.first)
        var buffer = try SecretBuffer(capacity: 32, minimumTier: .ordinary)
        let epochKey = Sample.epochKey
        #expect(throws: SealedObjectFailure.envelope(.modeUnexpected)) {
            try envelope.unwrap(
                context: Sample.context(), epochKey: epochKey.span.bytes, Sample.cipher,
                into: &buffer)
        }
    }

    @Test func `have a largest size below what is stored`() throws {
        let limits = (
            reference: SealedObjectLimits.keyReferenceBytesMax,
            ciphertext: SealedObjectLimits.vaultCiphertextBytesMax
        )
        func made(_ reference: Int, _ ciphertext: Int) throws -> KeyEnvelope {
            try KeyEnvelope(
                content: .object(salt: Sample.octets(1), commitment: Sample.octets(2)),
                keyReference: String(repeating: "k", count: reference),
                wrap: .vault(ciphertext: "vault:v" + String(repeating: "1", count: ciphertext - 7)))
        }
        let largest = try made(limits.reference, limits.ciphertext)
        #expect(largest.text.utf8.count <= SealedObjectLimits.envelopeTextBytesMax)
        #expect(largest.text.utf8.count > SealedObjectLimits.envelopeTextBytesMax - 4)
        #expect(try KeyEnvelope(largest.text) == largest)
        for (reference, ciphertext) in [
            (limits.reference + 1, 90), (0, 90), (10, limits.ciphertext + 1),
        ] {
            #expect(throws: EnvelopeRefusal.valueInvalid) { try made(reference, ciphertext) }
        }
        #expect(try wrapped(reference: String(repeating: "k", count: 64)).text.utf8.count < 400)
        let tooLong = String(repeating: "A", count: 401)
        #expect(throws: EnvelopeRefusal.tooLong(bytes: 401)) { try KeyEnvelope(tooLong) }
        #expect(throws: EnvelopeRefusal.versionUnknown(0)) {
            try KeyEnvelope(String(tooLong.dropLast()))
        }
    }

    @Test func `take visible ASCII and a vault's ciphertext only`() {
        for (reference, ciphertext) in [
            ("k k", vault), ("k\n", vault), ("é", vault), ("k", "v1:abc"), ("k", ""),
            ("k", "vault:v1 a"),
        ] {
            #expect(throws: EnvelopeRefusal.valueInvalid) {
                try KeyEnvelope(
                    content: .parts, keyReference: reference, wrap: .vault(ciphertext: ciphertext))
            }
        }
    }

    @Test func `of another shape are refused by what is wrong`() throws {
        let octets = Sample.octets(1).array
        let head: [UInt8] = [1, 1, 1]
        let reference: [UInt8] = [1, 1, 0x6B]
        let salt: [UInt8] = [4, 32] + octets
        let wrapped: [UInt8] = [5, 48] + octets + octets[..<16]
        func check(_ fields: [[UInt8]], _ refusal: EnvelopeRefusal) {
            #expect(throws: refusal) { try KeyEnvelope(text(Array(fields.joined()))) }
        }
        let good = try KeyEnvelope(text(head + reference + salt + wrapped))
        #expect(good.content == .parts && good.keyReference == "k")
        check([], .fieldMissing(tag: 1))
        check([[1, 1]], .fieldMissing(tag: 1))
        check([head], .fieldMissing(tag: 1))
        check([[2, 1, 1], reference, salt, wrapped], .versionUnknown(2))
        check([[1, 2, 1], reference, salt, wrapped], .suiteUnknown(2))
        check([[1, 1, 2], reference, salt, wrapped], .kindUnknown(2))
        check([head, [1]], .fieldInvalid(tag: 1))
        check([head, [1, 9, 0x6B]], .fieldInvalid(tag: 1))
        check([head, [1, 0], salt, wrapped], .valueInvalid)
        check([head, reference], .fieldMissing(tag: 4))
        check([head, salt, wrapped], .fieldInvalid(tag: 4))
        check([head, reference, reference, salt, wrapped], .fieldInvalid(tag: 1))
        check([head, reference, wrapped, salt], .fieldInvalid(tag: 5))
        check([head, reference, salt, wrapped, [7, 0]], .fieldInvalid(tag: 7))
        check([head, reference, salt, wrapped, [6, 1, 0x76]], .fieldInvalid(tag: 6))
        check([head, reference, salt, wrapped, [0]], .fieldInvalid(tag: 0))
        check([head, reference, salt, wrapped.dropLast()], .fieldInvalid(tag: 5))
        check([head, reference, [4, 31], octets.dropLast(), wrapped], .fieldInvalid(tag: 4))
        check([head, reference, salt, [5, 47], octets, octets[..<15] + []], .fieldInvalid(tag: 5))
        check([head, reference, salt, salt, wrapped], .fieldInvalid(tag: 4))
        // A whole object without its salt and commitment, and parts with them.
        check([[1, 1, 0], reference, salt, wrapped], .fieldInvalid(tag: 4))
        check([head, reference, [2, 32], octets, salt, wrapped], .fieldInvalid(tag: 2))
        for bad in ["A", "AQE=", "AQ E", "AQE+", "AQEé", "AR"] {
            #expect(throws: EnvelopeRefusal.notBase64URL) { try KeyEnvelope(bad) }
        }
    }

    /// Base64url by another hand than the one that is tested.
    private func text(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        let bits = bytes.flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 } }
        return String(
            stride(from: 0, to: bits.count, by: 6).map { start in
                alphabet[
                    (0..<6).reduce(0) { value, place in
                        value << 1 | (start + place < bits.count ? Int(bits[start + place]) : 0)
                    }]
            })
    }
}

@Suite struct `Names of objects` {
    @Test func `have contexts that lengths keep apart`() {
        let contexts = [
            ("t", "b", "k"), ("t", "bk", "k"), ("tb", "k", "k"), ("t", "b", "kk"), ("", "tb", "k"),
            ("t", "b", "k/"), ("t", "b", "K"), ("t", "b", "e\u{301}"), ("t", "b", "\u{E9}"),
        ].map { ObjectName(tenant: $0.0, bucket: $0.1, key: $0.2)?.context(Sample.cipher) }
        #expect(!contexts.contains(nil))
        #expect(Set(contexts).count == contexts.count)
    }

    @Test func `are as long as S3 has them`() {
        let limits = SealedObjectLimits.self
        func name(_ tenant: Int, _ bucket: Int, _ key: Int) -> ObjectName? {
            ObjectName(
                tenant: String(repeating: "t", count: tenant),
                bucket: String(repeating: "b", count: bucket),
                key: String(repeating: "k", count: key))
        }
        #expect(
            name(limits.tenantBytesMax, limits.bucketBytesMax, limits.keyNameBytesMax) != nil)
        #expect(name(0, 1, 1) != nil)
        #expect(name(limits.tenantBytesMax + 1, 1, 1) == nil)
        #expect(name(0, limits.bucketBytesMax + 1, 1) == nil)
        #expect(name(0, 1, limits.keyNameBytesMax + 1) == nil)
        #expect(name(0, 0, 1) == nil && name(0, 1, 0) == nil)
        #expect(ObjectName(tenant: "", bucket: "b", key: String(repeating: "é", count: 513)) == nil)
    }
}
