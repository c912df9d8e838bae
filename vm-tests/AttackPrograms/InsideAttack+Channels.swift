// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// Ways out by messages, children and the standard streams.
extension InsideAttack {
    /// How often a child's arguments are looked at, and how long it waits between (µs).
    private static let looksMax = 100
    private static let lookMicro: UInt32 = 20_000

    /// Where a container's log is read.
    func standardOutput() -> (AttackOutcome, Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return (.unavailable, errno) }
        let kept = dup(STDOUT_FILENO)
        defer { for end in ends + [kept] { close(end) } }
        dup2(ends[1], STDOUT_FILENO)
        let sent = write(STDOUT_FILENO, secret.baseAddress, secret.count)
        let failure = errno
        dup2(kept, STDOUT_FILENO)
        guard sent > 0 else { return (.refused, failure) }
        return received { Int64(read(ends[0], $0.baseAddress, $0.count)) }
    }

    /// What throughSocket expects: bytes or -1 with errno.
    func sendMessages(_ socket: Int32, _ messages: UInt32) -> Int {
        let sent = clinux_send_messages(socket, secret.baseAddress, secret.count, messages)
        if sent < 0 { errno = -sent }
        return sent < 0 ? -1 : Int(sent) * secret.count
    }

    /// Datagrams to one address by one call: the second is looked at.
    func toOneAddress() -> (AttackOutcome, Int32) {
        let receiver = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        let sender = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer {
            close(receiver)
            close(sender)
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isReady = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(receiver, $0, size) == 0 && getsockname(receiver, $0, &size) == 0
                    && connect(sender, $0, size) == 0
            }
        }
        guard isReady else { return (.unavailable, errno) }
        guard sendMessages(sender, 2) == 2 * secret.count else { return (.refused, errno) }
        _ = received { Int64(recv(receiver, $0.baseAddress, $0.count, 0)) }
        return received { Int64(recv(receiver, $0.baseAddress, $0.count, 0)) }
    }

    /// Everybody may read /proc/PID/cmdline of a child.
    func childArguments() -> (AttackOutcome, Int32) {
        let path = "/proc/self/exe"
        let words = [path, "wait", String(decoding: secret, as: UTF8.self)]
        var arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var child: pid_t = 0
        let failure = posix_spawn(&child, path, nil, nil, &arguments, environ)
        guard failure == 0 else { return (.refused, failure) }
        defer {
            kill(child, SIGKILL)
            var status: Int32 = 0
            waitpid(child, &status, 0)
        }
        // posix_spawn returns when execve(2) has taken the new memory, before the arguments are
        // in it.
        for _ in 0..<Self.looksMax {
            if case .success(let shown) = TargetProcess.read("/proc/\(child)/cmdline"),
                let last = shown.split(separator: 0).last, last.elementsEqual(secret)
            {
                return (.leaked, 0)
            }
            usleep(Self.lookMicro)
        }
        return (.absent, 0)
    }

    /// A byte at a time, by children that end with it.
    func exitStatus() -> (AttackOutcome, Int32) {
        received { buffer in
            for (index, byte) in secret.enumerated() {
                let child = fork()
                guard child >= 0 else { return Int64(-errno) }
                if child == 0 { _exit(Int32(byte)) }
                var status: Int32 = 0
                guard waitpid(child, &status, 0) == child else { return Int64(-errno) }
                buffer[index] = UInt8(truncatingIfNeeded: status >> 8)
            }
            return Int64(secret.count)
        }
    }

    /// `attack wait SECRET`: is there to be looked at.
    package static func waitForEnd() -> Never {
        while true { pause() }
    }
}
