// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import AgentSelfTest
import AgentSockets
import Enforcement
import Glibc
import LibbpfKernel
import LinuxSystem
import Ports

enum AgentProgram {
    // Nobody who could be told is left when nobody reads.
    static func out(_ text: String) { _ = WholeWrite.write(text, to: STDOUT_FILENO) }
    static func error(_ text: String) { _ = WholeWrite.write(text, to: STDERR_FILENO) }

    /// The programs, in the kernel, and what the self-test showed of them.
    struct Loaded: ~Copyable {
        let kernel: LibbpfKernel
        let findings: [VectorFinding]
        /// An agent before this one had them running, or others with the same maps: workloads are
        /// enrolled, and records are numbered.
        let hasHistory: Bool
        /// They are pinned already.
        let isPinned: Bool

        consuming func intoKernel() -> LibbpfKernel { kernel }
    }

    /// Takes over what is pinned, or loads the form that the self-test shows to deny most.
    ///
    /// - Parameters:
    ///   - pins: nil: nothing is taken over, and nothing stays.
    ///   - wanted: the form to load, nil for the best.
    static func load(
        _ pins: PinFolder?, _ wanted: EnforcementTier?
    ) throws(EnforcementFailure) -> Loaded {
        if let pins, var kernel = try LibbpfKernel.adopted(from: pins) {
            // Taking a weaker form over in silence would be a downgrade that nobody asked for.
            var fitting = wanted ?? kernel.tier
            if wanted == nil, kernel.tier == .signal { fitting = try FormChoice.best().tier }
            guard kernel.tier == fitting else { throw .otherTier(kernel.tier) }
            var probe = LinuxAttackProbe()
            let findings = try SelfTest.runOnRunning(
                &kernel, &probe, isRacing: kernel.tier == .modifyReturn)
            return Loaded(kernel: kernel, findings: findings, hasHistory: true, isPinned: true)
        }
        let tested = try FormChoice.best(wanted)
        let (tier, findings) = (tested.tier, tested.findings)
        let hasHistory = pins?.hasOtherBuild ?? false
        // What was tested is what enforces, unless it has to go on with another build's maps.
        if !hasHistory, var kernel = tested.intoKernel() {
            try kernel.forgetSelfTest(of: SelfTest.enrolment)
            return Loaded(
                kernel: kernel, findings: findings, hasHistory: false, isPinned: false)
        }
        return Loaded(
            kernel: try LibbpfKernel(tier: tier, succeeding: pins), findings: findings,
            hasHistory: hasHistory, isPinned: false)
    }

    static func selfTest(json: Bool, _ wanted: EnforcementTier?) -> Int32 {
        do throws(EnforcementFailure) {
            let tested = try FormChoice.best(wanted)
            let (tier, findings) = (tested.tier, tested.findings)
            out(json ? SelfTestText.json(tier, findings) : SelfTestText.table(tier, findings))
            return findings.contains { $0.result.isOpen || $0.result == .killed } ? 1 : 0
        } catch {
            self.error(explain(error))
            return 1
        }
    }

    /// Ends the enforcement on this node: the one way to it, and root's to take.
    static func uninstall(_ pins: PinFolder) -> Int32 {
        // Programs may be pinned elsewhere, and go on.
        guard pins.exists else {
            self.error(
                "cloudtaser-agent: \(pins.fileSystem) is no BPF file system, and nothing was taken "
                    + "out. Name the one that `run` was given with --pins PATH.\n")
            return 1
        }
        do throws(EnforcementFailure) {
            try pins.removeAll()
            out("cloudtaser-agent: nothing is pinned in \(pins.fileSystem) any more\n")
            return 0
        } catch {
            self.error("cloudtaser-agent: \(error)\n")
            return 1
        }
    }

    static func explain(_ failure: EnforcementFailure) -> String {
        if case .otherTier(let tier) = failure {
            return "cloudtaser-agent: programs of the tier \(tier.word) are pinned and another one "
                + "is wanted. Say --tier \(tier.word), or take them out with `cloudtaser-agent "
                + "uninstall`: until the next start nothing is denied then.\n"
        }
        let why =
            switch failure {
            case .notPermitted:
                "bpf(2) is not permitted. Run as root with CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN; "
                    + "kernels in lockdown, and some sandboxes, refuse tracing programs altogether."
            case .unsupported(let detail): "this kernel cannot load the programs: \(detail)"
            case .noSuchProcess: "the self-test's victim could not be started."
            case .otherTier(let tier): "programs of the tier \(tier.word) are pinned."
            case .full(let table): "the table \(table) is full."
            case .systemCall(let call, let number):
                "\(call): \(String(cString: strerror(number)))."
            }
        return "cloudtaser-agent: nothing is denied on this node: \(why)\n"
    }
}
