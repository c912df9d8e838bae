// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
import Glibc

/// The seccomp listener of another process, taken with pidfd_getfd(2).
struct StolenListener {
    private static let link = "anon_inode:seccomp notify"
    private static let numbersMax: Int32 = 256

    private let descriptor: Int32

    /// Why it could not be had: the errno of pidfd_getfd, EBADF when there is no listener.
    struct Refusal: Error, Equatable {
        let errorNumber: Int32
    }

    init(from process: pid_t) throws(Refusal) {
        let handle = clinux_pidfd_open(process)
        guard handle >= 0 else { throw Refusal(errorNumber: -handle) }
        defer { close(handle) }
        var refusal = EBADF
        for number in 0..<Self.numbersMax {
            let copy = clinux_pidfd_getfd(handle, number)
            if copy >= 0, TargetProcess.link("/proc/self/fd/\(copy)") == Self.link {
                descriptor = copy
                return
            }
            if copy >= 0 { close(copy) } else if copy != -EBADF { refusal = -copy }
        }
        throw Refusal(errorNumber: refusal)
    }

    /// Whether a notification waits right now.
    var isReadable: Bool {
        var listening = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&listening, 1, 0) > 0 && listening.revents & Int16(POLLIN) != 0
    }

    /// Waits for the next call and lets it pass as it is (SECCOMP_USER_NOTIF_FLAG_CONTINUE).
    /// The task that made it, or nil when the listener refused.
    func letNextCallPass() -> pid_t? {
        var notification = clinux_notification()
        guard clinux_notification_receive(descriptor, &notification) == 0,
            clinux_notification_answer(descriptor, notification.id, 0) == 0
        else { return nil }
        return notification.task
    }

    func giveBack() { close(descriptor) }
}

/// What this test process may do to others.
enum Attacker {
    /// CAP_SYS_PTRACE is capability 19 (linux/capability.h).
    private static let traceCapability = 19

    /// Whether it reaches processes that are not dumpable: root, as a rule.
    static let isPrivileged: Bool = {
        let lines = (TargetProcess.text("/proc/self/status") ?? "").split(separator: "\n")
        let line = lines.first { $0.hasPrefix("CapEff:") } ?? ""
        let digits = line.split(separator: "\t").last ?? ""
        return (UInt64(digits, radix: 16) ?? 0) >> traceCapability & 1 == 1
    }()

    /// Whether the host lets anybody call pidfd_getfd: a process may always do it to itself.
    static let mayStealFromItself: Bool = {
        let handle = clinux_pidfd_open(getpid())
        defer { close(handle) }
        let copy = clinux_pidfd_getfd(handle, handle)
        if copy >= 0 { close(copy) }
        return copy >= 0
    }()
}
