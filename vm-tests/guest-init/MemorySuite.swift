// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AttackPrograms
import CLinux
@preconcurrency import Glibc
import SecretMemory

/// VM-MEM-01 to 07 and 12, LIM-ENV-01, LIM-WRITE-01: root attacks a process that holds a needle in
/// a SecretBuffer and another in a page of the ordinary kind.
///
/// Where the kernel has no secret memory the buffer is of tier `locked`, and then the same attacks
/// are expected to succeed: the fallback must never look like the real thing.
struct MemorySuite {
    private static let secretNeedle: UInt64 = 1
    private static let lockedNeedle: UInt64 = 2
    private static let heldNeedle: UInt64 = 3
    private static let memfdNeedle: UInt64 = 4
    private static let injectedNeedle: UInt64 = 5
    private static let environmentNeedle: UInt64 = 6

    let host: Host
    let seed: UInt64
    let profile: KernelProfile

    func run() {
        guard
            let victim = Victim(
                seed: seed, [(.secret, Self.secretNeedle), (.locked, Self.lockedNeedle)])
        else { return failed("VM-MEM-01", "the victim did not start") }
        tier(victim)
        scans(victim)
        guard
            let holder = Victim(seed: seed, [(.held, Self.heldNeedle), (.memfd, Self.memfdNeedle)])
        else { return failed("VM-MEM-05", "the victim did not start") }
        descriptors(victim, holder)
        guard let injected = Victim(seed: seed, [(.secret, Self.injectedNeedle)])
        else { return failed("VM-MEM-07", "the victim did not start") }
        injection(victim, holder, injected)
        limits(injected)
        for process in [victim, holder, injected] { process.kill() }
    }

    /// VM-MEM-12 alone, for boots with the kernel's defaults.
    func tierOnly() {
        guard let victim = Victim(seed: seed, [(.secret, Self.secretNeedle)]) else {
            return failed("VM-MEM-12", "the victim did not start")
        }
        tier(victim)
        victim.end()
    }

    private func failed(_ id: String, _ reason: String) {
        host.report(
            CaseResult(
                id: id, name: "set-up", observation: reason, expected: false, control: "not run",
                controlPassed: false))
    }

    /// VM-MEM-12: the tier is what the kernel gave, and a caller that insists is refused.
    func tier(_ victim: Victim) {
        let expected = profile.hasSecretMemory ? "memfd_secret" : "locked"
        var insisting = "granted"
        do throws(SecretMemoryFailure) {
            let buffer = try SecretBuffer(capacity: 64, minimumTier: .secret)
            insisting = buffer.tier.name
        } catch {
            insisting = "refused"
        }
        let insistingExpected = profile.hasSecretMemory ? "memfd_secret" : "refused"
        host.report(
            CaseResult(
                id: "VM-MEM-12", name: "tier reported", observation: "tier \(victim.tier)",
                expected: victim.tier == expected,
                control: "a buffer that requires memfd_secret: \(insisting)",
                controlPassed: insisting == insistingExpected))
    }

    /// VM-MEM-01 to 04.
    private func scans(_ victim: Victim) {
        let cases: [(String, AttackVector, Int32)] = [
            ("VM-MEM-01", .processVMReadv, EFAULT), ("VM-MEM-02", .memory, EIO),
            ("VM-MEM-03", .ptracePeek, EIO),
        ]
        for (id, vector, number) in cases {
            let seen = victim.attack(vector, on: .secret, needle: Self.secretNeedle)
            let control = victim.attack(vector, on: .locked, needle: Self.lockedNeedle)
            report(id, "\(vector.rawValue) as root", seen, .refused, number, control)
        }
        let whole = victim.attack(.processVMReadv, on: nil, needle: Self.secretNeedle)
        let wholeControl = victim.attack(.processVMReadv, on: nil, needle: Self.lockedNeedle)
        report("VM-MEM-01", "all mappings", whole, .refused, EFAULT, wholeControl)
        let core = victim.attack(.kernelCore, on: nil, needle: Self.secretNeedle)
        let coreControl = victim.attack(.kernelCore, on: nil, needle: Self.lockedNeedle)
        report("VM-MEM-04", "kcore as root", core, .absent, 0, coreControl)
    }

    /// VM-MEM-05 and 06.
    private func descriptors(_ victim: Victim, _ holder: Victim) {
        for vector in [AttackVector.descriptorOpen, .mapFiles] {
            let seen = holder.attack(vector, on: nil, needle: Self.heldNeedle)
            let control = holder.attack(vector, on: nil, needle: Self.memfdNeedle)
            guard profile.hasSecretMemory else { continue }
            report(
                "VM-MEM-05", "\(vector.rawValue) of memfd_secret", seen, .refused, ENXIO, control)
        }
        guard profile.hasSecretMemory else { return }
        let closed = victim.attack(.descriptorTheft, on: nil, needle: Self.secretNeedle)
        let kept = holder.attack(.descriptorTheft, on: nil, needle: Self.heldNeedle)
        report("VM-MEM-06", "descriptor closed, kept as control", closed, .refused, EBADF, kept)
        reportLimit("LIM-FD-01", "pidfd_getfd while a descriptor is open", kept, closed)
    }

    private typealias GuardedAttack = (String, AttackVector, RegionKind, UInt64, Victim)

