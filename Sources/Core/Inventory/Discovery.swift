// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat

/// Every place where workloads have credentials from the cluster's own store or in plain sight.
package struct Discovery: Sendable {
    package struct Entry: Sendable {
        package let workload: Workload
        package let use: SecretUse
        /// Who keeps the Secret up to date, as far as that was read.
        package let manager: SecretManager?

        package var finding: Finding {
            let keys = use.keys.isEmpty ? "" : " (\(use.keys.joined(separator: ", ")))"
            let managed = manager.map { ", kept by \($0.rawValue)" } ?? ""
            return Finding(
                id: use.finding, object: workload.object.reference, container: use.container,
                path: use.path,
                message: "\(use.finding.title): \(use.subject)\(keys)\(managed)",
                source: workload.object.source)
        }
    }

    /// In the order of what was read; a controller's pods are not told again.
    package let entries: [Entry]
    /// Of objects that run no containers, and of annotations.
    package let findings: [Finding]
    package let workloadCount: Int
    package let unread: [UnreadObject]
    package let objectCount: Int
    /// Earlier versions without replicas, which are not counted.
    package let retiredCount: Int

    package init(_ inventory: Inventory) {
        let managers = Self.managers(in: inventory)
        let looked = inventory.originals
        entries = looked.flatMap { workload in
            workload.uses.map { use in
                let namespace = workload.object.namespace
                let source =
                    SecretUse.ofSecrets.contains(use.finding)
                    ? inventory.sources.target(of: use.subject, namespace)?.manager : nil
                return Entry(
                    workload: workload, use: use,
                    manager: managers["\(namespace)/\(use.subject)"] ?? source)
            }
        }
        findings = inventory.findings()
        workloadCount = looked.count
        unread = inventory.unread
        objectCount = inventory.objectCount
        retiredCount = inventory.retiredCount
    }

    /// By the owner that a Secret names.
    private static func managers(in inventory: Inventory) -> [String: SecretManager] {
        inventory.secrets.reduce(into: [:]) { found, secret in
            let owners = secret.tree.value(at: "metadata", "ownerReferences")?.elements ?? []
            let kinds = owners.compactMap { $0["kind"]?.text }
            if let manager = kinds.lazy.compactMap(SecretManager.init(owner:)).first {
                found["\(secret.namespace)/\(secret.name)"] = manager
            }
        }
    }

    /// Whether something weighs as much as `threshold`.
    package func reaches(_ threshold: FindingSeverity) -> Bool {
        entries.contains { $0.use.finding.severity >= threshold }
            || findings.contains { $0.id.severity >= threshold }
    }
}

extension Discovery {
    package var json: JSONTree {
        [
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "Discovery",
            "objects": .number(String(objectCount)),
            "workloads": .number(String(workloadCount)),
            "retired": .number(String(retiredCount)),
            "uses": .array(entries.map(\.json)),
            "findings": .array(findings.map(\.json)),
            "unread": .array(unread.map(\.json)),
        ]
    }
}

extension Discovery.Entry {
    fileprivate var json: JSONTree {
        var tree = finding.json
        tree["subject"] = .string(use.subject)
        tree["keys"] = .array(use.keys.map { .string($0) })
        tree["converts"] = .string(use.conversion.word)
        if let reason = use.conversion.reason { tree["reason"] = .string(reason) }
        if let manager { tree["keptBy"] = .string(manager.rawValue) }
        return tree
    }
}

extension Finding {
    package var json: JSONTree {
        var tree: JSONTree = [
            "id": .string(id.rawValue), "severity": .string(id.severity.rawValue),
            "object": .string(object),
        ]
        if let container { tree["container"] = .string(container) }
        if !path.isEmpty { tree["path"] = .string(path) }
        tree["message"] = .string(message)
        tree["source"] = .string(source)
        tree["owner"] = .string(owner)
        tree["fingerprint"] = .string(fingerprint)
        return tree
    }
}

extension UnreadObject {
    package var json: JSONTree { ["source": .string(source), "reason": .string(reason)] }
}
