// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import Enforcement

/// What `self-test` prints.
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
        let killed = findings.count { $0.result == .killed }
        let open = findings.count { $0.result == .notDenied }
        let interrupted = findings.count { $0.result == .interrupted }
        let rest = findings.count - denied - killed - open - interrupted
        return text + "\(denied) denied, "
            + (killed > 0 ? "\(killed) not denied with the attacker killed, " : "")
            + (interrupted > 0 ? "\(interrupted) denied unless interrupted, " : "")
            + "\(open) not denied, \(rest) untested\n"
    }

    static func json(_ tier: EnforcementTier, _ findings: [VectorFinding]) -> String {
        let rows = findings.map {
            "{\"vector\":\"\($0.vector)\",\"result\":\"\($0.result.rawValue)\","
                + "\"controlErrno\":\($0.control)}"
        }.joined(separator: ",")
        return "{\"tier\":\"\(tier.word)\",\"vectors\":[\(rows)]}\n"
    }
}
