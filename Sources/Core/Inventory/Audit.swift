// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// Which containers are protected, as the stored objects say it: what runs, an agent says.
///
/// Every container that was read is counted once, under one of four words; their sum is the total.
package struct Audit: Sendable {
    package enum Standing: String, Sendable, CaseIterable {
        /// Its command starts the wrapper.
        case protected
        case unprotected
        /// Of a namespace that is left out, or of a pod that has ended.
        case excluded
        /// Of an object that could not be read; each counts as one.
        case unreadable
    }

    package struct Row: Sendable {
        package let object: String
        /// The controller at the top: the Deployment of a pod; else the object.
        package let owner: String
        package let container: String
        package let standing: Standing
        /// Secrets of the cluster that it uses, or credentials in plain sight.
        package let useCount: Int
        /// Of a template that asks: it stands for pods that the webhook wraps once they are made.
        package let asksForWrapper: Bool
        package let note: String
    }

    package struct Node: Sendable, Equatable {
        package let name: String
        package let hasAgent: Bool
        /// Containers on it that are wrapped, and all that run.
        package let protectedCount: Int
        package let containerCount: Int
    }

    package let rows: [Row]
    package let findings: [Finding]
    package let unread: [UnreadObject]
    package let objectCount: Int
    /// Earlier versions without replicas, which are not counted.
    package let retiredCount: Int
    /// Each node that was read, and whether an agent is ready there.
    package let nodes: [Node]
    package let proxy: ProxyPlacement

    /// - Parameter excluded: namespaces that are left out, and counted as such.
    package init(
        _ inventory: Inventory, excluding excluded: Set<String> = Inventory.excludedNamespaces
    ) {
        let looked = inventory.running
        let owners = inventory.owners
        rows = looked.flatMap {
            Self.rows(of: $0, owner: owners.owner(of: $0), isExcluded: excluded)
        }
        unread = inventory.unread
        objectCount = inventory.objectCount
        retiredCount = inventory.retiredCount
        let coverage = Coverage(inventory)
        nodes = coverage.nodes
        proxy = ProxyPlacement(inventory)
        findings =
            looked.filter { !excluded.contains($0.object.namespace) && !$0.isOver }
            .flatMap { Self.findings(of: $0, owner: owners.owner(of: $0), inventory) }
            + WebhookState(inventory, excluding: excluded).findings
            + inventory.findings(outside: excluded) + Self.orphans(inventory, excluded)
            + coverage.findings + proxy.findings
    }

    package func count(_ standing: Standing) -> Int {
        standing == .unreadable ? unread.count : rows.count { $0.standing == standing }
    }

    package var total: Int { Standing.allCases.reduce(0) { $0 + count($1) } }

    package func reaches(_ threshold: FindingSeverity) -> Bool {
        findings.contains { $0.id.severity >= threshold }
    }

    // MARK: - Workloads

    private static func rows(
        of workload: Workload, owner: String, isExcluded: Set<String>
    ) -> [Row] {
        let isLeftOut = isExcluded.contains(workload.object.namespace)
        return workload.containers.map { container in
            let standing: Standing =
                isLeftOut || workload.isOver
                ? .excluded : container.isWrapped ? .protected : .unprotected
            return Row(
                object: workload.object.reference, owner: owner, container: container.name,
                standing: standing,
                useCount: workload.uses.count { $0.container == container.name },
                asksForWrapper: !workload.isPod && workload.asks == true,
                note: note(workload, container, isLeftOut))
        }
    }

    private static func note(
        _ workload: Workload, _ container: Workload.Container, _ isLeftOut: Bool
    ) -> String {
        if isLeftOut { return "namespace left out" }
        if workload.isOver { return "has ended" }
        if container.isWrapped { return "" }
        if container.installsWrapper { return "copies the wrapper, has no values" }
        if container.kind == .ephemeral { return "for debugging" }
        if workload.isPod { return workload.isBare(container) ? "asks, and is not wrapped" : "" }
        return workload.asks == true ? "asks: the webhook wraps its pods" : ""
    }

    private static func findings(
        of workload: Workload, owner: String, _ inventory: Inventory
    ) -> [Finding] {
        let missed =
            workload.bareContainers.isEmpty ? [] : [finding(.unwrapped, workload.object)]
        let used = workload.uses.map { use in
            Discovery.Entry(workload: workload, use: use, manager: nil).finding
        }
        let broken = workload.uses.filter { inventory.isBroken($0, workload.object.namespace) }
            .map { use in
                Finding(
                    id: .brokenReference, object: workload.object.reference,
                    container: use.container, path: use.path,
                    message: "\(FindingID.brokenReference.title): \(use.subject)",
                    source: workload.object.source)
            }
        return (missed + used + broken).map { finding in
            var finding = finding
            finding.owner = owner
            return finding
        }
    }

    private static func finding(_ id: FindingID, _ object: ClusterObject) -> Finding {
        Finding(
            id: id, object: object.reference, container: nil, path: "", message: id.title,
            source: object.source)
    }

    // MARK: - Secrets

    /// Types whose Secrets controllers and tools keep for themselves.
    private static let ownTypes: Set = [
        "helm.sh/release.v1", "kubernetes.io/service-account-token",
        "bootstrap.kubernetes.io/token",
    ]

    /// The webhook's certificate and key: the operator reads it through the API.
    private static func isOperators(_ secret: ClusterObject) -> Bool {
        let labels = secret.tree.value(at: "metadata", "labels")
        return labels?["app.kubernetes.io/managed-by"]?.text == "cloudtaser-operator"
            && labels?[Coverage.partOf]?.text == Coverage.product
    }

    private static func orphans(
        _ inventory: Inventory, _ excluded: Set<String>
    ) -> [Finding] {
        inventory.secrets.filter { secret in
            !excluded.contains(secret.namespace)
                && !ownTypes.contains(secret.tree["type"]?.text ?? "")
                && !isOperators(secret)
                && !inventory.isUsed(secret: secret.name, secret.namespace)
                // It would come back: what fills it is told itself.
                && inventory.sources.target(of: secret.name, secret.namespace) == nil
        }.map { finding(.orphanedSecret, $0) }
    }
}
