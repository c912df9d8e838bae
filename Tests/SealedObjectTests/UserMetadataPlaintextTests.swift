// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import SealedObject

@Suite struct `Plaintexts of metadata` {
    @Test func `that are no pairs are refused`() throws {
        let good: [UInt8] = [0, 1, 0x61, 0, 0]
        #expect(try UserMetadata.pairs(good) == [.init("a", "")])
        #expect(try UserMetadata.pairs([]) == [])
        for bytes: [UInt8] in [
            [0], [0, 1], [0, 1, 0x61], [0, 1, 0x61, 0], [0, 2, 0x61], [0, 1, 0xFF, 0, 0],
            good + [0, 1, 0x62], [1, 0, 0x61],
        ] {
            #expect(throws: UserMetadataRefusal.malformed) { try UserMetadata.pairs(bytes) }
        }
    }
}
