// SPDX-License-Identifier: Apache-2.0
import COpenSSL

/// Signs JSON Web Tokens with ES256 (RFC 7518, section 3.4) under a certificate's key. The
/// certificate travels in the header (`x5c`, RFC 7515, section 4.1.6).
package final class CertificateTokenSigner: Sendable {
    nonisolated(unsafe) private let key: OpaquePointer
    private let header: String

    /// - Parameter identity: with a P-256 key.
    package init(_ identity: Identity) throws {
        key = try LoopbackPKI.readKey(identity.keyPEM)
        let certificate = identity.certificatePEM.split(separator: "\n")
            .filter { !$0.hasPrefix("-----") }.joined()
        header = #"{"alg":"ES256","typ":"JWT","x5c":["\#(certificate)"]}"#
    }

    deinit { EVP_PKEY_free(key) }

    /// - Parameter claims: a JSON object.
    package func sign(claims: String) throws -> String {
        let message =
            TokenSigner.encoded(Array(header.utf8)) + "." + TokenSigner.encoded(Array(claims.utf8))
        let signature = try TokenSigner.signature(of: message, by: key)
        return message + "." + TokenSigner.encoded(Self.joined(signature))
    }

    /// The two numbers of a DER signature, 32 bytes each.
    private static func joined(_ signature: [UInt8]) -> [UInt8] {
        var rest = signature.dropFirst(2)
        var numbers: [UInt8] = []
        for _ in 0..<2 {
            let length = Int(rest.dropFirst().first ?? 0)
            let number = rest.dropFirst(2).prefix(length).drop { $0 == 0 }
            numbers += [UInt8](repeating: 0, count: max(0, 32 - number.count)) + number
            rest = rest.dropFirst(2 + length)
        }
        return numbers
    }
}
