// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// HTTP/1.1 without TLS on loopback, with answers by a closure. Requests are kept.
package final class PlainServer: Sendable {
    private let channel: any Channel
    private let recorder: Recorder

    /// - Parameter answer: gets the request's number, from 0.
    package init(
        answer: @escaping @Sendable (SeenRequest, Int) -> ScriptedAnswer
    ) async throws {
        let recorder = Recorder()
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(ScriptHandler(recorder: recorder, answer: answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.recorder = recorder
    }

    deinit { channel.close(promise: nil) }

    package var port: Int { channel.localAddress?.port ?? 0 }
    package var requests: [SeenRequest] { recorder.requests.withLock { $0 } }
}
