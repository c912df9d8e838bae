// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AttackPrograms
import Enforcement
import EnforcementEvents
@preconcurrency import Glibc
import LibbpfKernel
import Ports

/// The agent's programs against every attack that can be made here.
struct EnforcementSuite {
    private static let deliveries: [(delivery: String, index: UInt64)] = [
        ("splice", 81), ("environ", 82), ("file", 83),
    ]

    private static let modes: [(name: String, policy: EnforcementPolicy)] = [
        ("detect", .detecting), ("deny", .enforcing),
    ]

    let host: Host
    let seed: UInt64
    let profile: KernelProfile

    func run() {
        let working = EnforcementTier.denying.filter(works)
        guard let best = working.first else { return }
        let active = (TargetProcess.text("/sys/kernel/security/lsm") ?? "").contains("bpf")
        host.report(
            CaseResult(
                id: "VM-EBPF-01", name: "tier in use",
                observation: "\(best.word); bpf is \(active ? "" : "not ")in lsm=",
                expected: best == (active ? .lsm : .modifyReturn),
                control: "\(working.count) of \(EnforcementTier.denying.count) forms deny",
                controlPassed: working.count == (active ? EnforcementTier.denying.count : 1)))
        do throws(EnforcementFailure) {
            var guarded = try GuardedKernel(tier: best)
            run(&guarded)
        } catch {
            _ = failed("VM-EBPF-01", best.word, "\(error)")
        }
    }

    private func run(_ guarded: inout GuardedKernel) {
        for (delivery, index) in Self.deliveries {
            // Without memfd_secret the wrapper refuses this mode: WrapperSuite shows it.
            guard profile.hasSecretMemory || delivery == "environ" else { continue }
            sweep(delivery, index, &guarded)
        }
        KillSuite(host: host, seed: seed).run(&guarded)
    }

    // MARK: Tiers

    /// VM-EBPF-01: what the form of program denies, by attacking and by nothing else.
    private func works(_ tier: EnforcementTier) -> Bool {
        let active = (TargetProcess.text("/sys/kernel/security/lsm") ?? "").contains("bpf")
        let expected = tier == .lsm ? active : true
        guard let child = ChildProcess(["probe-wait"]), child.readLine() == "ready" else {
            return failed("VM-EBPF-01", "self-test of \(tier.word)", "no victim")
        }
        defer {
            kill(child.pid, SIGKILL)
            child.reap()
        }
        do throws(EnforcementFailure) {
            var guarded = try GuardedKernel(tier: tier)
            try guarded.set(.enforcing)
            let open = SelfTest.reads(child.pid)
            let found = guarded.enrol(child.pid)
            let closed = SelfTest.reads(child.pid)
            costs(guarded.kernel.programCosts(), tier)
            host.report(
                CaseResult(
                    id: "VM-EBPF-01", name: "self-test of \(tier.word)",
                    observation: "\(guarded.kernel.hooks.count) hooks attached, "
                        + "\(found.count) threads enrolled, the read is "
                        + (closed == EPERM ? "denied" : "not denied (\(closed))")
                        + ", expected \(expected ? "denied" : "not denied")",
                    expected: (closed == EPERM) == expected && found.count == 1,
                    control: "before the enrolment the same read gives \(open)",
                    controlPassed: open == 0))
            return closed == EPERM
        } catch {
            return failed("VM-EBPF-01", "self-test of \(tier.word)", "\(error)")
        }
    }

    private func failed(_ id: String, _ name: String, _ why: String) -> Bool {
        host.report(
            CaseResult(
                id: id, name: name, observation: why, expected: false, control: "",
                controlPassed: true))
        return false
    }

    /// For bpf/verifier-baseline.csv.
    private func costs(
        _ costs: [(section: String, verified: UInt32, bytes: UInt32)], _ tier: EnforcementTier
    ) {
        for cost in costs where cost.bytes > 0 {
            host.send([
                ("type", .text("program")), ("section", .text(cost.section)),
                ("verified", .number(Int(cost.verified))), ("bytes", .number(Int(cost.bytes))),
            ])
        }
    }

    // MARK: Every vector

