// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import ObjectServerPorts
internal import ServedHTTP

/// What came of a request's body, as the network cut it and with its framing: the bytes are looked
/// at and copied once, when they are pulled.
struct Input {
    enum Pull {
        case bytes([UInt8])
        /// The body is over.
        case over
        /// More has to come first.
        case empty
    }

    /// What NIO may hand over at once although no read was asked for: the rest of a record of TLS.
    static let unaskedBytesMax = 32 << 10
    /// Reads that fill their buffer less than this are copied together: a connection that sends
    /// byte by byte would otherwise hold a buffer for each.
    private static let sparseDivisor = 2
    private static let gatheredBytesMax = 64 << 10

    private(set) var buffers: CircularBuffer<ByteBuffer> = []
    private(set) var bytes = 0
    private(set) var decoder: BodyDecoder
    var meter: RateMeter
    /// Who waits for bytes.
    var waiter: CheckedContinuation<Void, Never>?
    var failure: StreamFailure?
    /// No read is asked for, because enough is here.
    var isPaused = false
    var hasPulled = false
    /// Whether a timer runs that looks at `meter`.
    var isTimed = false

    init(_ decoder: BodyDecoder, meter: RateMeter, rest: ByteBuffer) {
        self.decoder = decoder
        self.meter = meter
        if rest.readableBytes > 0 {
            buffers.append(rest)
            bytes = rest.readableBytes
        }
    }

    mutating func append(_ new: ByteBuffer) {
        bytes += new.readableBytes
        guard new.readableBytes < new.storageCapacity / Self.sparseDivisor else {
            return buffers.append(new)
        }
        if let last = buffers.indices.last,
            buffers[last].readableBytes + new.readableBytes <= Self.gatheredBytesMax
        {
            buffers[last].writeImmutableBuffer(new)
        } else {
            var copy = ByteBuffer()
            copy.writeImmutableBuffer(new)
            buffers.append(copy)
        }
    }

    mutating func pull(upTo most: Int) throws(RequestRefusal) -> Pull {
        guard !decoder.isOver else { return .over }
        guard bytes > 0 else { return .empty }
        var refusal: RequestRefusal?
        let most = min(most, bytes)
        let chunk = [UInt8](unsafeUninitializedCapacity: most) { target, count in
            do throws(RequestRefusal) {
                try fill(UnsafeMutableRawBufferPointer(target), &count)
            } catch { refusal = error }
        }
        if let refusal { throw refusal }
        guard chunk.isEmpty else { return .bytes(chunk) }
        return decoder.isOver ? .over : .empty
    }

    /// Copies bytes of the body until `target` is full or there are no more.
    private mutating func fill(
        _ target: UnsafeMutableRawBufferPointer, _ count: inout Int
    ) throws(RequestRefusal) {
        while count < target.count, let first = buffers.indices.first {
            let buffer = buffers[first]
            var offset = 0
            defer { drop(offset) }
            let isOver = try Self.copy(buffer, &offset, &decoder, target, &count)
            if isOver { return }
        }
    }

    /// - Returns: whether the body is over.
    private static func copy(
        _ buffer: ByteBuffer, _ offset: inout Int, _ decoder: inout BodyDecoder,
        _ target: UnsafeMutableRawBufferPointer, _ count: inout Int
    ) throws(RequestRefusal) -> Bool {
        let span = buffer.readableBytesSpan
        while count < target.count {
            switch try decoder.next(in: span, from: &offset, upTo: target.count - count) {
            case .body(let range):
                let free = UnsafeMutableRawBufferPointer(rebasing: target[count...])
                span.withUnsafeBytes { source in
                    free.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[range]))
                }
                count += range.count
            case .more: return false
            case .end: return true
            }
        }
        return false
    }

    /// So many bytes of the first buffer are used up.
    private mutating func drop(_ count: Int) {
        bytes -= count
        guard let first = buffers.indices.first else { return }
        buffers[first].moveReaderIndex(forwardBy: count)
        if buffers[first].readableBytes == 0 { buffers.removeFirst() }
    }

    /// All that is left, in one piece; nothing is left here.
    mutating func takeRest() -> ByteBuffer {
        var rest = buffers.popFirst() ?? ByteBuffer()
        while let next = buffers.popFirst() { rest.writeImmutableBuffer(next) }
        bytes = 0
        return rest
    }
}
