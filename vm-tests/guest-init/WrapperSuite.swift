// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// The real wrapper against the simulated vault behind a real TLS listener, attacked next to the
/// same application started the classic way.
struct WrapperSuite {
    private static let wrappedNeedle: UInt64 = 51
    private static let classicNeedle: UInt64 = 52
    private static let environNeedle: UInt64 = 53
    private static let tracedNeedle: UInt64 = 54
    private static let copiesNeedle: UInt64 = 61

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
        environ(pair)
        guarded(pair)
        core(pair)
        pair.wrapped.end()
        pair.classic.end()
        environDelivery()
    }

    private func failed(_ id: String, _ reason: String) {
        host.report(
            CaseResult(
                id: id, name: "set-up of the wrapper", observation: reason, expected: false,
                control: "not run", controlPassed: false))
    }

    /// Both applications, once both have shown that they hold their value.
    private func startPair(_ vault: GuestVault) -> (wrapped: Application, classic: Application)? {
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

    /// VM-MEM-07: the LSM program in the agent's place lets the wrapper trace, and nobody else.
    private func guarded(_ pair: (wrapped: Application, classic: Application)) {
        guard case .success(let program) = DenyPtrace.load() else {
            return failed("VM-MEM-07", "the LSM program did not load")
        }
        defer { program.unload() }
        guard program.protect(pair.wrapped.pid, tracer: pair.wrapped.wrapperPID),
            program.protect(pair.wrapped.wrapperPID)
        else { return failed("VM-MEM-07", "the LSM program's map refused the entry") }
        let control = pair.classic.attack(.ptraceInject)
        for (target, seen) in [
            ("wrapped", pair.wrapped.attack(.ptraceInject)),
            ("wrapper itself", pair.wrapped.attackWrapper(.ptraceInject)),
        ] {
            host.report(
                CaseResult(
                    id: "VM-MEM-07", name: "\(target): ptrace-inject with the LSM program",
                    observation: MemorySuite.describe(seen),
                    expected: seen.outcome == .refused && seen.errorNumber == EPERM,
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

    /// VM-MEM-13 and 04 for the wrapper: every copy in the machine lies in secret memory. The
    /// vault is ended first, and the boot has init_on_free=1, so that the pages of dead processes
    /// hold nothing.
    func copies() {
        guard let vault = GuestVault(seed: seed, needle: Self.copiesNeedle) else {
            return failed("VM-MEM-13", "the vault did not start")
        }
        let needle = Needle(seed: seed, index: Self.copiesNeedle)
        let started = Application(wrapped: needle, vault: vault, delivery: "splice")
        vault.kill()
        let other = Needle(seed: seed, index: Self.classicNeedle)
        guard let wrapped = started, wrapped.holdsNeedle, let classic = Application(classic: other)
        else { return failed("VM-MEM-13", "the applications did not start") }
        declare("application", wrapped.pid)
        declare("wrapper", wrapped.wrapperPID)
        host.await(marker: "wrapped")
        let seen = wrapped.attack(.kernelCore)
        let control = classic.attack(.kernelCore)
        host.report(
            CaseResult(
                id: "VM-MEM-04", name: "wrapped: kcore", observation: MemorySuite.describe(seen),
                expected: seen.outcome == .absent,
                control: "classic application: \(MemorySuite.describe(control))",
                controlPassed: control.outcome == .leaked))
        wrapped.end()
        classic.end()
        host.await(marker: "unwrapped")
    }

    /// Tells the host which page frames are a process's secret memory.
    private func declare(_ owner: String, _ pid: pid_t) {
        guard case .success(let mappings) = TargetProcess.mappings(of: pid) else { return }
        let frames = mappings.filter(\.isSecret).flatMap {
            TargetProcess.pageFrames(of: pid, in: $0.range)
        }
        let list = "[" + frames.map { String($0) }.joined(separator: ",") + "]"
        host.send([("type", .text("frames")), ("owner", .text(owner)), ("frames", .raw(list))])
    }

    /// The demonstration's attacks on both applications, for the host to print as its table.
    func demonstration() {
        guard let vault = GuestVault(seed: seed, needle: Self.wrappedNeedle) else {
            return failed("VM-MEM-01", "the vault did not start")
        }
        let pair = startPair(vault)
        vault.kill()
        guard let pair else { return }
        for vector in AttackVector.allCases {
            let classic = pair.classic.attack(vector)
            let wrapped = pair.wrapped.attack(vector)
            host.send([
                ("type", .text("attack")), ("vector", .text(vector.rawValue)),
                ("classic", .text(classic.outcome.rawValue)),
                ("cloudtaser", .text(wrapped.outcome.rawValue)),
            ])
        }
        pair.wrapped.end()
        pair.classic.end()
    }
}