    private func sweep(_ delivery: String, _ index: UInt64, _ guarded: inout GuardedKernel) {
        guard let vault = GuestVault(seed: seed, needle: index) else {
            return host.console("enforcement: the vault did not start")
        }
        let needle = Needle(seed: seed, index: index)
        let started = Application(
            wrapped: needle, vault: vault, delivery: delivery,
            more: profile.hasSecretMemory ? [] : ["CLOUDTASER_MINIMUM_TIER=locked"])
        // The vault's own copy must not be what a search of the machine finds.
        vault.kill()
        guard let application = started, application.holdsNeedle else {
            return host.console("enforcement: the application did not start")
        }
        defer { application.end() }
        // Known before, so that an attack need not look at the maps first: that is another vector.
        let layouts = [application.wrapperPID, application.pid].map(Self.layout)
        for (mode, policy) in Self.modes {
            do throws(EnforcementFailure) {
                try guarded.set(policy)
                sweep(application, needle, layouts, &guarded, delivery, mode)
            } catch {
                _ = failed("VM-EBPF-01", "\(mode), \(delivery)", "\(error)")
            }
        }
    }

    private func sweep(
        _ application: Application, _ needle: Needle, _ layouts: [[TargetMapping]?],
        _ guarded: inout GuardedKernel, _ delivery: String, _ mode: String
    ) {
        let targets = [("wrapper", application.wrapperPID), ("application", application.pid)]
        guard !guarded.enrol(application.wrapperPID, role: .wrapper).isEmpty,
            !guarded.enrol(application.pid).isEmpty
        else {
            _ = failed("VM-EBPF-01", "\(mode), \(delivery)", "the enrolment found no thread")
            return
        }
        var judge = BooksJudge(mode: mode)
        for ((target, pid), layout) in zip(targets, layouts) {
            for vector in AttackVector.allCases where plays(vector, target, delivery) {
                guarded.openBooks()
                let report = Attack(pid: pid, needle: needle, layout: layout).run(vector)
                let books = guarded.closeBooks()
                let played = PlayedAttack(
                    report, targets: vector.isOnMachine ? [] : [pid],
                    calls: Self.calls(of: report, delivery, target))
                judge.look(at: books, played)
                host.verdict(
                    played, id: vector.catalogueID, delivery: delivery, enforcement: mode,
                    target: target, tier: guarded.kernel.tier, books: books)
            }
        }
        host.report(
            CaseResult(
                id: "VM-EBPF-01", name: "events, \(mode), \(delivery), \(guarded.kernel.tier.word)",
                observation: judge.observation, expected: judge.wrong.isEmpty,
                control: judge.controlText, controlPassed: judge.controlPassed))
    }

    /// How many calls of the attack a hook judges, where that is known: one event each. What is let
    /// through may be judged again when it is used.
    private static let callCounts: [AttackVector: (detect: Int, deny: Int)] = [
        .environ: (1, 1), .memory: (1, 1), .taskFiles: (2, 2), .layout: (1, 1),
        .activity: (2, 1), .compareDescriptors: (1, 1), .connectionTheft: (1, 1),
        .ptracePeek: (1, 1), .seizeInject: (1, 1), .coreLimit: (1, 1), .corePattern: (2, 2),
        .kernelCore: (1, 1),
    ]

    private static func calls(
        of report: AttackReport, _ delivery: String, _ target: String
    ) -> (detect: Int, deny: Int)? {
        // The attack ends with its first file, the environment, when the secret is in there.
        if report.vector == .taskFiles, report.outcome == .leaked, delivery == "environ",
            target == "application"
        {
            return (1, 1)
        }
        return callCounts[report.vector]
    }

    private func plays(_ vector: AttackVector, _ target: String, _ delivery: String) -> Bool {
        if vector == .coreDump { return false }
        if vector.isOnMachine || vector == .connectionTheft {
            guard target == "application" else { return false }
        }
        // A search of all memory finds what the vault left, unless freed pages are zeroed.
        let zeroes = Guest.parameter("init_on_free") == "1"
        return vector != .kernelCore || zeroes || delivery == "environ"
    }

    private static func layout(of pid: pid_t) -> [TargetMapping]? {
        guard case .success(let mappings) = TargetProcess.mappings(of: pid) else { return nil }
        return mappings
    }
}

extension PlayedAttack {
    init(
        _ report: AttackReport, targets: Set<pid_t>, calls: (detect: Int, deny: Int)?
    ) {
        self.init(
            name: report.vector.rawValue, reportedID: report.vector.reportedID,
            outcome: report.outcome, errorNumber: report.errorNumber, detail: report.detail,
            targets: targets, calls: calls)
    }
}
