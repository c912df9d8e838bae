// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// What a wait status of a task says (waitpid(2), ptrace(2) "Stopped states" under
/// PTRACE_SEIZE and PTRACE_O_TRACESYSGOOD).
enum Stop: Equatable {
    case exited(code: Int32)
    case killed(signal: Int32)
    /// Entry or exit of a system call.
    case systemCall
    /// The filter returned SECCOMP_RET_TRACE.
    case seccomp
    case exec
    case fork
    case vfork
    case clone
    case vforkDone
    /// PTRACE_EVENT_STOP that is no group-stop: interrupted, a new child, or continued.
    case trap
    /// Job control stopped the process.
    case groupStop(signal: Int32)
    /// A signal is about to be delivered.
    case signal(Int32)
    case unknown(event: Int32)

    init(status: Int32) {
        let low = status & 0x7f
        guard low == 0x7f else {
            self =
                low == 0
                ? .exited(code: (status >> 8) & 0xff) : .killed(signal: low)
            return
        }
        self = Self.stopped(signal: (status >> 8) & 0xff, event: status >> 16)
    }

    private static func stopped(signal: Int32, event: Int32) -> Stop {
        switch event {
        case 0: signal == SIGTRAP | 0x80 ? .systemCall : .signal(signal)
        case 1: .fork
        case 2: .vfork
        case 3: .clone
        case 4: .exec
        case 5: .vforkDone
        case 7: .seccomp
        case 128: signal == SIGTRAP ? .trap : .groupStop(signal: signal)
        default: .unknown(event: event)
        }
    }

    /// The kind's name in counters.
    var kind: String {
        switch self {
        case .exited: "exited"
        case .killed: "killed"
        case .systemCall: "system-call"
        case .seccomp: "seccomp"
        case .exec: "exec"
        case .fork: "fork"
        case .vfork: "vfork"
        case .clone: "clone"
        case .vforkDone: "vfork-done"
        case .trap: "trap"
        case .groupStop: "group-stop"
        case .signal: "signal"
        case .unknown: "unknown"
        }
    }

    /// Whether the task is gone.
    var isEnd: Bool {
        switch self {
        case .exited, .killed: true
        default: false
        }
    }
}
