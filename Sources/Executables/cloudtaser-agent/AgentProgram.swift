// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentSelfTest
import AgentSockets
import Enforcement
import Glibc
import LibbpfKernel
import LinuxSystem
import Ports

enum AgentProgram {
    static func out(_ text: String) { fputs(text, stdout); fflush(stdout) }
    static func error(_ text: String) { fputs(text, stderr) }

    /// The form of program that the self-test shows to deny most, loaded, and what it showed.
    static func loadBest() throws(EnforcementFailure) -> (LoadedKernel, [VectorFinding]) {
        var failure = EnforcementFailure.notPermitted
        var best: (EnforcementTier, [VectorFinding])?
        for tier in EnforcementTier.allCases {
            do throws(EnforcementFailure) {
                let findings = try test(tier)
                if best.map({ denied(findings) > denied($0.1) }) ?? true { best = (tier, findings) }
                // Nothing can be better than everything.
                if findings.allSatisfy({ $0.result != .notDenied }) { break }
            } catch { failure = error }
        }
        guard let best else { throw failure }
        return (LoadedKernel(kernel: try LibbpfKernel(tier: best.0), tier: best.0), best.1)
    }

    struct LoadedKernel: ~Copyable {
        let kernel: LibbpfKernel
        let tier: EnforcementTier
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
            let (loaded, findings) = try loadBest()
            out(json ? SelfTestText.json(loaded.tier, findings) : SelfTestText.table(loaded.tier, findings))
            return findings.contains { $0.result == .notDenied } ? 1 : 0
        } catch {
            self.error(explain(error))
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
