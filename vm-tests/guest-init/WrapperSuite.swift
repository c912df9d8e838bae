// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// The real wrapper against the simulated vault behind a real TLS listener, attacked next to the
/// same application started the classic way.
struct WrapperSuite {
    static let wrappedNeedle: UInt64 = 51
    static let classicNeedle: UInt64 = 52
    private static let environNeedle: UInt64 = 53
    private static let tracedNeedle: UInt64 = 54
    static let copiesNeedle: UInt64 = 61

    let host: Host
    let seed: UInt64
    let profile: KernelProfile

    /// What an attack on the wrapped application may come to.
    private struct Expectation {
        let id: String
        let vector: AttackVector
        let outcomes: [AttackOutcome]
        /// Error numbers a refusal may have; empty: any.
        let numbers: [Int32]
    }

    private static let expectations = [
        Expectation(
            id: "VM-MEM-01", vector: .processVMReadv, outcomes: [.refused], numbers: [EFAULT]),
        Expectation(id: "VM-MEM-02", vector: .memory, outcomes: [.refused], numbers: [EIO]),
        // EPERM: the wrapper is the application's tracer (follow strategy attached).
        Expectation(
            id: "VM-MEM-03", vector: .ptracePeek, outcomes: [.refused], numbers: [EIO, EPERM]),
        Expectation(id: "VM-MEM-05", vector: .mapFiles, outcomes: [.refused], numbers: [ENXIO]),
        Expectation(
            id: "VM-MEM-06", vector: .descriptorTheft, outcomes: [.refused], numbers: [EBADF]),
    ]

    func run() {
        guard profile.hasSecretMemory else { return fallback() }
        guard let vault = GuestVault(seed: seed, needle: Self.wrappedNeedle) else {
            return failed("VM-MEM-01", "the vault did not start")
        }
        defer { vault.kill() }
        guard let pair = startPair(vault) else { return }
        for expectation in Self.expectations {
            report(expectation, pair.wrapped.attack(expectation.vector), pair.classic, "wrapped")
            report(
                expectation, pair.wrapped.attackWrapper(expectation.vector), pair.classic,
                "wrapper itself")
        }
        tier(pair)
        environ(pair)
        guarded(pair)
        core(pair)
        pair.wrapped.end()
        pair.classic.end()
        environDelivery()
        notified()
    }

    func failed(_ id: String, _ reason: String) {
        host.report(
            CaseResult(
                id: id, name: "set-up of the wrapper", observation: reason, expected: false,
                control: "not run", controlPassed: false))
    }

    /// Both applications, once both have shown that they hold their value.
    func startPair(_ vault: GuestVault) -> (wrapped: Application, classic: Application)? {
        let needle = Needle(seed: seed, index: Self.wrappedNeedle)
        guard let wrapped = Application(wrapped: needle, vault: vault, delivery: "splice"),
            wrapped.holdsNeedle
        else {
            failed("VM-MEM-01", "the wrapped application did not get its value")
            return nil
        }
        let other = Needle(seed: seed, index: Self.classicNeedle)
        guard let classic = Application(classic: other), classic.holdsNeedle else {
            failed("VM-MEM-01", "the classic application did not start")
            wrapped.end()
            return nil
        }
        return (wrapped, classic)
    }

    private func report(
        _ expectation: Expectation, _ seen: AttackReport, _ classic: Application, _ target: String
    ) {
        // A descriptor or mapping attack has nothing to find in a classic application: the
        // control is a scan of its memory, which shows that the same attacker reaches it.
        let hasOwnControl = [.processVMReadv, .memory, .ptracePeek].contains(expectation.vector)
        let control = classic.attack(hasOwnControl ? expectation.vector : .memory)
        let right =
            expectation.outcomes.contains(seen.outcome)
            && (expectation.numbers.isEmpty || expectation.numbers.contains(seen.errorNumber))
        host.report(
            CaseResult(
                id: expectation.id, name: "\(target): \(expectation.vector.rawValue)",
                observation: MemorySuite.describe(seen), expected: right,
                control: "classic application: \(MemorySuite.describe(control))",
                controlPassed: control.outcome == .leaked))
    }

    /// VM-MEM-12: with the default settings both processes hold memory of the highest tier.
    private func tier(_ pair: (wrapped: Application, classic: Application)) {
        func secretMappings(_ pid: pid_t) -> Int {
            guard case .success(let mappings) = TargetProcess.mappings(of: pid) else { return -1 }
            return mappings.filter(\.isSecret).count
        }
        let wrapper = secretMappings(pair.wrapped.wrapperPID)
        let application = secretMappings(pair.wrapped.pid)
        let classic = secretMappings(pair.classic.pid)
        host.report(
            CaseResult(
                id: "VM-MEM-12", name: "tier under the wrapper",
                observation: "mappings of memfd_secret: wrapper \(wrapper), application "
                    + "\(application)",
                expected: wrapper > 0 && application > 0,
                control: "classic application: \(classic)", controlPassed: classic == 0))
    }

    /// LIM-ENV-01 with its control: splice delivery shows the name without the value.
    private func environ(_ pair: (wrapped: Application, classic: Application)) {
        let classic = pair.classic.attack(.environ)
        let wrapped = pair.wrapped.attack(.environ)
        let environment = TargetProcess.text("/proc/\(pair.wrapped.pid)/environ") ?? ""
        let placeholder = environment.split(separator: "\0").contains("\(Application.variable)=")
        host.report(
            CaseResult(
                id: "LIM-ENV-01", name: "classic application: environ",
                observation: MemorySuite.describe(classic), expected: classic.outcome == .leaked,
                control: "under splice delivery: \(MemorySuite.describe(wrapped))"
                    + (placeholder ? ", the name is there" : ", the name is missing"),
                controlPassed: wrapped.outcome == .absent && placeholder))
    }

