// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
@preconcurrency import Glibc

extension WrapperSuite {
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
        classic.end()
        // One more copy, in ordinary memory: the search has to see it.
        let planted = Victim(seed: seed, [(.plain, Self.copiesNeedle)])
        host.await(marker: "planted")
        planted?.kill()
        wrapped.end()
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
