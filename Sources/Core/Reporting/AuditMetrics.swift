// SPDX-License-Identifier: Apache-2.0
internal import Inventory

/// The last audit for Prometheus (text format 0.0.4), for node-exporter's textfile collector or a
/// Pushgateway.
package enum AuditMetrics {
    /// - Parameters:
    ///   - seconds: since 1970, of a run that read everything.
    package static func text(
        _ result: AuditResult, regressions: Int, at seconds: Int64
    ) -> String {
        var lines = [
            "# HELP cloudtaser_audit_containers Containers by standing; their sum is all.",
            "# TYPE cloudtaser_audit_containers gauge",
        ]
        lines += Audit.Standing.allCases.map {
            "cloudtaser_audit_containers{standing=\"\($0.rawValue)\"} \(result.audit.count($0))"
        }
        lines += [
            "# HELP cloudtaser_audit_findings Findings by severity, accepted ones not counted.",
            "# TYPE cloudtaser_audit_findings gauge",
        ]
        lines += FindingSeverity.allCases.map { severity in
            let count = result.findings.count { $0.id.severity == severity }
            return "cloudtaser_audit_findings{severity=\"\(severity.rawValue)\"} \(count)"
        }
        lines += [
            "# HELP cloudtaser_audit_regressions What is worse than in the baseline.",
            "# TYPE cloudtaser_audit_regressions gauge",
            "cloudtaser_audit_regressions \(regressions)",
            "# HELP cloudtaser_audit_unread Objects and kinds that could not be read.",
            "# TYPE cloudtaser_audit_unread gauge",
            "cloudtaser_audit_unread \(result.audit.unread.count)",
            "# HELP cloudtaser_audit_last_run_timestamp_seconds When it ran, complete or not.",
            "# TYPE cloudtaser_audit_last_run_timestamp_seconds gauge",
            "cloudtaser_audit_last_run_timestamp_seconds \(seconds)",
        ]
        if result.audit.unread.isEmpty {
            lines += [
                "# HELP cloudtaser_audit_last_success_timestamp_seconds When all was read.",
                "# TYPE cloudtaser_audit_last_success_timestamp_seconds gauge",
                "cloudtaser_audit_last_success_timestamp_seconds \(seconds)",
            ]
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
