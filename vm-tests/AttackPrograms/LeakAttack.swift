// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// Lets a value out by one channel, and looks at the other end whether it arrived.
package struct LeakAttack {
    /// Where an allowed destination listens (TCP, on the loopback address).
    package static let allowedPort: UInt16 = 5432
    /// What one call may write or send.
    static let scanBytesMax = 16 << 20

    /// A copy in ordinary memory, as an application makes it.
    let value: [UInt8]

    package init(value: [UInt8]) { self.value = value }

    package func run(_ channel: LeakChannel) -> LeakReport {
        switch channel {
        case .standardOutput: standard(STDOUT_FILENO)
        case .standardError: standard(STDERR_FILENO)
        case .file: toFile { [write($0, value, value.count)] }
        case .fileAtOffset: toFile { [pwrite($0, value, value.count, 0)] }
        case .fileInPieces: toFile { [pieces(2) { writev($0, $1, $2) }($0)] }
        case .fileInPiecesAtOffset: toFile { [pieces(3) { Int(clinux_pwritev2($0, $1, $2)) }($0)] }
        case .pipe: toPipe()
        case .unixStream: overUnix(SOCK_STREAM) { [send($0, value, value.count, 0)] }
        case .unixDatagram: overUnix(SOCK_DGRAM) { [send($0, value, value.count, 0)] }
        case .tcp: overTCP { [write($0, value, value.count)] }
        case .tcpMessage: overTCP { [message($0)] }
        case .tcpMessages: overTCP { [many($0, 1)] }
        case .udp: overUDP { socket, _ in send(socket, value, value.count, 0) }
        case .udpTo: overUDP(connected: false) { sendTo($0, $1) }
        case .udpSecondMessage: secondMessage()
        case .zerocopy: overTCP { [zerocopy($0)] }
        case .sendfile: overTCP { [fromMappedFile($0)] }
        case .spliceToSocket: overTCP { [spliced($0)] }
        case .vmsplice: vmspliced()
        case .tee: teed()
        case .sharedMapping: throughMapping()
        case .ringWrite: toFile { [ring(CLINUX_RING_WRITE, $0)] }
        case .ringWriteFixed: toFile { [ring(CLINUX_RING_WRITE_FIXED, $0)] }
        case .ringSend: overTCP { [ring(CLINUX_RING_SEND, $0)] }
        case .ringSendZerocopy: overTCP { [ring(CLINUX_RING_SEND_ZEROCOPY, $0)] }
        case .ringSendPolled: overTCP { [ring(CLINUX_RING_SEND_POLLED, $0)] }
        case .base64First: encoded(LeakText.base64(value, after: 0))
        case .base64Second: encoded(LeakText.base64(value, after: 1))
        case .base64Third: encoded(LeakText.base64(value, after: 2))
        case .hexLower: encoded(LeakText.hex(value, upper: false))
        case .hexUpper: encoded(LeakText.hex(value, upper: true))
        case .splitSends: overTCP { twoParts($0) { send($0, $1, $2, 0) } }
        case .splitWrites: toFile { twoParts($0) { write($0, $1, $2) } }
        case .bytewise: overTCP { bytewise($0) }
        case .behind64KiB: toFile(at: 100_000) { [behind(100_000, $0)] }
        case .behindLimit: toFile(at: Self.scanBytesMax) { [behind(Self.scanBytesMax, $0)] }
        case .thousandPieces: toFile { [pieces(1024) { writev($0, $1, $2) }($0)] }
        case .neverTouchedPage: fromColdPage()
        case .allowedDestination:
            overTCP(port: Self.allowedPort) { [write($0, value, value.count)] }
        case .exclusiveOr: encoded(value.map { $0 ^ 0x5A })
        case .reversed: encoded(value.reversed())
        case .spaced: encoded(value.flatMap { [$0, UInt8(ascii: " ")] })
        case .packed: encoded(LeakText.packed(value))
        }
    }

    // MARK: What was sent and what arrived

    /// - Parameter results: of each call: bytes, or negative with errno or -errno.
    func judge(
        _ results: [Int], _ wanted: [UInt8], _ receive: (UnsafeMutableRawBufferPointer) -> Int
    ) -> LeakReport {
        let failure = errno
        if let refused = results.first(where: { $0 <= 0 }) {
            return LeakReport(
                outcome: .refused, errorNumber: refused < -1 ? Int32(-refused) : failure)
        }
        var arrived = [UInt8](repeating: 0, count: wanted.count)
        var filled = 0
        while filled < wanted.count {
            let got = arrived.withUnsafeMutableBytes {
                receive(UnsafeMutableRawBufferPointer(rebasing: $0[filled...]))
            }
            guard got > 0 else { break }
            filled += got
        }
        return LeakReport(outcome: arrived == wanted ? .leaked : .absent, errorNumber: 0)
    }

    static func unavailable(_ number: Int32 = errno) -> LeakReport {
        LeakReport(outcome: .unavailable, errorNumber: number)
    }

    /// By a send over TCP.
    private func encoded(_ bytes: [UInt8]) -> LeakReport {
        overTCP(wanting: bytes) { [send($0, bytes, bytes.count, 0)] }
    }

    private func twoParts(
        _ descriptor: Int32, _ call: (Int32, UnsafeRawPointer, Int) -> Int
    ) -> [Int] {
        let half = value.count / 2
        return value.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return [] }
            let first = call(descriptor, base, half)
            return first < 0
                ? [first] : [first, call(descriptor, base + half, value.count - half)]
        }
    }

    private func bytewise(_ socket: Int32) -> [Int] {
        var results: [Int] = []
        for var byte in value {
            results.append(send(socket, &byte, 1, 0))
            if results.last != 1 { break }
        }
        return results
    }

    private func behind(_ filler: Int, _ descriptor: Int32) -> Int {
        // The same piece again and again: guests have little memory.
        let piece = [UInt8](repeating: UInt8(ascii: "."), count: min(filler, 65_536))
        return piece.withUnsafeBytes { piece in
            value.withUnsafeBytes { value in
                var parts = [iovec](
                    repeating: iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: piece.baseAddress),
                        iov_len: piece.count), count: filler / piece.count)
                parts.append(
                    iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: piece.baseAddress),
                        iov_len: filler % piece.count))
                parts.append(
                    iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: value.baseAddress),
                        iov_len: value.count))
                return writev(descriptor, parts, Int32(parts.count))
            }
        }
    }

    private func ring(_ way: clinux_ring_way, _ descriptor: Int32) -> Int {
        value.withUnsafeBytes {
            Int(clinux_ring_once(way, descriptor, $0.baseAddress, $0.count))
        }
    }

    /// The value in `count` pieces, empty ones if it is shorter.
    private func pieces(
        _ count: Int, _ call: @escaping (Int32, UnsafePointer<iovec>, Int32) -> Int
    ) -> (Int32) -> Int {
        { descriptor in
            value.withUnsafeBytes { bytes in
                let base = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
                let ends = (0...count).map { $0 * bytes.count / count }
                let parts = zip(ends, ends.dropFirst()).map {
                    iovec(iov_base: base.map { [from = $0.0] in $0 + from }, iov_len: $0.1 - $0.0)
                }
                return call(descriptor, parts, Int32(count))
            }
        }
    }
}
