// SPDX-License-Identifier: Apache-2.0
import AdmissionTrust
import KubernetesPorts
import Operator
import Ports

/// What one replica does for all.
struct LeaderDuties: Sendable {
    let uninjected: UninjectedPods
    /// nil: the policy is in a file.
    private let status: PolicyStatus?

    /// - Parameter namespace: the operator's own.
    init(
        _ cluster: ClusterAccess.Cluster, namespace: String, clock: any AsyncTimeSource,
        log: OperatorLog
    ) {
        uninjected = UninjectedPods(
            api: cluster.api, clock: clock, namespaces: cluster.mirroredNamespaces,
            excluded: [WebhookSettings.alwaysExcluded, namespace]
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
        status = cluster.mirroredPolicies.map { _ in
            PolicyStatus(api: cluster.api, clock: clock) { log.failure("policy_status", $0) }
        }
    }

    /// Until the task is cancelled or somebody else leads.
    func run(_ leadership: Leadership) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await uninjected.run(while: { leadership.isCurrent }) }
            if let status {
                group.addTask { await status.run(while: { leadership.isCurrent }) }
            }
        }
    }
}
