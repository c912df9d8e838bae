// SPDX-License-Identifier: Apache-2.0
import AdmissionTrust
import KubernetesPorts
import NodeAgentHTTP
import Operator
import Ports
import Protection
import ServerProcess

/// What one replica does for all.
struct LeaderDuties: Sendable {
    let uninjected: UninjectedPods
    let reports: ProtectionReports
    /// nil: vaults are not asked.
    let vaults: VaultProbe?
    /// nil: the policy is in a file.
    private let status: PolicyStatus?

    /// - Parameters:
    ///   - namespace: the operator's own.
    ///   - reportEvery: from one look at the agents to the next.
    init(
        _ cluster: ClusterAccess.Cluster, namespace: String, vaults: VaultProbe?,
        reportEvery: Duration, clock: any AsyncTimeSource, log: ProgramLog
    ) {
        self.vaults = vaults
        let excluded: Set = [WebhookSettings.alwaysExcluded, namespace]
        uninjected = UninjectedPods(
            api: cluster.api, clock: clock, namespaces: cluster.mirroredNamespaces,
            excluded: excluded
        ) { report in
            switch report {
            case .unreadable(let failure): log.failure("pods", failure)
            case .notTold(let failure): log.failure("events", failure)
            case .found(let namespace, let pod):
                log.write(
                    .warning, "pod_not_injected",
                    "a pod asks for secrets, but starts without the wrapper",
                    [("namespace", namespace), ("pod", pod)])
            }
        }
        reports = ProtectionReports(
            api: cluster.api, agents: NodeAgentHTTP(), clock: clock,
            namespaces: cluster.mirroredNamespaces, namespace: namespace, excluded: excluded,
            lookEvery: reportEvery
        ) { report in
            switch report {
            case .failed(let failure): log.failure("protection_reports", failure)
            case .changed(let namespace, let name, let reason, let message):
                let isBad = reason.status != .holds && reason != .noPods
                log.write(
                    isBad ? .warning : .notice, "workload_protection", message,
                    [("namespace", namespace), ("report", name), ("reason", reason.rawValue)])
            }
        }
        status = cluster.mirroredPolicies.map { _ in
            PolicyStatus(api: cluster.api, clock: clock) { log.failure("policy_status", $0) }
        }
    }

    /// Until the task is cancelled or somebody else leads.
    func run(_ leadership: Leadership) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await uninjected.run(while: { leadership.isCurrent }) }
            group.addTask { await reports.run(while: { leadership.isCurrent }) }
            if let vaults {
                group.addTask { await vaults.run(while: { leadership.isCurrent }) }
            }
            if let status {
                group.addTask { await status.run(while: { leadership.isCurrent }) }
            }
        }
    }
}
