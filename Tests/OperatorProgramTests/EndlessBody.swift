// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Sends a review in chunks that do not end.
enum EndlessBody {
    /// - Returns: the status that it is told.
    static func send(to port: Int, with client: TrustingClient) async throws -> Int {
        var request = HTTPClientRequest(url: "https://127.0.0.1:\(port)/mutate")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        let chunks = AsyncStream<ByteBuffer> {
            try? await Task.sleep(for: .milliseconds(100))
            return ByteBuffer(string: "[")
        }
        request.body = .stream(chunks, length: .unknown)
        let response = try await client.http.execute(request, timeout: .seconds(300))
        return Int(response.status.code)
    }
}
