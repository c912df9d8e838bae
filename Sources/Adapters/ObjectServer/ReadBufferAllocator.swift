// SPDX-License-Identifier: Apache-2.0
internal import NIOCore

/// Buffers for reads: small ones for heads, larger ones while a body comes fast.
///
/// NIO keeps the buffer of the last read with each channel to use it again. A connection that is
/// idle after a large body would keep it, so here each read gets a new one: an answer of nil says
/// that none is to be kept, and an answer of true that the next may be larger.
struct ReadBufferAllocator: RecvByteBufferAllocator {
    private static let firstBytes = 4096
    private static let bytesMin = 1024

    private var sizes: AdaptiveRecvByteBufferAllocator

    /// - Parameter most: a power of two.
    init(upTo most: Int) {
        sizes = AdaptiveRecvByteBufferAllocator(
            minimum: min(Self.bytesMin, most), initial: min(Self.firstBytes, most), maximum: most)
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer { sizes.buffer(allocator: allocator) }

    func nextBufferSize() -> Int? { nil }

    mutating func record(actualReadBytes: Int) -> Bool {
        _ = sizes.record(actualReadBytes: actualReadBytes)
        return true
    }
}
