// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import KubernetesFormat
package import KubernetesPorts
internal import NIOCore
internal import NIOHTTP1

/// How calls behave in time.
package struct KubernetesHTTPSettings: Sendable, Equatable {
    /// Of one call with its retries.
    package var requestTime = KubernetesLimits.requestTime
    /// Of connecting, TLS included.
    package var connectTime = Duration.seconds(10)
    /// How much longer than the server's own time a watch may take to end.
    package var watchGrace = Duration.seconds(10)
    /// Whether failures that pass are tried again.
    package var isRetrying = true
    /// The first pause; it doubles.
    package var firstPause = Duration.milliseconds(100)
    package var pauseMax = Duration.seconds(5)

    package init() {}
}

/// `KubernetesAPI` over HTTP/1.1 and TLS. HTTP/2 is not offered: one broken connection would stop
/// all watches, and nothing in it tells a dead peer from a silent one.
package final class KubernetesHTTP: KubernetesAPI {
    let endpoint: ServerAddress
    let credentials: any ClusterCredentials
    let settings: KubernetesHTTPSettings
    let client: HTTPClient
    let trust: TrustedServer

    /// - Throws: `configurationInvalid`.
    package init(
        _ endpoint: ClusterEndpoint, credentials: any ClusterCredentials,
        settings: KubernetesHTTPSettings = KubernetesHTTPSettings()
    ) throws(KubernetesFailure) {
        self.endpoint = try ServerAddress(endpoint)
        self.credentials = credentials
        self.settings = settings
        trust = try TrustedServer(authorities: endpoint.authorities)
        var configuration = HTTPClient.Configuration()
        // A redirect would carry the token to somebody else.
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.decompression = .disabled
        configuration.timeout.connect = .init(settings.connectTime)
        configuration.connectionPool.retryConnectionEstablishment = false
        // Each watch holds one.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 32
        configuration.dnsOverride = self.endpoint.nameOverride
        client = HTTPClient(
            eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
    }

    deinit {
        // Nothing waits for it: a client that is let go has no calls. It fails when `shutDown` was
        // called before.
        client.shutdown { [client] _ in _ = client }
    }

    /// Closes all connections. Calls that are under way end with `unreachable`.
    package func shutDown() async {
        // It only fails when it was shut down before.
        try? await client.shutdown()
    }

    package func get(_ object: ObjectReference) async throws(KubernetesFailure) -> [UInt8] {
        try await call(Call(.GET, try path(object), mayRepeat: true))
    }

    package func list(
        _ collection: ResourceCollection, _ selection: ObjectSelection, limit: Int,
        continuation: String?
    ) async throws(KubernetesFailure) -> ObjectPage {
        let query = selection.query(limit: limit, continuation: continuation)
        let path = try path(collection)
        let body = try await call(Call(.GET, path, query: query, mayRepeat: true))
        do throws(AnswerFailure) {
            let list = try ListDocument(body)
            return ObjectPage(
                items: list.items, resourceVersion: list.resourceVersion,
                continuation: list.continuation)
        } catch { throw Self.malformed(error, path) }
    }

    package func create(
        _ object: [UInt8], in collection: ResourceCollection, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await call(
            Call(.POST, try path(collection), query: Self.query(options), body: object))
    }

    package func create(
        _ object: [UInt8], at reference: ObjectReference, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await call(
            Call(.POST, try path(reference), query: Self.query(options), body: object))
    }

    package func replace(
        _ reference: ObjectReference, with object: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await call(
            Call(
                .PUT, try path(reference), query: Self.query(options), body: object,
                mayRepeat: true))
    }

    package func patch(
        _ reference: ObjectReference, _ kind: PatchKind, _ patch: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        var query = Self.query(options)
        var mayRepeat = true
        let type: String
        switch kind {
        case .json:
            type = "application/json-patch+json"
            mayRepeat = false
        case .merge: type = "application/merge-patch+json"
        case .apply(let manager, let isForced):
            // JSON is YAML too.
            type = "application/apply-patch+yaml"
            query += [("fieldManager", manager), ("force", String(isForced))]
        }
        return try await call(
            Call(
                .PATCH, try path(reference), query: query, body: patch, type: type,
                mayRepeat: mayRepeat))
    }

    package func delete(
        _ reference: ObjectReference, _ preconditions: DeletePreconditions, _ options: WriteOptions
    ) async throws(KubernetesFailure) {
        var wanted: JSONTree = [:]
        if let uid = preconditions.uid { wanted["uid"] = .string(uid) }
        if let version = preconditions.resourceVersion {
            wanted["resourceVersion"] = .string(version)
        }
        var body: JSONTree = ["kind": "DeleteOptions", "apiVersion": "v1"]
        let hasPreconditions = !(wanted.members ?? []).isEmpty
        if hasPreconditions { body["preconditions"] = wanted }
        if options.isDryRun { body["dryRun"] = ["All"] }
        _ = try await call(
            Call(
                .DELETE, try path(reference), body: body.rendered(), mayRepeat: hasPreconditions))
    }

    // MARK: - Paths

    func path(_ collection: ResourceCollection) throws(KubernetesFailure) -> String {
        try collection.checkedPath()
    }

    func path(_ reference: ObjectReference) throws(KubernetesFailure) -> String {
        try reference.checkedPath()
    }

    private static func query(_ options: WriteOptions) -> [(String, String)] {
        options.isDryRun ? [("dryRun", "All")] : []
    }

    static func malformed(_ failure: AnswerFailure, _ path: String) -> KubernetesFailure {
        switch failure {
        case .malformed(let detail): .responseMalformed(path: path, detail: detail)
        }
    }
}
