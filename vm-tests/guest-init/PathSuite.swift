// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AttackPrograms
import Enforcement
import EnforcementEvents
@preconcurrency import Glibc
import LibbpfKernel
import Ports

/// Paths through the kernel, the machine and the process's own behaviour: each without the agent,
/// then while it reports, then while it denies.
struct PathSuite {
    private static let firstNeedle: UInt64 = 91

    let host: Host
    let seed: UInt64
    let profile: KernelProfile

    func run() {
        let control = unguarded()
        let reading = ReadingPrograms(host: host, seed: seed)
        for tier in EnforcementTier.denying {
            do throws(EnforcementFailure) {
                var guarded = try GuardedKernel(tier: tier)
                guard guarded.works() else { continue }
                for (mode, policy) in [
                    ("detect", EnforcementPolicy.detecting), ("deny", .enforcing),
                ] {
                    try guarded.set(policy)
                    sweep(&guarded, mode, control)
                    reading.judge(&guarded, mode)
                }
                return
            } catch {
                return failed("paths, \(tier.word)", "\(error)")
            }
        }
        failed("paths", "no form of program denies anything")
    }

    private func failed(_ name: String, _ why: String) {
        host.report(
            CaseResult(
                id: "VM-EBPF-01", name: name, observation: why, expected: false, control: "",
                controlPassed: true))
    }

    // MARK: Without the agent

    private func unguarded() -> [PathVector: PathResult] {
        var results: [PathVector: PathResult] = [:]
        var hostages = Hostages(seed: seed, first: Self.firstNeedle)
        for vector in PathVector.allCases {
            guard let pair = hostages.pair() else { continue }
            let result = PathAttack(hostage: pair.idle, busy: pair.busy).run(vector)
            send(PlayedAttack(vector, result, pair), vector, "none", nil, nil)
            results[vector] = result
            if vector.spoils { hostages.replaceIdle() }
        }
        hostages.end()
        return results
    }

    // MARK: With it

    private func sweep(
        _ guarded: inout GuardedKernel, _ mode: String, _ control: [PathVector: PathResult]
    ) {
        var judge = BooksJudge(mode: mode)
        var gains = 0
        var hostages = Hostages(seed: seed, first: Self.firstNeedle)
        defer { hostages.end() }
        for vector in PathVector.allCases {
            guard let pair = hostages.pair(enrolling: { !guarded.enrol($0).isEmpty }) else {
                continue
            }
            defer { if vector.spoils { hostages.replaceIdle() } }
            guarded.openBooks()
            let result = PathAttack(hostage: pair.idle, busy: pair.busy).run(vector)
            let books = guarded.closeBooks()
            var played = PlayedAttack(vector, result, pair)
            let known = knows(vector, guarded.kernel.hooks)
            if !known { played.calls = (0, 0) }
            judge.look(at: books, played)
            if let before = control[vector] {
                if before.outcome.isGain { gains += 1 }
                let expected = expectedGain(before, vector, mode, known)
                if before.outcome != .unavailable, result.outcome.isGain != expected {
                    judge.note(
                        played,
                        "\(result.outcome.rawValue) (\(result.detail)), before "
                            + "\(before.outcome.rawValue)")
                }
            }
            send(played, vector, mode, guarded.kernel.tier, books)
        }
        host.report(
            CaseResult(
                id: "VM-EBPF-01", name: "paths, \(mode), \(guarded.kernel.tier.word)",
                observation: judge.observation, expected: judge.wrong.isEmpty,
                control: "\(gains) of \(control.count) work without the agent",
                controlPassed: gains > 0))
    }

    /// Whether a hook of this kernel knows the path.
    private func knows(_ vector: PathVector, _ hooks: [String]) -> Bool {
        switch vector {
        case .userFault, .ring: hooks.contains("inode_init_security_anon")
        default: true
        }
    }

    /// Whether what the hook says is what happens.
    private func obeys(_ vector: PathVector) -> Bool {
        // mm_access lets holders of CAP_PERFMON pass there, whatever the hook said.
        vector != .pageOut || !profile.perfmonReads
    }

    private func expectedGain(
        _ before: PathResult, _ vector: PathVector, _ mode: String, _ known: Bool
    ) -> Bool {
        guard mode == "deny", known, obeys(vector),
            let action = VectorNumber(vector.reportedID).flatMap(EnforcedVector.of)?.usual
        else { return before.outcome.isGain }
        return action == .deny ? false : before.outcome.isGain
    }

    private func send(
        _ played: PlayedAttack, _ vector: PathVector, _ mode: String, _ tier: EnforcementTier?,
        _ books: Books?
    ) {
        let target =
            vector.isSimulated ? "application" : vector.isOnMachine ? "machine" : "process"
        host.verdict(
            played, id: vector.rawValue, delivery: "environ", enforcement: mode, target: target,
            tier: tier, books: books, isSimulated: vector.isSimulated)
    }
}

/// One hostage that waits and one that uses its secret.
struct HostagePair {
    let idle: Hostage
    let busy: Hostage
}

/// The hostages of one sweep: started when they are asked for, and kept until they are spoilt.
struct Hostages {
    let seed: UInt64
    let first: UInt64
    private var idle: Hostage?
    private var busy: Hostage?

    init(seed: UInt64, first: UInt64) {
        self.seed = seed
        self.first = first
    }

    /// Nil when one could not be started or enrolled.
    mutating func pair(enrolling enrol: (pid_t) -> Bool = { _ in true }) -> HostagePair? {
        if idle == nil {
            idle = Hostage(Needle(seed: seed, index: first))
            guard let idle, enrol(idle.pid) else { return nil }
        }
        if busy == nil {
            busy = Hostage(Needle(seed: seed, index: first + 1))
            guard let busy, enrol(busy.pid) else { return nil }
            _ = busy.obey("use")
        }
        guard let idle, let busy else { return nil }
        return HostagePair(idle: idle, busy: busy)
    }

    mutating func replaceIdle() {
        idle?.end()
        idle = nil
    }

    mutating func end() {
        replaceIdle()
        busy?.end()
        busy = nil
    }
}

extension PathVector {
    /// Whether the process is traced or dead afterwards, or has children.
    var spoils: Bool {
        switch self {
        case .traceMe, .forkedChild, .sharedMemoryTask, .signalForCore, .coreToPipe: true
        default: false
        }
    }
}

extension AttackOutcome {
    /// Whether the attacker got something.
    var isGain: Bool {
        switch self {
        case .leaked, .controlled, .changed, .informed, .passed: true
        case .refused, .absent, .unavailable: false
        }
    }
}

extension PlayedAttack {
    fileprivate init(_ vector: PathVector, _ result: PathResult, _ pair: HostagePair) {
        self.init(
            name: "\(vector)", reportedID: vector.reportedID, outcome: result.outcome,
            errorNumber: result.errorNumber, detail: result.detail)
        switch vector {
        case .traceMe, .userFault, .ring: actors = [pair.idle.pid]
        // modprobe, which the kernel starts.
        case .moduleAutoload: actors = []
        default: break
        }
        if !vector.isOnMachine { targets = result.target.map { [$0] } ?? pair.all }
        calls = Self.callCounts[vector] ?? (1, 1)
        // Before 6.6 each file that tracefs makes for a probe is asked about.
        asksAgain = vector == .traceUserProbe || vector == .traceKernelProbe
    }

    private static let callCounts: [PathVector: (detect: Int, deny: Int)] = [
        // core_pattern is written, and written back.
        .coreToPipe: (2, 1)
    ]
}

extension HostagePair {
    fileprivate var all: Set<pid_t> { [idle.pid, busy.pid] }
}
