// SPDX-License-Identifier: Apache-2.0
import HTTPFormat
import SecretMemory
import Testing

@Suite("HTTP requests") struct HTTPRequestTests {
    private func written(
        _ body: (inout SecretBuffer) throws -> Void
    ) throws -> String {
        var buffer = try SecretBuffer(capacity: 1000, minimumTier: .ordinary)
        try body(&buffer)
        return buffer.withBytes { bytes in
            bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        }
    }

    private func secret(_ text: String) throws -> SecretBuffer {
        var buffer = try SecretBuffer(capacity: 100, minimumTier: .ordinary)
        try buffer.append(text: text)
        return buffer
    }

    @Test func `a head has its request line, host and fields`() throws {
        let token = try secret("s.abc")
        let head = try written { buffer in
            try HTTPRequestWriter.begin(
                "GET", path: "/v1/secret/data/app", host: "vault:8200", into: &buffer)
            try HTTPRequestWriter.field("X-Vault-Token", secret: token, into: &buffer)
            try HTTPRequestWriter.end(into: &buffer)
        }
        #expect(
            head == "GET /v1/secret/data/app HTTP/1.1\r\nHost: vault:8200\r\n"
                + "X-Vault-Token: s.abc\r\n\r\n")
    }

    @Test func `a path is percent-encoded, so it cannot end the request line`() throws {
        let head = try written { buffer in
            try HTTPRequestWriter.begin(
                "GET", path: "/a b?c#d%\r\nX: y/é", host: "h", into: &buffer)
        }
        #expect(
            head == "GET /a%20b%3Fc%23d%25%0D%0AX%3A%20y/%C3%A9 HTTP/1.1\r\nHost: h\r\n")
    }

    @Test func `values that would break the head apart are refused`() throws {
        let token = try secret("a\r\nb")
        #expect(throws: HTTPRequestFailure.unprintable(part: "X-Vault-Token")) {
            try written {
                try HTTPRequestWriter.field("X-Vault-Token", secret: token, into: &$0)
            }
        }
        #expect(throws: HTTPRequestFailure.unprintable(part: "Host")) {
            try written {
                try HTTPRequestWriter.begin("GET", path: "/", host: "a\r\nb", into: &$0)
            }
        }
        #expect(throws: HTTPRequestFailure.unprintable(part: "path")) {
            try written { try HTTPRequestWriter.begin("GET", path: "x", host: "h", into: &$0) }
        }
    }
}
