// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import NIOPosix
import ObjectStorePorts
import Testing
@testable import S3HTTP

@Suite("An exchange with the store") struct StoreExchangeTests {
    /// What async-http-client keeps of a request knows its delegate, and lives as long as it.
    @Test(arguments: [true, false])
    func `is let go when it is over`(_ isStream: Bool) async throws {
        let server = try await StreamServer(.send(1000, declared: 1000, .end))
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let client = HTTPClient(eventLoopGroup: loop)
        let request = try HTTPClient.Request(url: server.endpoint)
        weak var kept: StoreExchange?
        do {
            let pipe = AnswerPipe(capacity: 1 << 20)
            let exchange = StoreExchange(
                on: loop, isStream ? .stream(pipe) : .all(bytesMax: 1 << 20))
            kept = exchange
            exchange.limit(.seconds(600), .timedOut(host: "127.0.0.1"))
            exchange.begin(request, by: client)
            #expect(try await exchange.answer().get().status == 200)
            if isStream {
                // As a reader watches it.
                exchange.watch(pipe, .seconds(600), .timedOut(host: "127.0.0.1"))
                var count = 0
                while let chunk = try await pipe.take() { count += chunk.count }
                #expect(count == 1000)
            }
            // The control: it is there while somebody has it.
            withExtendedLifetime(exchange) { #expect(kept != nil) }
        }
        // What the event loop has still to do for it.
        for _ in 0..<1000 where kept != nil { try await Task.sleep(for: .milliseconds(2)) }
        #expect(kept == nil)
        try await client.shutdown()
    }
}
