// SPDX-License-Identifier: Apache-2.0
internal import NIOSSL
internal import Synchronization

/// Why a server cannot serve.
package enum ObjectServerFailure: Error, Sendable, Equatable {
    case cannotListen(address: String, port: Int, detail: String)
    /// The PEM texts are no certificate chain and its key.
    case identityInvalid(detail: String)
}

/// The certificate that a server shows. Replaced while it runs: each connection has the one that
/// was there when it began.
package final class TLSIdentity: Sendable {
    private struct Content {
        let context: NIOSSLContext
        /// Of the server's own certificate, in seconds since 1970.
        let validUntil: Int64
    }

    private let content: Mutex<Content?>

    /// None yet: each connection is closed before a word is said.
    package init() { content = Mutex(nil) }

    /// - Parameters:
    ///   - certificates: PEM, the server's first.
    ///   - key: PEM.
    package init(certificates: [UInt8], key: [UInt8]) throws(ObjectServerFailure) {
        content = Mutex(try Self.content(certificates, key))
    }

    /// From the next connection on. What was there stays when this throws.
    package func replace(
        certificates: [UInt8], key: [UInt8]
    ) throws(ObjectServerFailure) {
        let new = try Self.content(certificates, key)
        content.withLock { $0 = new }
    }

    /// When the server's own certificate expires, in seconds since 1970; nil: there is none yet.
    package var validUntil: Int64? { content.withLock { $0?.validUntil } }

    var current: NIOSSLContext? { content.withLock { $0?.context } }

    private static func content(
        _ certificates: [UInt8], _ key: [UInt8]
    ) throws(ObjectServerFailure) -> Content {
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMBytes(certificates) } catch {
            throw .identityInvalid(detail: "\(error)")
        }
        guard let own = chain.first else {
            throw .identityInvalid(detail: "no certificate")
        }
        do {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem)))
            configuration.minimumTLSVersion = .tlsv12
            // Of TLS 1.2 those alone whose recorded sessions the certificate's key does not open.
            configuration.cipherSuites = "ECDH+AESGCM:ECDH+CHACHA20"
            configuration.applicationProtocols = ["http/1.1"]
            return Content(
                context: try NIOSSLContext(configuration: configuration),
                validUntil: Int64(own.notValidAfter))
        } catch { throw .identityInvalid(detail: "\(error)") }
    }
}
