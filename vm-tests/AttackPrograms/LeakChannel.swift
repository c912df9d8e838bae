// SPDX-License-Identifier: Apache-2.0

/// A way by which a process's own code lets a value out, as a mistake or on purpose.
package enum LeakChannel: String, CaseIterable, Sendable {
    case standardOutput = "standard-output"
    case standardError = "standard-error"
    case file
    case fileAtOffset = "file-at-offset"
    case fileInPieces = "file-writev"
    case fileInPiecesAtOffset = "file-pwritev2"
    case pipe
    case unixStream = "unix-stream"
    case unixDatagram = "unix-datagram"
    case tcp
    case tcpMessage = "tcp-sendmsg"
    case tcpMessages = "tcp-sendmmsg"
    case udp
    case udpTo = "udp-sendto"
    case udpSecondMessage = "udp-sendmmsg-second"
    case zerocopy = "tcp-zerocopy"
    case sendfile
    case spliceToSocket = "vmsplice-splice-to-socket"
    case vmsplice
    case tee
    case sharedMapping = "shared-file-mapping"
    case ringWrite = "io_uring-write"
    case ringWriteFixed = "io_uring-write-fixed"
    case ringSend = "io_uring-send"
    case ringSendZerocopy = "io_uring-send-zerocopy-fixed"
    case ringSendPolled = "io_uring-send-sqpoll"
    case base64First = "base64"
    case base64Second = "base64-after-1"
    case base64Third = "base64-after-2"
    case hexLower = "hex"
    case hexUpper = "hex-upper"
    case splitSends = "two-sends"
    case splitWrites = "two-writes"
    case bytewise = "byte-by-byte"
    case behind64KiB = "behind-64-KiB"
    case thousandPieces = "1024-pieces"
    case behindLimit = "behind-16-MiB"
    case neverTouchedPage = "page-not-in-memory"
    case allowedDestination = "allowed-destination"
    case exclusiveOr = "exclusive-or"
    case reversed
    case spaced = "space-after-each-byte"
    case packed = "six-bits-a-letter"
}

/// What became of it.
package struct LeakReport: Sendable, Equatable {
    package let outcome: AttackOutcome
    package let errorNumber: Int32

    package init(outcome: AttackOutcome, errorNumber: Int32) {
        self.outcome = outcome
        self.errorNumber = errorNumber
    }
}
