// SPDX-License-Identifier: Apache-2.0
package import Enforcement

/// What an event is about. The words are stable: filters and alarms are written against them.
package enum EventType: String, Sendable, CaseIterable {
    // Promised to users from the start.
    /// A process sends out, or tries to send out, a secret that was delivered to it.
    case secretLeak = "SECRET_LEAK"
    /// Somebody reads or writes, or tries to, the memory of a protected process.
    case processMemoryRead = "PROCMEM_READ"
    /// Somebody opens, or tries to open, the environment of a protected process.
    case environmentRead = "ENVIRON_READ"
    /// Somebody was refused to trace a protected process.
    case ptraceDenied = "PTRACE_DENIED"
    /// A kernel module or another kernel image is loaded.
    case moduleLoad = "MODULE_LOAD"
    /// A BPF program, probe or counter is loaded.
    case programLoad = "BPF_LOAD"

    /// Somebody traced a protected process and was not refused: `PTRACE_DENIED` would be untrue.
    case ptraceObserved = "PTRACE_OBSERVED"
    /// Somebody attacks the agent, its maps, its pins or its cgroup.
    case guardDenied = "GUARD_DENIED"
    /// A process was put under protection, or that was refused.
    case enrolment = "ENROLMENT"

    // What the agent says about itself.
    /// Events were lost; the count is exact.
    case eventLoss = "EVENT_LOSS"
    /// Comes at a fixed interval: its absence says that the agent or the way here is gone.
    case heartbeat = "HEARTBEAT"
    /// The tier of a vector changed; `tierChange` says from what to what.
    case tierDowngrade = "TIER_DOWNGRADE"
    /// Another policy is in force from here on.
    case policyChange = "POLICY_CHANGE"
    case agentStart = "AGENT_START"
    case agentStop = "AGENT_STOP"
    /// The kernel, or the agent's files, failed the agent; what is enforced goes on.
    case agentFailure = "AGENT_FAILURE"
    /// A signature over the lines before it.
    case checkpoint = "CHECKPOINT"
}

/// What became of the attempt.
package enum EventVerdict: String, Sendable, CaseIterable {
    /// Refused before it had an effect.
    case denied
    /// The process was killed after it had begun: bytes may have left.
    case killed
    /// It went on.
    case observed
}

/// Which way bytes would have gone.
package enum EventAccess: String, Sendable, CaseIterable {
    case read
    /// Into the target: its memory, registers or system calls.
    case write
}

/// How a verdict is enforced.
package enum EventTier: String, Sendable, CaseIterable {
    // From the strongest to the weakest: `isWeaker` goes by this order.
    /// An LSM program.
    case lsm
    /// A program that replaces the result of a `security_` function.
    case modifyReturn = "fmod_ret"
    /// A program that replaces the result of a system call.
    case systemCall = "syscall"
    /// SIGKILL after the fact.
    case signal
    /// Nothing is enforced.
    case none

    /// Whether less is kept from an attacker than by the other one.
    package func isWeaker(than other: EventTier) -> Bool {
        let strongestFirst = Self.allCases
        return strongestFirst.firstIndex(of: self) ?? 0 > strongestFirst.firstIndex(of: other) ?? 0
    }
}

/// How urgent an event is (the words of syslog, RFC 5424, and OpenTelemetry can be had from it).
package enum EventSeverity: Sendable, CaseIterable {
    case informational, notice, warning, critical
}

extension EventType {
    /// How urgent an event of this type with this verdict is.
    package func severity(verdict: EventVerdict?) -> EventSeverity {
        switch self {
        case .secretLeak, .guardDenied, .processMemoryRead, .environmentRead, .ptraceDenied,
            .ptraceObserved:
            verdict == .denied ? .warning : .critical
        case .eventLoss, .tierDowngrade, .agentFailure: .warning
        case .moduleLoad, .programLoad: verdict == .observed ? .notice : .warning
        case .enrolment, .policyChange, .agentStart, .agentStop:
            verdict == .denied ? .warning : .notice
        case .heartbeat, .checkpoint: .informational
        }
    }
}

extension EventType {
    /// Whether the agent speaks of itself, and of no attempt.
    package var isAboutAgent: Bool {
        switch self {
        case .eventLoss, .heartbeat, .tierDowngrade, .policyChange, .agentStart, .agentStop,
            .agentFailure, .checkpoint:
            true
        case .secretLeak, .processMemoryRead, .environmentRead, .ptraceDenied, .moduleLoad,
            .programLoad, .ptraceObserved, .guardDenied, .enrolment:
            false
        }
    }

    /// The type that the catalogue gives the vector; a trace that was let through is not "denied".
    package init(_ vector: VectorNumber, _ verdict: EventVerdict) {
        let name = EnforcedVector.of(vector)?.event ?? ""
        self =
            name == "PTRACE_ATTACH"
            ? (verdict == .observed ? .ptraceObserved : .ptraceDenied)
            : EventType(rawValue: name) ?? .processMemoryRead
    }
}
