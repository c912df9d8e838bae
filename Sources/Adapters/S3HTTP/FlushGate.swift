// SPDX-License-Identifier: Apache-2.0
internal import NIOCore

/// Lets few bytes wait for what follows in the same turn of the event loop: async-http-client
/// flushes a request's head, its body and its end one by one, and each would be a packet and a
/// system call.
final class FlushGate: ChannelOutboundHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// From so many bytes on nothing waits.
    private static let waitingBytesMax = 16 << 10

    private var byteCount = 0
    private var isWaiting = false

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        byteCount += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        guard byteCount < Self.waitingBytesMax else { return open(context) }
        guard !isWaiting else { return }
        isWaiting = true
        context.eventLoop.assumeIsolated().execute { self.openIfWaiting(context) }
    }

    /// What was flushed before leaves before.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        openIfWaiting(context)
        context.close(mode: mode, promise: promise)
    }

    func handlerRemoved(context: ChannelHandlerContext) { isWaiting = false }

    private func openIfWaiting(_ context: ChannelHandlerContext) {
        if isWaiting { open(context) }
    }

    private func open(_ context: ChannelHandlerContext) {
        (byteCount, isWaiting) = (0, false)
        context.flush()
    }
}
