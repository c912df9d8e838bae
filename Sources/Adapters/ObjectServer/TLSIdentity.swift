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
    private let context: Mutex<NIOSSLContext?>

    /// None yet: each connection is closed before a word is said.
    package init() { context = Mutex(nil) }

    /// - Parameters:
    ///   - certificates: PEM, the server's first.
    ///   - key: PEM.
    package init(certificates: [UInt8], key: [UInt8]) throws(ObjectServerFailure) {
        context = Mutex(try Self.context(certificates, key))
    }

    /// From the next connection on. What was there stays when this throws.
    package func replace(
        certificates: [UInt8], key: [UInt8]
    ) throws(ObjectServerFailure) {
        let new = try Self.context(certificates, key)
        context.withLock { $0 = new }
    }

    var current: NIOSSLContext? { context.withLock { $0 } }

    private static func context(
        _ certificates: [UInt8], _ key: [UInt8]
    ) throws(ObjectServerFailure) -> NIOSSLContext {
        do {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMBytes(certificates).map {
                    .certificate($0)
                },
                privateKey: .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem)))
            configuration.minimumTLSVersion = .tlsv12
            // Of TLS 1.2 those alone whose recorded sessions the certificate's key does not open.
            configuration.cipherSuites = "ECDH+AESGCM:ECDH+CHACHA20"
            configuration.applicationProtocols = ["http/1.1"]
            return try NIOSSLContext(configuration: configuration)
        } catch { throw .identityInvalid(detail: "\(error)") }
    }
}
