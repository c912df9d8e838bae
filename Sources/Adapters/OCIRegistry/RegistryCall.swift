// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import Foundation
internal import ImageFormat
internal import ImagePorts
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

/// One question to a registry, before anybody's credential is added.
struct RegistryCall: Sendable {
    let repository: RegistryRepository
    /// Behind `/v2/NAME/`.
    let path: String
    let accept: [String]
    let limit: Int

    init(_ repository: RegistryRepository, _ path: String, accept: [String] = [], limit: Int) {
        self.repository = repository
        self.path = path
        self.accept = accept
        self.limit = limit
    }
}

struct RegistryAnswer: Sendable {
    /// Whether the server that was called sent it, and none that a redirect led to.
    var isOfRegistry = true
    let status: Int
    let headers: HTTPHeaders
    let body: [UInt8]

    var contentType: String? { headers.first(name: "Content-Type") }
}

/// A server, as far as credentials are concerned.
struct Origin: Sendable, Equatable {
    let isSecure: Bool
    /// `host` or `host:port`, in lower case.
    let host: String

    /// nil: an address that nobody is to be sent to.
    init?(_ address: URL, insecureHosts: Set<String>) {
        guard let parts = URLComponents(url: address, resolvingAgainstBaseURL: true),
            let name = parts.host, !name.isEmpty, parts.user == nil, parts.password == nil
        else { return nil }
        isSecure = parts.scheme == "https"
        // Foundation leaves the brackets of an address out, or not.
        let bracketed = name.contains(":") && !name.hasPrefix("[") ? "[\(name)]" : name
        let plain = parts.port.map { "\(bracketed):\($0)" } ?? bracketed
        host = plain.lowercased()
        guard isSecure || (parts.scheme == "http" && insecureHosts.contains(plain)) else {
            return nil
        }
    }
}

extension OCIRegistry {
    func address(of call: RegistryCall) throws(RegistryFailure) -> URL {
        let host = call.repository.host
        let scheme = settings.insecureHosts.contains(host) ? "http" : "https"
        guard
            let address = URL(
                string: "\(scheme)://\(host)/v2/\(call.repository.name)/\(call.path)")
        else { throw .malformed(detail: "a name that no address can have") }
        return address
    }

    /// Follows redirects; the authorization stays with its server.
    func send(
        _ call: RegistryCall, authorization: String?
    ) async throws(RegistryFailure) -> RegistryAnswer {
        var address = try address(of: call)
        let first = Origin(address, insecureHosts: settings.insecureHosts)
        for _ in 0...Self.redirectsMax {
            let origin = Origin(address, insecureHosts: settings.insecureHosts)
            var headers = HTTPHeaders(call.accept.map { ("Accept", $0) })
            if let authorization, origin == first {
                headers.add(name: "Authorization", value: authorization)
            }
            var answer = try await get(address, headers, limit: call.limit)
            answer.isOfRegistry = origin == first
            guard [301, 302, 303, 307, 308].contains(answer.status) else { return answer }
            guard let location = answer.headers.first(name: "Location"),
                let next = URL(string: location, relativeTo: address)?.absoluteURL,
                Origin(next, insecureHosts: settings.insecureHosts) != nil
            else { throw .malformed(detail: "a redirect to no server that may be asked") }
            address = next
        }
        throw .malformed(detail: "more than \(Self.redirectsMax) redirects")
    }

    /// - Parameter limit: of a success's body; of others nothing is read.
    func get(
        _ address: URL, _ headers: HTTPHeaders, limit: Int
    ) async throws(RegistryFailure) -> RegistryAnswer {
        var request = HTTPClientRequest(url: address.absoluteString)
        request.headers = headers
        request.headers.add(name: "User-Agent", value: "cloudtaser")
        do {
            // The call's own time ends before.
            let response = try await client.execute(
                request, deadline: .now() + .init(settings.requestTime) + .seconds(1))
            var body: [UInt8] = []
            defer { bodies.giveBack(body.count) }
            if response.status == .ok {
                let length = response.headers.first(name: "Content-Length").flatMap { Int($0) }
                guard length ?? 0 <= limit else { throw RegistryFailure.tooLarge(limit: limit) }
                for try await part in response.body {
                    guard body.count + part.readableBytes <= limit else {
                        throw RegistryFailure.tooLarge(limit: limit)
                    }
                    // As much as came, not as much as may come: who sends nothing takes nothing.
                    guard bodies.take(part.readableBytes) else {
                        throw RegistryFailure.unavailable(
                            detail: "too many answers come in at once")
                    }
                    body.append(contentsOf: part.readableBytesView)
                }
            }
            return RegistryAnswer(
                status: Int(response.status.code), headers: response.headers, body: body)
        } catch { throw Self.failure(error) }
    }

    /// What an answer that is no success means.
    static func refusal(_ answer: RegistryAnswer) -> RegistryFailure {
        switch answer.status {
        case 401, 403: .unauthorized
        case 404: .notFound
        case 429:
            .rateLimited(
                retryAfterSeconds: answer.headers.first(name: "Retry-After").flatMap { Int($0) })
        case 408, 500...599: .unavailable(detail: "status \(answer.status)")
        default: .malformed(detail: "status \(answer.status)")
        }
    }

    /// What went wrong below HTTP, without a text that could quote an address or a header.
    private static func failure(_ error: any Error) -> RegistryFailure {
        if let failure = error as? RegistryFailure { return failure }
        if error is CancellationError { return .cancelled }
        if let error = error as? HTTPClientError {
            switch error {
            case .cancelled: return .cancelled
            case .deadlineExceeded, .connectTimeout, .readTimeout, .writeTimeout,
                .tlsHandshakeTimeout, .getConnectionFromPoolTimeout:
                return .timedOut
            case .remoteConnectionClosed:
                return .unavailable(detail: "the connection was closed")
            default: return .unavailable(detail: error.shortDescription)
            }
        }
        if error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError {
            return .tlsFailed(detail: String("\(error)".prefix(failureCharactersMax)))
        }
        if let error = error as? NIOConnectionError {
            let isUnknown = error.connectionErrors.isEmpty
            return .unavailable(detail: isUnknown ? "its name is not known" : "cannot connect")
        }
        if let error = error as? IOError {
            let isRefused = [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH].contains(error.errnoCode)
            return .unavailable(
                detail: isRefused ? "cannot connect" : "error \(error.errnoCode)")
        }
        return .unavailable(detail: "\(type(of: error))")
    }

    private static let failureCharactersMax = 256
}
