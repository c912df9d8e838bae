// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
internal import KubernetesPorts
internal import Protection

/// The cluster's `ProtectionReport` objects, as one look has read them, and how they are written.
struct StoredReports: Sendable {
    static let collection = ResourceCollection(
        group: "cloudtaser.io", version: "v1alpha1", resource: "protectionreports")

    private struct Place: Hashable {
        let namespace: String
        let name: String
    }

    private let api: any KubernetesAPI
    private var byWorkload: [ReportedWorkload.Key: JSONTree] = [:]
    /// Names that somebody has, whosever they are.
    private var taken: Set<Place> = []

    /// Reads all of them.
    init(api: any KubernetesAPI) async throws(KubernetesFailure) {
        self.api = api
        var continuation: String?
        repeat {
            let page = try await api.list(
                Self.collection, ObjectSelection(), limit: KubernetesLimits.pageItemsMax,
                continuation: continuation)
            for item in page.items { if let report = try? JSONTree(item) { add(report) } }
            continuation = page.continuation
        } while continuation != nil
    }

    private mutating func add(_ report: JSONTree) {
        guard let name = report.value(at: "metadata", "name")?.text,
            let workload = ProtectionReport.workload(of: report)
        else { return }
        taken.insert(Place(namespace: workload.namespace, name: name))
        // Of two about the same one, whichever has the name that it would get.
        let isUsual = name == ProtectionReport.name(of: workload)
        if isUsual || byWorkload[workload.key] == nil { byWorkload[workload.key] = report }
    }

    /// Whom reports are about.
    var workloads: [ReportedWorkload] {
        byWorkload.values.compactMap { ProtectionReport.workload(of: $0) }
    }

    /// Has the workload's report say this.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Returns: the report's name when its condition is another one now.
    mutating func keep(
        _ verdict: ProtectionVerdict, of workload: ReportedWorkload, at now: Int64
    ) async throws(KubernetesFailure) -> String? {
        var collection = Self.collection
        collection.namespace = workload.namespace
        let report: JSONTree
        if let stored = byWorkload[workload.key] {
            // The garbage collector is about to delete it; a new one is made when it has.
            guard !ProtectionReport.isOfAnEarlier(workload, stored) else { return nil }
            report = stored
        } else {
            report = try await create(workload, in: collection)
        }
        guard let name = report.value(at: "metadata", "name")?.text,
            let patch = ProtectionReport.patch(of: report, to: verdict, at: now)
        else { return nil }
        _ = try await api.patch(
            collection.object(name).status, .merge, patch.rendered(), WriteOptions())
        return Self.reason(report) == verdict.reason.rawValue ? nil : name
    }

    private mutating func create(
        _ workload: ReportedWorkload, in collection: ResourceCollection
    ) async throws(KubernetesFailure) -> JSONTree {
        let usual = ProtectionReport.name(of: workload)
        let isTaken = taken.contains(Place(namespace: workload.namespace, name: usual))
        let name = isTaken ? ProtectionReport.name(of: workload, isTaken: true) : usual
        taken.insert(Place(namespace: workload.namespace, name: name))
        let made = try await api.create(
            ProtectionReport.document(of: workload, named: name).rendered(), in: collection,
            WriteOptions())
        guard let tree = try? JSONTree(made) else {
            throw .responseMalformed(path: collection.object(name).path, detail: "no object")
        }
        return tree
    }

    private static func reason(_ report: JSONTree) -> String? {
        let all = report.value(at: "status", "conditions")?.elements ?? []
        return all.first { $0["type"]?.text == ProtectionReport.condition }?["reason"]?.text
    }
}
