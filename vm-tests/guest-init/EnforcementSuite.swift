import AgentPorts
// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import Enforcement
import EnforcementEvents
@preconcurrency import Glibc
import LibbpfKernel
import Ports

/// The agent's programs against every attack that can be made here.
struct EnforcementSuite {
    private static let deliveries: [(delivery: String, index: UInt64)] = [
        ("splice", 81), ("environ", 82),
    ]

    private static let modes: [(name: String, policy: EnforcementPolicy)] = [
        ("detect", .detecting), ("deny", .enforcing),
    ]

    let host: Host
    let seed: UInt64
    let profile: KernelProfile

    func run() {
        let working = EnforcementTier.allCases.filter(works)
        guard let best = working.first else { return }
        for (delivery, index) in Self.deliveries {
            // Without memfd_secret the wrapper refuses this mode: WrapperSuite shows it.
            guard profile.hasSecretMemory || delivery == "environ" else { continue }
            sweep(delivery, index, best)
        }
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

    private func sweep(_ delivery: String, _ index: UInt64, _ tier: EnforcementTier) {
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
        for (mode, policy) in Self.modes {
            do throws(EnforcementFailure) {
                var guarded = try GuardedKernel(tier: tier)
                try guarded.set(policy)
                sweep(application, needle, &guarded, delivery, mode)
            } catch {
                _ = failed("VM-EBPF-01", "\(mode), \(delivery)", "\(error)")
            }
        }
    }

    private func sweep(
        _ application: Application, _ needle: Needle, _ guarded: inout GuardedKernel,
        _ delivery: String, _ mode: String
    ) {
        let targets = [("wrapper", application.wrapperPID), ("application", application.pid)]
        let layouts = targets.map { Self.layout(of: $0.1) }
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
                judge.look(at: books, report, target: vector.isOnMachine ? nil : pid)
                send(report, delivery, mode, target)
            }
        }
        host.report(
            CaseResult(
                id: "VM-EBPF-01", name: "events, \(mode), \(delivery)",
                observation: judge.observation, expected: judge.wrong.isEmpty,
                control: judge.controlText, controlPassed: judge.controlPassed))
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

    /// Known before, so that an attack need not look at the maps first: that is another vector.
    private static func layout(of pid: pid_t) -> [TargetMapping]? {
        guard case .success(let mappings) = TargetProcess.mappings(of: pid) else { return nil }
        return mappings
    }

    private func send(
        _ report: AttackReport, _ delivery: String, _ enforcement: String, _ target: String
    ) {
        host.send([
            ("type", .text("verdict")), ("id", .text(report.vector.catalogueID)),
            ("vector", .text(report.vector.rawValue)), ("delivery", .text(delivery)),
            ("enforcement", .text(enforcement)), ("target", .text(target)),
            ("outcome", .text(report.outcome.rawValue)),
            ("errorName", .text(SystemError.name(of: report.errorNumber))),
            ("detail", .text(report.detail)),
        ])
    }
}

/// One read that root may make of any process.
enum SelfTest {
    /// 0, or the error number.
    static func reads(_ pid: pid_t) -> Int32 { opens("/proc/\(pid)/environ") }

    static func opens(_ path: String) -> Int32 {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        close(descriptor)
        return 0
    }
}

/// Whether the events say what happened.
struct BooksJudge {
    let mode: String
    private(set) var wrong: [String] = []
    private(set) var attempts: UInt64 = 0
    private(set) var records = 0
    private var vectors: Set<VectorNumber> = []
    private var quiet = 0

    init(mode: String) { self.mode = mode }

    /// How many calls of the attack a hook judges, where that is known: one event each. What is let
    /// through may be judged again when it is used.
    private static let calls: [AttackVector: (detect: Int, deny: Int)] = [
        .environ: (1, 1), .memory: (1, 1), .taskFiles: (2, 2), .layout: (1, 1),
        .activity: (2, 1), .compareDescriptors: (1, 1), .connectionTheft: (1, 1),
        .ptracePeek: (1, 1), .seizeInject: (1, 1), .coreLimit: (1, 1), .corePattern: (2, 2),
        .kernelCore: (1, 1),
    ]

    mutating func look(at books: Books, _ report: AttackReport, target: pid_t?) {
        let name = "\(report.vector.rawValue)"
        attempts += books.counts.values.reduce(0) { $0 + $1.attempts }
        records += books.records.count
        vectors.formUnion(books.records.map(\.vector))
        if books.records.isEmpty { quiet += 1 }
        if !books.isBalanced { wrong.append("\(name): the books do not balance (\(books.text))") }
        for record in books.records {
            if record.actor.group != getpid() { wrong.append("\(name): actor \(record.actor)") }
            if let target, let seen = record.target, seen.group != target {
                wrong.append("\(name): target \(seen.group) and not \(target)")
            }
            let denies = EnforcementPolicy.enforcing[record.vector] == .deny && mode == "deny"
            if (record.verdict == .denied) != denies {
                wrong.append("\(name): \(record.vector) is \(record.verdict.rawValue)")
            }
        }
        if report.outcome == .refused, report.errorNumber == EPERM, mode == "deny",
            !books.records.contains(where: { $0.verdict == .denied })
        {
            wrong.append("\(name): EPERM without an event (\(report.detail))")
        }
        guard let reported = VectorNumber(report.vector.reportedID),
            let calls = Self.calls[report.vector], report.outcome != .unavailable
        else { return }
        let own = books.records(of: reported).count
        let expected = mode == "deny" ? calls.deny : calls.detect
        if own != expected {
            wrong.append("\(name): \(own) events \(reported) and not \(expected)")
        }
    }

    var observation: String {
        "\(attempts) attempts on \(vectors.count) vectors, \(records) records"
            + (wrong.isEmpty ? "" : "; wrong: " + wrong.prefix(12).joined(separator: "; "))
    }

    /// cmdline is readable for everybody and no hook's business.
    var controlText: String { "\(quiet) attacks that no hook knows give no event" }
    var controlPassed: Bool { quiet > 0 }
}
