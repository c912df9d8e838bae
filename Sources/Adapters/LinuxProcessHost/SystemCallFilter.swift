// SPDX-License-Identifier: Apache-2.0
import CLinux
import CSeccomp
import Glibc
package import Ports

/// The seccomp filter of a program, as the kernel takes it (an array of `struct sock_filter`,
/// 8 bytes each), built by libseccomp.
///
/// Calls of other architectures (int 0x80, x32) kill the process: their exec would pass the
/// trap by. Every filter checks the architecture first.
package struct SystemCallFilter: Sendable, Equatable {
    /// What happens to execve(2) and execveat(2).
    package enum ExecTrap: Sendable, Equatable {
        /// Not trapped (classic environment).
        case none
        /// The tracer is asked (SECCOMP_RET_TRACE); the hand-over call goes to the listener.
        case tracer
        /// The listener is asked (SECCOMP_RET_USER_NOTIF).
        case listener
    }

    /// First argument of the execve that asks for the descriptor. Not canonical, so no program
    /// can pass it and mean something: the kernel's own answer to it would be EFAULT, and that
    /// is what a caller gets from whom the supervisor expects nothing.
    package static let handOverAddress: UInt64 = 0x8000_5ec3_7000_0001

    /// Denied by policy (wrapper rule 13) with EPERM.
    package static let restrictedCalls = [
        "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "io_uring_setup",
        "io_uring_enter", "io_uring_register", "userfaultfd", "perf_event_open", "kcmp", "bpf",
        "init_module", "finit_module", "delete_module",
        // Their content passes every LSM hook by (AV-093, AV-094).
        "vmsplice", "tee",
    ]

    /// Denied by the same policy with EINVAL, which splice(2) answers for files that it cannot
    /// splice: programs then copy by read and write, where hooks see the content. At EPERM they
    /// give up (Go's io.Copy does).
    package static let unsupportedCalls = ["splice"]

    /// Denied by a policy of its own: an LSM hook sees the first message only (AV-090), and
    /// resolvers send their two queries so (glibc, res_send.c).
    static let messageBatchCall = "sendmmsg"

    /// The program, 8 bytes per instruction.
    package let instructions: [UInt64]

    package init(
        trap: ExecTrap, restrict: Bool, denySendmmsg: Bool = false
    ) throws(ProcessHostFailure) {
        guard let context = seccomp_init(Action.allow) else {
            throw .refused(call: "seccomp_init", errorNumber: ENOMEM)
        }
        defer { seccomp_release(context) }
        let other = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, Action.killProcess)
        guard other == 0 else {
            throw .refused(call: "seccomp_attr_set", errorNumber: -other)
        }
        if restrict {
            for name in Self.restrictedCalls {
                try Self.add(Action.deny, name, [], to: context)
            }
            for name in Self.unsupportedCalls {
                try Self.add(Action.answerUnsupported, name, [], to: context)
            }
        }
        if denySendmmsg { try Self.add(Action.deny, Self.messageBatchCall, [], to: context) }
        try Self.addTraps(trap, to: context)
        instructions = try Self.export(context)
    }

    /// Installs a filter on this thread, or on all of the process, that answers EPERM to the named
    /// calls, for good. libseccomp sets PR_SET_NO_NEW_PRIVS with it.
    static func install(
        denying calls: [String], inEveryThread: Bool
    ) throws(ProcessHostFailure) {
        guard let context = seccomp_init(Action.allow) else {
            throw .refused(call: "seccomp_init", errorNumber: ENOMEM)
        }
        defer { seccomp_release(context) }
        for name in calls { try add(Action.deny, name, [], to: context) }
        let synchronized = seccomp_attr_set(
            context, SCMP_FLTATR_CTL_TSYNC, inEveryThread ? 1 : 0)
        guard synchronized == 0 else {
            throw .refused(call: "seccomp_attr_set", errorNumber: -synchronized)
        }
        let result = seccomp_load(context)
        guard result == 0 else { throw .refused(call: "seccomp_load", errorNumber: -result) }
    }

    private enum Action {
        static let allow: UInt32 = 0x7fff_0000
        static let trace: UInt32 = 0x7ff0_0000
        static let notify: UInt32 = 0x7fc0_0000
        static let deny: UInt32 = 0x0005_0000 | UInt32(EPERM)
        static let answerUnsupported: UInt32 = 0x0005_0000 | UInt32(EINVAL)
        static let killProcess: UInt32 = 0x8000_0000
    }

    private static func addTraps(
        _ trap: ExecTrap, to context: scmp_filter_ctx
    ) throws(ProcessHostFailure) {
        switch trap {
        case .none: break
        case .listener:
            try add(Action.notify, "execve", [], to: context)
            try add(Action.notify, "execveat", [], to: context)
        case .tracer:
            let address = handOverAddress
            let asks = scmp_arg_cmp(arg: 0, op: SCMP_CMP_EQ, datum_a: address, datum_b: 0)
            let other = scmp_arg_cmp(arg: 0, op: SCMP_CMP_NE, datum_a: address, datum_b: 0)
            try add(Action.notify, "execve", [asks], to: context)
            try add(Action.trace, "execve", [other], to: context)
            try add(Action.trace, "execveat", [], to: context)
        }
    }

    private static func add(
        _ action: UInt32, _ name: String, _ arguments: [scmp_arg_cmp],
        to context: scmp_filter_ctx
    ) throws(ProcessHostFailure) {
        let number = seccomp_syscall_resolve_name(name)
        // A call that this libseccomp has no name for does not exist here either.
        guard number != -1 else { return }
        let result = seccomp_rule_add_array(
            context, action, number, UInt32(arguments.count), arguments)
        guard result == 0 else {
            throw .refused(call: "seccomp_rule_add(\(name))", errorNumber: -result)
        }
    }

    /// libseccomp writes the program to a descriptor only.
    private static func export(
        _ context: scmp_filter_ctx
    ) throws(ProcessHostFailure) -> [UInt64] {
        var ends: [Int32] = [-1, -1]
        let made = clinux_pipe(&ends)
        guard made == 0 else {
            throw .systemCall("pipe2", errorNumber: -made)
        }
        defer { close(ends[0]) }
        let result = seccomp_export_bpf(context, ends[1])
        close(ends[1])
        guard result == 0 else {
            throw .refused(call: "seccomp_export_bpf", errorNumber: -result)
        }
        // At most 4096 instructions (BPF_MAXINSNS); a pipe holds 64 KiB, ours are a few hundred.
        var program = [UInt64](repeating: 0, count: 4096)
        let bytes = program.withUnsafeMutableBytes { read(ends[0], $0.baseAddress, $0.count) }
        guard bytes > 0, bytes % 8 == 0 else {
            throw .systemCall("read", errorNumber: bytes < 0 ? errno : EIO)
        }
        return Array(program.prefix(bytes / 8))
    }
}
