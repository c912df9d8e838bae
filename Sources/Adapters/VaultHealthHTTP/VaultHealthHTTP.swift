// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import Glibc
package import InspectionPorts
internal import KubernetesFormat
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

/// How calls behave.
package struct VaultHealthSettings: Sendable, Equatable {
    /// Of one question, connecting included.
    package var requestTime = Duration.seconds(5)
    /// PEM; nil: the system's.
    package var authorities: [UInt8]?

    package init() {}
}

/// `VaultHealth` over HTTP/1.1 and TLS.
package final class VaultHealthHTTP: VaultHealth {
    private static let detailCharactersMax = 256

    private let settings: VaultHealthSettings
    private let client: HTTPClient

    /// The authorities are no certificates.
    package struct SettingsInvalid: Error, Sendable, Equatable {
        package let reason: String
    }

    package init(
        _ settings: VaultHealthSettings = VaultHealthSettings()
    ) throws(SettingsInvalid) {
        self.settings = settings
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.certificateVerification = .fullVerification
        if let authorities = settings.authorities {
            guard let roots = try? NIOSSLCertificate.fromPEMBytes(authorities), !roots.isEmpty
            else { throw SettingsInvalid(reason: "holds no certificates in PEM") }
            // Not beside the system's: an image may have none, and then nothing is believed.
            tls.trustRoots = .certificates(roots)
        }
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = tls
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.decompression = .disabled
        configuration.timeout.connect = .init(settings.requestTime)
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(
            eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
    }

    deinit {
        // Nothing waits for it: a client that is let go has no calls.
        client.shutdown { [client] _ in _ = client }
    }

    package func state(
        of address: String
    ) async throws(VaultSurveyFailure) -> VaultObservation.State {
        guard let url = Self.url(of: address) else {
            throw .addressInvalid(detail: "it is not of the form https://host:port")
        }
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "User-Agent", value: "cloudtaser")
        // One question in half a minute is no reason to hold a connection.
        request.headers.add(name: "Connection", value: "close")
        do {
            // A client that has the answer at hand does not look.
            try Task.checkCancellation()
            let response = try await client.execute(
                request, deadline: .now() + .init(settings.requestTime))
            let body = try await response.body.collect(upTo: VaultHealthLimits.bodyBytesMax)
            // https://openbao.org/api-docs/system/health/: the status says it all.
            guard (try? JSONTree(Array(body.readableBytesView)))?["sealed"] != nil else {
                return .other
            }
            return VaultObservation.State(healthStatus: Int(response.status.code))
        } catch { throw Self.failure(error) }
    }

    private static func url(of address: String) -> String? {
        let isPlain = address.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7F && !"?#@\\".utf8.contains($0)
        }
        guard address.hasPrefix("https://"), isPlain else { return nil }
        var base = address[...]
        while base.last == "/" { base = base.dropLast() }
        return base + "/v1/sys/health"
    }

    private static func failure(_ error: any Error) -> VaultSurveyFailure {
        if error is CancellationError { return .unreachable(detail: "it was given up") }
        if error is NIOTooManyBytesError {
            return .unreachable(detail: "its answer is larger than any of a vault's")
        }
        if error is HTTPParserError { return .unreachable(detail: "its answer is no HTTP") }
        if let error = error as? HTTPClientError {
            switch error {
            case .cancelled: return .unreachable(detail: "it was given up")
            case .deadlineExceeded, .connectTimeout, .readTimeout, .writeTimeout,
                .tlsHandshakeTimeout, .getConnectionFromPoolTimeout:
                return .timedOut
            case .remoteConnectionClosed:
                return .unreachable(detail: "the connection was closed")
            default: return .unreachable(detail: error.shortDescription)
            }
        }
        if error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError {
            return .tlsFailed(detail: String("\(error)".prefix(detailCharactersMax)))
        }
        if let error = error as? NIOConnectionError {
            let isUnknown = error.connectionErrors.isEmpty
            return .unreachable(detail: isUnknown ? "its name is not known" : "cannot connect")
        }
        if let error = error as? IOError {
            let isRefused = [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH].contains(error.errnoCode)
            return .unreachable(
                detail: isRefused ? "cannot connect" : "error \(error.errnoCode)")
        }
        return .unreachable(detail: "\(type(of: error))")
    }
}
