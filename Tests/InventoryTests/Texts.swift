// SPDX-License-Identifier: Apache-2.0
import Inventory
import Reporting

extension Audit {
    /// As a terminal shows it.
    var table: String {
        let run = AuditRun(time: "2026-11-27T10:00:00Z", tool: "t", command: "c", source: "s")
        return AuditDocument(AuditResult(self, run: run)).report.text()
    }
}

extension Discovery {
    var table: String { DiscoveryDocument(self).report.text() }
}
