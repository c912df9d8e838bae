// SPDX-License-Identifier: Apache-2.0
package import ServedHTTP

/// Bounds of what strangers may send and hold: whoever reaches the port can connect.
package struct ObjectServerLimits: Sendable, Equatable {
    /// Of one pull, and of the pieces that an answer is cut into. A copy costs the same for each
    /// byte from 16 KiB on (0.03 ns measured); beyond 256 KiB the C library may map memory anew
    /// for each.
    package static let chunkBytesMax = 256 << 10

    package var head = HeadLimits()
    /// Until the first head of a connection has arrived, TLS included; and from a later request's
    /// first byte to the end of its head.
    package var headTime = Duration.seconds(10)
    /// Between two requests of a connection.
    package var idleTime = Duration.seconds(120)
    /// A body has to bring `bodyRateBytesMin` in each such time that somebody waits for it.
    package var bodyRateWindow = Duration.seconds(30)
    package var bodyRateBytesMin = 32 << 10
    /// Until a piece of an answer, of at most `chunkBytesMax`, has been taken.
    package var answerTime = Duration.seconds(60)
    /// Of one connection: bytes that came and nobody pulled; and as many again that were written
    /// and are not taken.
    package var bufferedBytesMax = 256 << 10
    /// Of one read from the network.
    package var readBytesMax = 128 << 10
    /// What is read and thrown away of a body that was not pulled to its end, so that the
    /// connection can go on; and how long it may take. A body that is larger ends the connection.
    package var drainBytesMax = 256 << 10
    package var drainTime = Duration.seconds(5)
    /// What is read and thrown away before a connection closes whose other side may be sending, so
    /// that it sees the answer and not a reset.
    package var lingerBytesMax = 4 << 20
    package var lingerTime = Duration.seconds(2)
    /// At more, the connection closes that has been idle for longest; the new one when none is.
    package var connectionCountMax = 2048
    /// Of connections that are not accepted yet.
    package var backlog: Int32 = 1024

    package init() {}

    /// A power of two, as the allocator needs it.
    var readBytes: Int {
        let most = max(1, min(readBytesMax, bufferedBytesMax))
        return 1 << (Int.bitWidth - 1 - most.leadingZeroBitCount)
    }
}
