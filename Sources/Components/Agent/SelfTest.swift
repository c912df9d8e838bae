// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
package import Enforcement
internal import Ports

/// What the self-test saw of one vector.
package struct VectorFinding: Sendable, Equatable {
    package enum Result: String, Sendable, CaseIterable {
        /// It worked on the victim before and is denied since.
        case denied
        /// It worked before, and whoever tried it since was killed in the call: what the call gave
        /// until then is not known.
        case killed
        /// It works on a protected process.
        case notDenied = "not denied"
        /// It is denied, and not when the kernel interrupts whoever is being judged: it passes over
        /// a tracing program then that is asked again on the same processor
        /// (`__bpf_prog_enter_recur` in kernel/bpf/trampoline.c).
        case interrupted = "denied unless interrupted"
        /// It did not work before either: nothing is known.
        case untested

        /// Something can come through.
        package var isOpen: Bool { self == .notDenied || self == .interrupted }
    }

    package let vector: VectorNumber
    package let result: Result
    /// Error number of the attempt on the unprotected victim, 0 for success.
    package let control: Int32

    package init(vector: VectorNumber, result: Result, control: Int32) {
        self.vector = vector
        self.result = result
        self.control = control
    }
}

/// Attacks a process before and after its enrolment, and believes nothing else.
package enum SelfTest {
    /// Number that victims are enrolled under.
    package static let enrolment: EnrolmentID = 1
    /// Index of the policy that the self-test sets and clears again.
    package static let policy: UInt32 = 1

    /// - Parameter isRacing: also attacks by several at once; for programs other than the LSM's.
    package static func run<Kernel: Enforcement & ~Copyable, Probe: AttackProbe & ~Copyable>(
        _ kernel: inout Kernel, _ probe: inout Probe, isRacing: Bool = false
    ) throws(EnforcementFailure) -> [VectorFinding] {
        try kernel.setPolicy(.silent, at: 0)
        try kernel.setPolicy(.silent, at: policy)
        let controls = try attempt(&probe, on: nil, &kernel)
        try kernel.setPolicy(.denyingAll, at: 0)
        try kernel.setPolicy(.denyingAll, at: policy)
        let answers = try attempt(&probe, on: enrolment, &kernel, isRacing: isRacing)
        try kernel.setPolicy(.silent, at: 0)
        try kernel.setPolicy(.silent, at: policy)
        return zip(controls, answers).map { finding($0, $1) }
    }

    /// On programs that are in force already, or that would harm others: their policy for the
    /// machine stays as it is, so what concerns the machine is denied or not known.
    package static func runOnRunning<
        Kernel: Enforcement & ~Copyable, Probe: AttackProbe & ~Copyable
    >(
        _ kernel: inout Kernel, _ probe: inout Probe, isRacing: Bool = false
    ) throws(EnforcementFailure) -> [VectorFinding] {
        try kernel.setPolicy(.denyingAll, at: policy)
        let controls = try attempt(&probe, on: nil, &kernel)
        let answers = try attempt(&probe, on: enrolment, &kernel, isRacing: isRacing)
        try kernel.setPolicy(.silent, at: policy)
        return zip(controls, answers).map { control, answer in
            let isOnMachine = EnforcedVector.of(control.vector)?.isOnMachine ?? false
            guard isOnMachine else { return finding(control, answer) }
            return VectorFinding(
                vector: control.vector,
                result: answer.outcome != .denied
                    ? .untested : answer.isInterrupted ? .interrupted : .denied,
                control: 0)
        }
    }

    private struct Answer {
        let vector: VectorNumber
        let outcome: ProbeOutcome
        /// Others came through while attackers interrupted each other.
        let isInterrupted: Bool
    }

    private static func attempt<Kernel: Enforcement & ~Copyable, Probe: AttackProbe & ~Copyable>(
        _ probe: inout Probe, on id: EnrolmentID?, _ kernel: inout Kernel, isRacing: Bool = false
    ) throws(EnforcementFailure) -> [Answer] {
        let victim: ProcessID
        do throws(AttackProbeFailure) { victim = try probe.begin() } catch {
            throw .noSuchProcess
        }
        defer {
            probe.end()
            if let id { kernel.endScan(of: id) }
        }
        if let id {
            _ = try kernel.enrol(victim, as: id, role: .victim, policy: policy)
            if kernel.canScan, let request = probe.scan { try kernel.scan(request, for: id) }
        }
        // Where no program scans, nothing is claimed and nothing is tried.
        let vectors = probe.vectors.filter {
            kernel.canScan || !VectorNumber.victimsLeaks.contains($0)
        }
        let outcomes = vectors.map { ($0, probe.attempt($0)) }
        // All of them are programs of one kind: what holds for one holds for each.
        let isInterrupted = isRacing && probe.race() == .through
        return outcomes.map {
            Answer(vector: $0.0, outcome: $0.1, isInterrupted: isInterrupted)
        }
    }

    private static func finding(_ control: Answer, _ answer: Answer) -> VectorFinding {
        let number: Int32 =
            switch control.outcome {
            case .through: 0
            case .denied: 1
            case .failed(let number): number
            case .killed: -1
            }
        let result: VectorFinding.Result =
            switch (control.outcome, answer.outcome) {
            case (.through, .denied): answer.isInterrupted ? .interrupted : .denied
            case (.through, .killed): .killed
            case (.through, _): .notDenied
            default: .untested
            }
        return VectorFinding(vector: control.vector, result: result, control: number)
    }
}
