// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
package import KubernetesPorts

/// `KubernetesReading` by libcurl, for a tool that asks one thing after the other.
///
/// docs/adr/0023-the-tool-asks-by-libcurl.md says why it is no second `KubernetesHTTP`.
package struct CurlClusterReader: KubernetesReading {
    private static let firstPause = Duration.milliseconds(200)
    private static let connectTime = Duration.seconds(10)
    /// Attempts of one call that reach nobody: somebody waits for it, and a wrong address stays
    /// wrong.
    package static let unreachableMax = 3

    private let server: ServerAddress
    private let connectTo: String?
    private let authorities: [UInt8]?
    private let credentials: any ClusterCredentials
    private let time: Duration
    private let session = CurlSession()

    /// - Parameter time: of one call with its retries.
    /// - Throws: `configurationInvalid`.
    package init(
        _ endpoint: ClusterEndpoint, credentials: any ClusterCredentials,
        time: Duration = KubernetesLimits.requestTime
    ) throws(KubernetesFailure) {
        server = try ServerAddress(endpoint)
        authorities = endpoint.authorities
        self.credentials = credentials
        self.time = time
        connectTo = server.nameOverride.first.map { "\($0.key)::\($0.value):" }
    }

    package func get(_ object: ObjectReference) async throws(KubernetesFailure) -> [UInt8] {
        try await call(try object.checkedPath())
    }

    package func list(
        _ collection: ResourceCollection, _ selection: ObjectSelection, limit: Int,
        continuation: String?
    ) async throws(KubernetesFailure) -> ObjectPage {
        let path = try collection.checkedPath()
        let query = selection.query(limit: limit, continuation: continuation)
        let body = try await call(path, query)
        do throws(AnswerFailure) {
            let list = try ListDocument(body)
            return ObjectPage(
                items: list.items, resourceVersion: list.resourceVersion,
                continuation: list.continuation)
        } catch {
            switch error {
            case .malformed(let detail): throw .responseMalformed(path: path, detail: detail)
            }
        }
    }

    /// Again after failures that pass, within the time of one call; a few times where nobody
    /// listens.
    private func call(
        _ path: String, _ query: [(String, String)] = []
    ) async throws(KubernetesFailure) -> [UInt8] {
        let end = ContinuousClock.now + time
        var pause = Self.firstPause
        var unreachableCount = 0
        while true {
            let failure: KubernetesFailure
            do throws(KubernetesFailure) {
                return try await once(path, query, end - .now)
            } catch { failure = error }
            if case .unreachable = failure { unreachableCount += 1 }
            guard unreachableCount < Self.unreachableMax else { throw failure }
            let wait = max(pause, failure.retryAfter ?? .zero)
            guard failure.isTransient, ContinuousClock.now + wait < end else { throw failure }
            do { try await Task.sleep(for: wait) } catch { throw .cancelled }
            pause *= 2
        }
    }

    /// With the credential as it is now, and once more with a newer one if that was refused.
    private func once(
        _ path: String, _ query: [(String, String)], _ left: Duration
    ) async throws(KubernetesFailure) -> [UInt8] {
        let credential = try await credentials.current(isRefused: false)
        do throws(KubernetesFailure) {
            return try await send(path, query, credential, left)
        } catch {
            guard error == .unauthorized else { throw error }
        }
        let newer = try await credentials.current(isRefused: true)
        guard newer != credential else { throw .unauthorized }
        return try await send(path, query, newer, left)
    }

    private func send(
        _ path: String, _ query: [(String, String)], _ credential: ClusterCredential,
        _ left: Duration
    ) async throws(KubernetesFailure) -> [UInt8] {
        var request = CurlRequest(
            url: server.origin + RequestTarget.text(path, query), authorities: authorities,
            certificate: credential.certificate, privateKey: credential.privateKey,
            connectTo: connectTo, time: left, connectTime: min(left, Self.connectTime),
            bytesMax: KubernetesLimits.responseBytesMax)
        request.headers = ["Accept: application/json"]
        if let token = credential.bearerToken {
            request.headers.append("Authorization: Bearer \(token)")
        }
        let answer: CurlAnswer
        do throws(CurlFailure) {
            answer = try await session.perform(request)
        } catch { throw failed(error, path) }
        guard (200..<300).contains(answer.status) else {
            throw KubernetesFailure(
                status: answer.status, StatusDocument(answer.body), path: path)
        }
        return answer.body
    }

    private func failed(_ failure: CurlFailure, _ path: String) -> KubernetesFailure {
        switch failure {
        case .cancelled: .cancelled
        case .timedOut: .timedOut(host: server.host)
        case .tooLarge:
            .responseTooLarge(path: path, limit: KubernetesLimits.responseBytesMax)
        case .tls(let detail): .tlsFailed(host: server.host, detail: detail)
        case .unreachable(let detail): .unreachable(host: server.host, detail: detail)
        case .invalid(let detail):
            .credentialUnavailable(
                detail: "the client certificate, its key or the authorities: \(detail)")
        }
    }
}
