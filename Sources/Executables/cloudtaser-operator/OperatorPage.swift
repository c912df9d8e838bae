// SPDX-License-Identifier: Apache-2.0
import AdmissionServer
import Foundation
import MetricsFormat
import Operator

/// What the health port answers.
struct OperatorPage: Sendable {
    let metrics: AdmissionMetrics
    let images: ImageCommands
    let access: ClusterAccess
    let webhooks: AdmissionServer
    let identity: ServerIdentity
    /// nil: the certificate is in files.
    let certificate: OwnCertificate?
    /// nil: vaults are not asked.
    let vaults: VaultProbe?
    /// The Lease, and whether this replica holds it.
    let leads: @Sendable () -> (lease: String, Bool)
    /// nil: this replica does not count them.
    let uninjectedCount: @Sendable () -> Int?
    /// The same of workloads.
    let unprotectedCount: @Sendable () -> Int?

    func readiness(isStopping: Bool) -> ServedAnswer {
        guard !isStopping else { return ServedAnswer(503, "stopping") }
        let missing = access.missing
        guard missing.isEmpty else {
            return ServedAnswer(503, "not read yet: \(missing.joined(separator: ", "))")
        }
        if let obstacle = certificate?.obstacle { return ServedAnswer(503, obstacle) }
        return ServedAnswer(200, "ready")
    }

    func metricsAnswer() -> ServedAnswer {
        var page = MetricsPage()
        metrics.append(to: &page)
        images.append(to: &page)
        page.family(
            "cloudtaser_operator_policy_in_force", .gauge,
            "Whether there is one policy that can be used (1).",
            [([:], access.policies.policyState.obstacle == nil ? 1 : 0)])
        page.family(
            "cloudtaser_operator_connections", .gauge, "Connections to the webhooks.",
            [([:], Double(webhooks.connectionCount))])
        page.family(
            "cloudtaser_operator_buffered_bytes", .gauge,
            "Bodies of requests that are being received or answered.",
            [([:], Double(webhooks.bufferedBytes))])
        page.certificateExpiration(identity.validUntil)
        if let certificate { certificate.metrics.append(to: &page) }
        vaults?.append(to: &page)
        if let cluster = access.cluster { appendCluster(cluster, to: &page) }
        if let bytes = Self.residentBytes {
            page.family(
                "process_resident_memory_bytes", .gauge, "Resident memory size in bytes.",
                [([:], Double(bytes))])
        }
        return ServedAnswer(
            200, contentType: MetricsPage.contentType, Array(page.text.utf8))
    }

    private func appendCluster(_ cluster: ClusterAccess.Cluster, to page: inout MetricsPage) {
        let namespaces = cluster.mirroredNamespaces.mirror
        let policies = cluster.mirroredPolicies?.mirror
        func both(_ ofNamespaces: Int, _ ofPolicies: Int?) -> [([String: String], Double)] {
            let first = (["resource": "namespaces"], Double(ofNamespaces))
            return [first] + (ofPolicies.map { [(["resource": "policies"], Double($0))] } ?? [])
        }
        page.family(
            "cloudtaser_operator_lists_total", .counter, "Whole collections that were read.",
            both(namespaces.listCount, policies?.listCount))
        page.family(
            "cloudtaser_operator_watch_failures_total", .counter,
            "Calls that failed while a collection was followed.",
            both(namespaces.failureCount, policies?.failureCount))
        if let count = uninjectedCount() {
            page.family(
                "cloudtaser_operator_uninjected_pods", .gauge,
                "Pods that ask and have containers without the wrapper; the leader counts them.",
                [([:], Double(count))])
        }
        if let count = unprotectedCount() {
            page.family(
                "cloudtaser_operator_unprotected_workloads", .gauge,
                "Workloads with pods that are not known to be protected; the leader counts them.",
                [([:], Double(count))])
        }
        let (lease, leads) = leads()
        page.family(
            "leader_election_master_status", .gauge, "Whether this replica leads (1).",
            [(["name": lease], leads ? 1 : 0)])
    }

    private static var residentBytes: Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .ascii),
            let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