    /// VM-MEM-07, and 01, 02, 03 and 06 with the agent's LSM programs.
    private func injection(_ victim: Victim, _ holder: Victim, _ injected: Victim) {
        let open = injected.attack(.ptraceInject, on: .secret, needle: Self.injectedNeedle)
        let vectors: [GuardedAttack] = [
            ("VM-MEM-07", .ptraceInject, .secret, Self.secretNeedle, victim),
            ("VM-MEM-03", .ptracePeek, .locked, Self.lockedNeedle, victim),
            ("VM-MEM-01", .processVMReadv, .locked, Self.lockedNeedle, victim),
            ("VM-MEM-02", .memory, .locked, Self.lockedNeedle, victim),
            ("VM-MEM-06", .descriptorTheft, .held, Self.heldNeedle, holder),
        ]
        let without = vectors.map { entry in
            entry.0 == "VM-MEM-07" ? open : entry.4.attack(entry.1, on: entry.2, needle: entry.3)
        }
        do throws(EnforcementFailure) {
            var program = try GuardedKernel.denying()
            guarded(&program, victim, holder, injected, zip(vectors, without).map { ($0, $1) })
        } catch {
            failed("VM-MEM-07", "the LSM programs did not load: \(error)")
        }
    }

    private func guarded(
        _ program: inout GuardedKernel, _ victim: Victim, _ holder: Victim, _ injected: Victim,
        _ attacks: [(GuardedAttack, AttackReport)]
    ) {
        if !program.enrol(injected.pid).isEmpty {
            let guarded = injected.attack(.ptraceInject, on: .secret, needle: Self.injectedNeedle)
            let open = attacks[0].1
            reportLimit("LIM-PTRACE-01", "system-call injection without the agent", open, guarded)
        }
        guard !program.enrol(victim.pid).isEmpty, !program.enrol(holder.pid).isEmpty else {
            return failed("VM-MEM-07", "the enrolment found no thread")
        }
        for (entry, control) in attacks {
            if entry.2 == .held && !profile.hasSecretMemory { continue }
            let before = program.denied
            let seen = entry.4.attack(entry.1, on: entry.2, needle: entry.3)
            let counted = program.denied > before
            let name = "\(entry.1.rawValue) with the LSM programs"
            // open(2) of /proc/PID/mem turns the programs' EPERM into EACCES on some kernels.
            let numbers = entry.1 == .memory ? [EPERM, EACCES] : [EPERM]
            let right =
                seen.outcome == .refused && numbers.contains(seen.errorNumber) && counted
            host.report(
                CaseResult(
                    id: entry.0, name: name, observation: Self.describe(seen), expected: right,
                    control: "without it: \(Self.describe(control))",
                    controlPassed: control.outcome == .leaked))
        }
    }

    /// LIM-ENV-01 and LIM-WRITE-01: what this step does not protect from.
    private func limits(_ injected: Victim) {
        if let classic = Victim(
            seed: seed, [(.locked, Self.lockedNeedle)], environment: Self.environmentNeedle)
        {
            let seen = classic.attack(.environ, on: nil, needle: Self.environmentNeedle)
            let other = injected.attack(.environ, on: nil, needle: Self.injectedNeedle)
            host.report(
                CaseResult(
                    id: "LIM-ENV-01", name: "environ as root", observation: Self.describe(seen),
                    expected: seen.outcome == .leaked,
                    control: "a secret not in the environment: \(Self.describe(other))",
                    controlPassed: other.outcome == .absent))
            classic.kill()
        } else {
            failed("LIM-ENV-01", "the victim did not start")
        }
        writeLimit(injected)
    }

    private func writeLimit(_ victim: Victim) {
        mkfifo(VictimProgram.pipePath, 0o600)
        let pipe = open(VictimProgram.pipePath, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        guard pipe >= 0 else { return failed("LIM-WRITE-01", "no pipe") }
        defer {
            close(pipe)
            unlink(VictimProgram.pipePath)
        }
        _ = victim.command("write")
        var arrived = [UInt8](repeating: 0, count: 4096)
        let count = read(pipe, &arrived, arrived.count)
        let needle = Needle(seed: seed, index: Self.injectedNeedle)
        let found = arrived.withUnsafeBytes { needle.occurrences(in: $0) }
        let spliced = victim.command("vmsplice").flatMap { Int($0) } ?? 0
        let refused = spliced == -Int(EFAULT)
        host.report(
            CaseResult(
                id: "LIM-WRITE-01", name: "write(2) from secret memory to a pipe",
                observation:
                    "\(count) bytes arrived, the needle \(found > 0 ? "is" : "is not") in them",
                expected: found > 0,
                control: "vmsplice of the same page: "
                    + (spliced < 0 ? SystemError.name(of: Int32(-spliced)) : "spliced")
                    + (profile.hasSecretMemory ? "" : " (tier locked)"),
                controlPassed: refused == profile.hasSecretMemory))
    }

    /// A leak that must show, and the same attack where it is stopped.
    private func reportLimit(
        _ id: String, _ name: String, _ seen: AttackReport, _ stopped: AttackReport
    ) {
        host.report(
            CaseResult(
                id: id, name: name, observation: Self.describe(seen),
                expected: seen.outcome == .leaked,
                control: "where it is stopped: \(Self.describe(stopped))",
                controlPassed: stopped.outcome == .refused))
    }

    /// On the fallback tier the attack must be seen to succeed.
    private func report(
        _ id: String, _ name: String, _ seen: AttackReport, _ outcome: AttackOutcome,
        _ number: Int32, _ control: AttackReport
    ) {
        let right =
            profile.hasSecretMemory
            ? seen.outcome == outcome && seen.errorNumber == number : seen.outcome == .leaked
        let scope = profile.hasSecretMemory ? "" : " (tier locked: the leak is expected)"
        host.report(
            CaseResult(
                id: id, name: name, observation: Self.describe(seen) + scope, expected: right,
                control: Self.describe(control), controlPassed: control.outcome == .leaked))
    }

    static func describe(_ report: AttackReport) -> String {
        let number = report.errorNumber == 0 ? "" : " \(SystemError.name(of: report.errorNumber))"
        return "\(report.outcome.rawValue)\(number) (\(report.detail))"
    }
}
