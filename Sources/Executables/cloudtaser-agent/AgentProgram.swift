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
    /// - Parameter pins: nil: nothing is taken over, and nothing stays.
    static func load(_ pins: PinFolder?) throws(EnforcementFailure) -> Loaded {
        if let pins, var kernel = try LibbpfKernel.adopted(from: pins) {
            var probe = LinuxAttackProbe()
            let findings = try SelfTest.runOnRunning(&kernel, &probe)
            return Loaded(kernel: kernel, findings: findings, hasHistory: true, isPinned: true)
        }
        let (tier, findings) = try best()
        return Loaded(
            kernel: try LibbpfKernel(tier: tier, succeeding: pins), findings: findings,
            hasHistory: pins?.hasOtherBuild ?? false, isPinned: false)
    }

    private static func best() throws(EnforcementFailure) -> (EnforcementTier, [VectorFinding]) {
        var failure = EnforcementFailure.notPermitted
        var best: (tier: EnforcementTier, findings: [VectorFinding])?
        for tier in EnforcementTier.allCases {
            do throws(EnforcementFailure) {
                let findings = try test(tier)
                if denied(findings) > denied(best?.findings ?? []) || best == nil {
                    best = (tier, findings)
                }
                // Nothing can be better than everything.
                if findings.allSatisfy({ $0.result != .notDenied }) { break }
            } catch { failure = error }
        }
        guard let best else { throw failure }
        return best
    }

    private static func denied(_ findings: [VectorFinding]) -> Int {
        findings.count { $0.result == .denied }
    }

    private static func test(
        _ tier: EnforcementTier
    ) throws(EnforcementFailure) -> [VectorFinding] {
        var kernel = try LibbpfKernel(tier: tier)
        var probe = LinuxAttackProbe()
        return try SelfTest.run(&kernel, &probe)
    }

    static func selfTest(json: Bool) -> Int32 {
        do throws(EnforcementFailure) {
            let (tier, findings) = try best()
            out(json ? SelfTestText.json(tier, findings) : SelfTestText.table(tier, findings))
            return findings.contains { $0.result == .notDenied } ? 1 : 0
        } catch {
            self.error(explain(error))
            return 1
        }
    }

    /// Ends the enforcement on this node: the one way to it, and root's to take.
    static func uninstall(_ pins: PinFolder) -> Int32 {
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
        let why =
            switch failure {
            case .notPermitted:
                "bpf(2) is not permitted. Run as root with CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN; "
                    + "kernels in lockdown, and some sandboxes, refuse tracing programs altogether."
            case .unsupported(let detail): "this kernel cannot load the programs: \(detail)"
            case .noSuchProcess: "the self-test's victim could not be started."
            case .full(let table): "the table \(table) is full."
            case .systemCall(let call, let number):
                "\(call): \(String(cString: strerror(number)))."
            }
        return "cloudtaser-agent: nothing is denied on this node: \(why)\n"
    }
}

enum SelfTestText {
    static func table(_ tier: EnforcementTier, _ findings: [VectorFinding]) -> String {
        var text = "tier: \(tier.word)\n"
        for finding in findings {
            let note =
                finding.result == .untested
                ? "  (errno \(finding.control) without protection too)" : ""
            text += "\(finding.vector)  \(finding.result.rawValue)\(note)\n"
        }
        let denied = findings.count { $0.result == .denied }
        let open = findings.count { $0.result == .notDenied }
        return text
            + "\(denied) denied, \(open) not denied, \(findings.count - denied - open) untested\n"
    }

    static func json(_ tier: EnforcementTier, _ findings: [VectorFinding]) -> String {
        let rows = findings.map {
            "{\"vector\":\"\($0.vector)\",\"result\":\"\($0.result.rawValue)\","
                + "\"controlErrno\":\($0.control)}"
        }.joined(separator: ",")
        return "{\"tier\":\"\(tier.word)\",\"vectors\":[\(rows)]}\n"
    }
}
