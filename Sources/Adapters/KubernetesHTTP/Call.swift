// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import KubernetesFormat
internal import KubernetesPorts
internal import NIOCore
internal import NIOHTTP1

/// One request, before anybody's credential is added.
struct Call: Sendable {
    var method: HTTPMethod
    var path: String
    var query: [(String, String)]
    var body: [UInt8]?
    var type: String
    /// Whether doing it twice is as good as once.
    var mayRepeat: Bool

    init(
        _ method: HTTPMethod, _ path: String, query: [(String, String)] = [],
        body: [UInt8]? = nil, type: String = "application/json", mayRepeat: Bool = false
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.body = body
        self.type = type
        self.mayRepeat = mayRepeat
    }

    /// Path and query, percent-encoded.
    var target: String { RequestTarget.text(path, query) }
}

extension KubernetesHTTP {
    /// Sends it, and again after failures that pass, within the time of one call.
    ///
    /// - Returns: the body of a success.
    func call(_ call: Call) async throws(KubernetesFailure) -> [UInt8] {
        let deadline = NIODeadline.now() + .init(settings.requestTime)
        var pause = settings.firstPause
        while true {
            let failure: KubernetesFailure
            do throws(KubernetesFailure) {
                return try await callOnce(call, deadline)
            } catch { failure = error }
            guard settings.isRetrying, Self.mayRepeat(call, after: failure) else { throw failure }
            // A little less each time for each client, so that they do not come back together.
            let jittered = pause * Double.random(in: 0.5...1)
            let wait = max(jittered, failure.retryAfter ?? .zero)
            guard NIODeadline.now() + .init(wait) < deadline else { throw failure }
            do { try await Task.sleep(for: wait) } catch { throw .cancelled }
            pause = min(pause * 2, settings.pauseMax)
        }
    }

    private static func mayRepeat(_ call: Call, after failure: KubernetesFailure) -> Bool {
        switch failure {
        // The server has not begun it.
        case .tooManyRequests: true
        default: failure.isTransient && call.mayRepeat
        }
    }

    /// With the credential as it is now, and once more with a newer one if that was refused.
    private func callOnce(
        _ call: Call, _ deadline: NIODeadline
    ) async throws(KubernetesFailure) -> [UInt8] {
        let credential = try await credentials.current(isRefused: false)
        do throws(KubernetesFailure) {
            return try await send(call, credential, deadline)
        } catch {
            guard error == .unauthorized else { throw error }
        }
        let newer = try await credentials.current(isRefused: true)
        guard newer != credential else { throw .unauthorized }
        return try await send(call, newer, deadline)
    }

    private func send(
        _ call: Call, _ credential: ClusterCredential, _ deadline: NIODeadline
    ) async throws(KubernetesFailure) -> [UInt8] {
        let response = try await execute(call, credential, deadline)
        let limit = KubernetesLimits.responseBytesMax
        let body: [UInt8]
        do {
            body = try await Self.collect(response.body, limit: limit, path: call.path)
        } catch { throw failure(error) }
        guard (200..<300).contains(response.status.code) else {
            throw Self.refusal(response, body, path: call.path)
        }
        return body
    }

    /// - Returns: an answer's head, whatever its status.
    func execute(
        _ call: Call, _ credential: ClusterCredential, _ deadline: NIODeadline
    ) async throws(KubernetesFailure) -> HTTPClientResponse {
        if let body = call.body, body.count > KubernetesLimits.requestBytesMax {
            throw .requestTooLarge(
                bytes: body.count, limit: KubernetesLimits.requestBytesMax)
        }
        var request = HTTPClientRequest(url: endpoint.origin + call.target)
        request.method = call.method
        request.headers.add(name: "Accept", value: "application/json")
        request.headers.add(name: "User-Agent", value: "cloudtaser")
        if let token = credential.bearerToken {
            request.headers.add(name: "Authorization", value: "Bearer \(token)")
        }
        if let body = call.body {
            request.headers.add(name: "Content-Type", value: call.type)
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        request.tlsConfiguration = try trust.configuration(for: credential)
        do {
            return try await client.execute(request, deadline: deadline)
        } catch { throw failure(error) }
    }

    static func collect(
        _ body: HTTPClientResponse.Body, limit: Int, path: String
    ) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await part in body {
            guard bytes.count + part.readableBytes <= limit else {
                throw KubernetesFailure.responseTooLarge(path: path, limit: limit)
            }
            bytes.append(contentsOf: part.readableBytesView)
        }
        return bytes
    }

    static func refusal(
        _ response: HTTPClientResponse, _ body: [UInt8], path: String
    ) -> KubernetesFailure {
        KubernetesFailure(
            status: Int(response.status.code), StatusDocument(body), path: path,
            retryAfterSeconds: response.headers.first(name: "Retry-After").flatMap { Int($0) })
    }
}
