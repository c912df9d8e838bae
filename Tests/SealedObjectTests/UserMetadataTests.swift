// SPDX-License-Identifier: Apache-2.0
import SealedObject
import Testing

@Suite struct `Metadata of clients` {
    private func sealed(
        _ metadata: UserMetadata, salt: Octets32 = Sample.octets(1), _ key: String = "k"
    ) throws -> String {
        let dataKey = Sample.dataKey
        return try metadata.sealed(
            Sample.cipher, dataKey: dataKey.span.bytes, salt: salt, context: Sample.context(key))
    }

    private func open(
        _ text: String, _ key: String = "k", dataKey: [UInt8] = Sample.dataKey
    ) throws(SealedObjectFailure) -> UserMetadata {
        try UserMetadata(
            text, Sample.cipher, dataKey: dataKey.span.bytes, context: Sample.context(key))
    }

    @Test func `are opened as they were sealed`() throws {
        for pairs in [
            [], [UserMetadata.Pair("content-type", "text/plain")],
            [.init("a", ""), .init("b", "é\u{0}\n"), .init("A", "x")],
        ] {
            let metadata = try UserMetadata(pairs)
            let text = try sealed(metadata)
            #expect(try open(text) == metadata)
            #expect(text != (try sealed(metadata, salt: Sample.octets(2))))
        }
    }

    @Test func `of another object, key or changed are refused alike`() throws {
        let metadata = try UserMetadata([.init("content-type", "text/plain")])
        let text = try sealed(metadata)
        #expect(try open(text) == metadata)
        #expect(throws: SealedObjectFailure.notAuthentic) { try open(text, "other") }
        #expect(throws: SealedObjectFailure.notAuthentic) {
            try open(text, dataKey: Sample.otherKey)
        }
        for index in text.indices {
            var changed = text
            changed.replaceSubrange(index...index, with: text[index] == "A" ? "Q" : "A")
            // The last character's unused bits may be what changed.
            #expect(throws: SealedObjectFailure.self) { try open(changed) }
        }
        for bad in ["", "AAAA", text + "=", String(repeating: "A", count: 1_601)] {
            #expect(throws: SealedObjectFailure.userMetadata(.notSealed)) { try open(bad) }
        }
    }

    @Test func `have a largest size, which fits`() throws {
        let limit = SealedObjectLimits.userMetadataPlainBytesMax
        let largest = try UserMetadata([.init("n", String(repeating: "v", count: limit - 5))])
        let text = try sealed(largest)
        #expect(text.utf8.count == SealedObjectLimits.userMetadataTextBytesMax)
        #expect(try open(text) == largest)
        #expect(throws: UserMetadataRefusal.tooLarge(bytes: limit + 1)) {
            try UserMetadata([.init("n", String(repeating: "v", count: limit - 4))])
        }
        // With the envelope and both names below 2 KiB.
        let names = "x-amz-meta-ct1".utf8.count + "x-amz-meta-ct1m".utf8.count
        #expect(
            names + SealedObjectLimits.envelopeTextBytesMax
                + SealedObjectLimits.userMetadataTextBytesMax <= 2_048)
    }

    @Test func `have each name once`() {
        for pairs in [[("", "a")], [("a", "b"), ("a", "c")]] {
            #expect(throws: UserMetadataRefusal.nameInvalid) {
                try UserMetadata(pairs.map { .init($0.0, $0.1) })
            }
        }
    }
}
