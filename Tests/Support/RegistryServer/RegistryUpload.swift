// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import CryptoHasher
internal import ImageFormat
package import LoopbackPKI
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL

/// Puts content into a registry, as clients do that push images
/// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push).
package final class RegistryUpload: ImageDestination {
    private let host: String
    private let authorization: String?
    private let client: HTTPClient

    /// - Parameter authorization: the whole header; nil: nobody logs in.
    package init(host: String, pki: LoopbackPKI, authorization: String?) throws {
        self.host = host
        self.authorization = authorization
        var configuration = HTTPClient.Configuration()
        configuration.httpVersion = .http1Only
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .certificates(
            try NIOSSLCertificate.fromPEMBytes(Array(pki.authority.certificatePEM.utf8)))
        configuration.tlsConfiguration = tls
        client = HTTPClient(
            eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
    }

    deinit { client.shutdown { [client] _ in _ = client } }

    package func pushBlob(_ bytes: [UInt8], to repository: String) async throws {
        let digest = ImageDigest(of: bytes, CryptoHasher())
        let begun = try await send(.POST, "https://\(host)/v2/\(repository)/blobs/uploads/")
        guard let location = begun.headers.first(name: "Location") else {
            throw RegistryServerFailure(description: "no upload was begun")
        }
        let address = location.hasPrefix("/") ? "https://\(host)\(location)" : location
        let separator = address.contains("?") ? "&" : "?"
        _ = try await send(
            .PUT, "\(address)\(separator)digest=\(digest)", bytes, "application/octet-stream")
    }

    package func pushManifest(
        _ bytes: [UInt8], type: String, tag: String?, to repository: String
    ) async throws {
        let name = tag ?? ImageDigest(of: bytes, CryptoHasher()).description
        _ = try await send(
            .PUT, "https://\(host)/v2/\(repository)/manifests/\(name)", bytes, type)
    }

    private func send(
        _ method: HTTPMethod, _ address: String, _ body: [UInt8] = [], _ type: String? = nil
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: address)
        request.method = method
        if let authorization { request.headers.add(name: "Authorization", value: authorization) }
        if let type { request.headers.add(name: "Content-Type", value: type) }
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await client.execute(request, timeout: .seconds(300))
        let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
        guard (200..<300).contains(response.status.code) else {
            throw RegistryServerFailure(
                description: "\(method) \(address): \(response.status.code) \(text)")
        }
        return response
    }
}
