// SPDX-License-Identifier: Apache-2.0
import KubernetesPorts
import ObjectKeyPorts
import ObjectServerPorts
import S3ProxyConfiguration
import ServedHTTP
import VaultCustody

/// What requests are answered with.
struct ProxyParts: Sendable {
    let settings: S3ProxySettings
    let custodian: any KeyCustodian
    let salts: any SaltSource
    let clients: any ClientCredentials
    /// For the upstream store, as they were read last; nil: not yet.
    let upstreamCredentials: @Sendable () -> StoredCredentials?
    let clock: any AsyncTimeSource
    let log: S3ProxyLog
}

func makeHandler(_ parts: ProxyParts) throws(StartFailure) -> any RequestHandler {
    UnfinishedHandler()
}

/// Until there is a component that answers.
private struct UnfinishedHandler: RequestHandler {
    func handle(
        _ request: ServedRequest, body: any RequestBody, response: any ResponseWriter
    ) async {
        let text = "<Error><Code>NotImplemented</Code><Message>not yet</Message></Error>"
        let bytes = Array(text.utf8)
        let head = ResponseHead(
            status: 501,
            fields: [
                HeaderField("Content-Type", "application/xml"),
                HeaderField("Content-Length", String(bytes.count)),
            ])
        try? await send(head, bytes, response)
    }

    private func send(
        _ head: ResponseHead, _ bytes: [UInt8], _ response: any ResponseWriter
    ) async throws(StreamFailure) {
        try await response.head(head)
        try await response.write(bytes)
        try await response.end(trailers: [])
    }
}