    /// `environ` delivery by the wrapper is classic too, and must be seen to leak.
    private func environDelivery() {
        guard let vault = GuestVault(seed: seed, needle: Self.environNeedle) else {
            return failed("LIM-ENV-01", "the vault did not start")
        }
        defer { vault.kill() }
        let needle = Needle(seed: seed, index: Self.environNeedle)
        guard let application = Application(wrapped: needle, vault: vault, delivery: "environ"),
            application.holdsNeedle
        else { return failed("LIM-ENV-01", "environ delivery did not start") }
        let seen = application.attack(.environ)
        let other = Needle(seed: seed, index: Self.tracedNeedle)
        let control = Attack(pid: application.pid, needle: other).run(.environ)
        host.report(
            CaseResult(
                id: "LIM-ENV-01", name: "environ delivery by the wrapper",
                observation: MemorySuite.describe(seen), expected: seen.outcome == .leaked,
                control: "a value that was never delivered: \(MemorySuite.describe(control))",
                controlPassed: control.outcome == .absent))
        application.end()
    }

    /// VM-MEM-07: the agent's LSM programs let the wrapper trace, and nobody else.
    private func guarded(_ pair: (wrapped: Application, classic: Application)) {
        do throws(EnforcementFailure) {
            var program = try GuardedKernel.denying()
            guarded(pair, &program)
        } catch {
            failed("VM-MEM-07", "the LSM programs did not load: \(error)")
        }
    }

    private func guarded(
        _ pair: (wrapped: Application, classic: Application), _ program: inout GuardedKernel
    ) {
        guard Self.enrol(pair.wrapped, in: &program) else {
            return failed("VM-MEM-07", "the enrolment found no thread")
        }
        let control = pair.classic.attack(.ptraceInject)
        for (target, pid) in [
            ("wrapped", pair.wrapped.pid), ("wrapper itself", pair.wrapped.wrapperPID),
        ] {
            let before = program.denied
            let seen = Attack(pid: pid, needle: pair.wrapped.needle).run(.ptraceInject)
            // A traced application refuses a second tracer anyway: the programs must have counted.
            let counted = program.denied > before
            host.report(
                CaseResult(
                    id: "VM-MEM-07", name: "\(target): ptrace-inject with the LSM programs",
                    observation: MemorySuite.describe(seen),
                    expected: seen.outcome == .refused && seen.errorNumber == EPERM && counted,
                    control: "classic application: \(MemorySuite.describe(control))",
                    controlPassed: control.outcome == .leaked))
        }
    }

    /// VM-MEM-09. Ends both applications.
    private func core(_ pair: (wrapped: Application, classic: Application)) {
        let seen = pair.wrapped.attack(.coreDump)
        let control = pair.classic.attack(.coreDump)
        host.report(
            CaseResult(
                id: "VM-MEM-09", name: "wrapped: core after SIGSEGV",
                observation: MemorySuite.describe(seen),
                expected: seen.outcome == .absent || seen.outcome == .refused,
                control: "classic application: \(MemorySuite.describe(control))",
                controlPassed: control.outcome == .leaked))
    }

    /// Follow strategy notified: nothing traces the application, so system-call injection works
    /// on it and on the wrapper until the agent denies the attach.
    private func notified() {
        guard let vault = GuestVault(seed: seed, needle: Self.tracedNeedle) else {
            return failed("LIM-PTRACE-01", "the vault did not start")
        }
        defer { vault.kill() }
        let needle = Needle(seed: seed, index: Self.tracedNeedle)
        guard
            let application = Application(
                wrapped: needle, vault: vault, delivery: "splice",
                more: ["CLOUDTASER_FOLLOW=notified"]),
            application.holdsNeedle
        else { return failed("LIM-PTRACE-01", "strategy notified did not start") }
        defer { application.end() }
        let targets = [
            ("wrapped, notified", application.pid), ("wrapper itself", application.wrapperPID),
        ]
        let open = targets.map { Attack(pid: $0.1, needle: needle).run(.ptraceInject) }
        do throws(EnforcementFailure) {
            var program = try GuardedKernel.denying()
            guard Self.enrol(application, in: &program) else {
                return failed("VM-MEM-07", "the enrolment found no thread")
            }
            notified(zip(targets, open).map { ($0, $1) }, needle, &program)
        } catch {
            failed("VM-MEM-07", "the LSM programs did not load: \(error)")
        }
    }

    private static func enrol(
        _ application: Application, in program: inout GuardedKernel
    ) -> Bool {
        !program.enrol(application.wrapperPID, role: .wrapper).isEmpty
            && !program.enrol(application.pid).isEmpty
    }

    private func notified(
        _ targets: [((String, pid_t), AttackReport)], _ needle: Needle,
        _ program: inout GuardedKernel
    ) {
        for (target, without) in targets {
            let before = program.denied
            let guarded = Attack(pid: target.1, needle: needle).run(.ptraceInject)
            let stopped =
                guarded.outcome == .refused && guarded.errorNumber == EPERM
                && program.denied > before
            let leak = MemorySuite.describe(without)
            let denial = MemorySuite.describe(guarded)
            host.report(
                CaseResult(
                    id: "LIM-PTRACE-01", name: "\(target.0): injection without the agent",
                    observation: leak, expected: without.outcome == .leaked,
                    control: "with the LSM programs: \(denial)", controlPassed: stopped))
            host.report(
                CaseResult(
                    id: "VM-MEM-07", name: "\(target.0): injection with the LSM programs",
                    observation: denial, expected: stopped, control: "without it: \(leak)",
                    controlPassed: without.outcome == .leaked))
        }
    }
}
