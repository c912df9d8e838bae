// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import KubernetesPorts
internal import NIOCore
internal import NIOPosix
internal import NIOSSL

/// Whose certificates are believed, and what is shown to them.
struct TrustedServer: Sendable {
    private let base: TLSConfiguration

    init(authorities: [UInt8]?) throws(KubernetesFailure) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .fullVerification
        if let authorities {
            do {
                let roots = try NIOSSLCertificate.fromPEMBytes(authorities)
                guard !roots.isEmpty else {
                    throw KubernetesFailure.configurationInvalid(
                        detail: "the cluster's authorities hold no certificate")
                }
                configuration.trustRoots = .certificates(roots)
            } catch let failure as KubernetesFailure {
                throw failure
            } catch {
                throw .configurationInvalid(
                    detail: "the cluster's authorities are no PEM certificates")
            }
        }
        base = configuration
    }

    func configuration(
        for credential: ClusterCredential
    ) throws(KubernetesFailure) -> TLSConfiguration {
        guard let certificate = credential.certificate, let key = credential.privateKey else {
            return base
        }
        var configuration = base
        do {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMBytes(certificate)
                .map { .certificate($0) }
            configuration.privateKey = .privateKey(
                try NIOSSLPrivateKey(bytes: key, format: .pem))
        } catch {
            throw .credentialUnavailable(
                detail: "the client certificate or its key is no PEM, or the two are no pair")
        }
        return configuration
    }
}

extension KubernetesHTTP {
    /// What went wrong below HTTP. No text of an error that could quote a header gets through.
    func failure(_ error: any Error) -> KubernetesFailure {
        if let failure = error as? KubernetesFailure { return failure }
        if error is CancellationError { return .cancelled }
        if let error = error as? HTTPClientError {
            switch error {
            case .cancelled: return Task.isCancelled ? .cancelled : unreachable("shut down")
            case .deadlineExceeded, .connectTimeout, .readTimeout, .writeTimeout,
                .tlsHandshakeTimeout, .getConnectionFromPoolTimeout:
                return .timedOut(host: endpoint.host)
            case .remoteConnectionClosed: return unreachable("the connection was closed")
            default: return unreachable(error.shortDescription)
            }
        }
        if error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError {
            let text = String("\(error)".prefix(KubernetesLimits.messageCharactersMax))
            return .tlsFailed(host: endpoint.host, detail: text)
        }
        if error is NIOConnectionError { return unreachable("cannot connect") }
        if let error = error as? IOError { return unreachable("error \(error.errnoCode)") }
        return unreachable("\(type(of: error))")
    }

    private func unreachable(_ detail: String) -> KubernetesFailure {
        .unreachable(host: endpoint.host, detail: detail)
    }
}
