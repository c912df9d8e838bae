// SPDX-License-Identifier: Apache-2.0
import Foundation
import KubernetesFormat
import Testing

@Suite("Base64") struct Base64Tests {
    @Test("is what Foundation makes of it, and comes back", arguments: 0...20)
    func roundTrip(_ count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 89 + 200) }
        let text = Base64.encoded(bytes)
        #expect(text == Data(bytes).base64EncodedString())
        #expect(Base64.decoded(text) == bytes)
    }

    @Test(
        "one content has one text",
        arguments: [
            "QQ", "QQ=", "Q===", "QR==", "QUF=", "QQ==QQ==", "Q=Q=", "QQ=\n", "QQ-_", "====",
        ])
    func refused(_ text: String) { #expect(Base64.decoded(text) == nil) }
}
