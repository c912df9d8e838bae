// SPDX-License-Identifier: Apache-2.0

/// How much a finding weighs. An unknown word is refused, never taken for a small one.
package enum FindingSeverity: String, Sendable, CaseIterable, Comparable {
    case info, low, medium, high, critical

    package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? Self.allCases.count }
}

/// What can be found. Numbers are for ever: one that is given up is not used again.
package enum FindingID: String, Sendable, CaseIterable {
    case secretInEnvironment = "CT1001"
    case secretImported = "CT1002"
    case secretVolume = "CT1003"
    case registrySecret = "CT1004"
    case secretStoreDriver = "CT1005"
    case credentialInPlainSight = "CT1006"
    case credentialInConfigMap = "CT1007"
    case unwrapped = "CT2001"
    case orphanedSecret = "CT2002"
    case nodeWithoutAgent = "CT2003"
    case nodesUnknown = "CT2004"
    case proxyInCluster = "CT2005"

    package var severity: FindingSeverity {
        switch self {
        case .credentialInPlainSight, .credentialInConfigMap, .unwrapped: .critical
        case .secretInEnvironment, .secretImported, .nodeWithoutAgent: .high
        case .secretVolume, .orphanedSecret, .nodesUnknown, .proxyInCluster: .medium
        case .registrySecret: .low
        case .secretStoreDriver: .info
        }
    }

    package var title: String {
        switch self {
        case .secretInEnvironment: "a Secret's key in the environment"
        case .secretImported: "a whole Secret in the environment"
        case .secretVolume: "a Secret in a volume"
        case .registrySecret: "a Secret for a registry"
        case .secretStoreDriver: "a volume of the Secrets Store CSI driver"
        case .credentialInPlainSight: "what looks like a credential, in the manifest"
        case .credentialInConfigMap: "what looks like a credential, in a ConfigMap"
        case .unwrapped: "a pod that asks for values and is not wrapped"
        case .orphanedSecret: "a Secret that nothing uses"
        case .nodeWithoutAgent: "a node without an agent that is ready"
        case .nodesUnknown: "pods and no node"
        case .proxyInCluster: "the S3 proxy runs in the cluster"
        }
    }

    /// Why it matters.
    package var meaning: String {
        switch self {
        case .secretInEnvironment, .secretImported:
            "The value lies in etcd, and in the environment of the process, where root of the "
                + "node, the container's user and whatever dumps the environment read it."
        case .secretVolume:
            "The value lies in etcd, and in a file in the memory of the node that root of the node "
                + "and whoever can exec into the container read."
        case .registrySecret:
            "The credential lies in etcd. The kubelet hands it to the container runtime; no "
                + "container sees it."
        case .secretStoreDriver:
            "The value is not in etcd unless the class syncs it to a Secret; it lies in a file in "
                + "the memory of the node."
        case .credentialInPlainSight:
            "Everybody who may read the workload reads the value, and so does every copy of the "
                + "manifest. The name or the shape of the value gave it away: it is a guess."
        case .credentialInConfigMap:
            "ConfigMaps are not secret to anybody who may read them, and are rarely encrypted in "
                + "etcd. The key's name or the shape of the value gave it away: it is a guess."
        case .unwrapped:
            "The webhook did not see the pod when it was created, or somebody let it past: what it "
                + "asked for does not happen."
        case .orphanedSecret:
            "The value lies in etcd for nobody. Whether somebody reads it through the API is not "
                + "seen in manifests."
        case .nodeWithoutAgent: "What is denied elsewhere is not denied on this node."
        case .nodesUnknown: "Which nodes lack an agent is not known: no Node was read."
        case .proxyInCluster:
            "Content and keys are in the memory of the provider's machines while they pass through "
                + "the proxy (limitation L-PROXY): whoever reads that memory reads them. What the "
                + "store gets is ciphertext all the same."
        }
    }

    package var fix: String {
        switch self {
        case .secretInEnvironment, .secretImported, .credentialInPlainSight,
            .credentialInConfigMap:
            "Move the value to the vault and name it in cloudtaser.io/secret-paths and "
                + "cloudtaser.io/env-map; then rotate it, because copies remain."
        case .secretVolume:
            "Let the program read its environment, or set cloudtaser.io/delivery: file; then as "
                + "for CT1001."
        case .registrySecret:
            "Use the node's identity at the registry (kubelet credential provider)."
        case .secretStoreDriver: "See that the class has no secretObjects; or as for CT1003."
        case .unwrapped: "Delete the pod: its controller makes another, which the webhook sees."
        case .orphanedSecret: "Delete it once nobody reads it through the API; rotate the value."
        case .nodeWithoutAgent: "Look at the agent's pod there, and at taints that keep it away."
        case .nodesUnknown: "Read nodes as well: kubectl get nodes,pods … -o json."
        case .proxyInCluster:
            "Run the proxy outside the provider's reach, next to the vault, where content must not "
                + "be in the clear on the provider's machines; otherwise accept it in writing."
        }
    }
}

/// One finding, as it is told.
package struct Finding: Sendable, Equatable {
    package let id: FindingID
    /// `Deployment shop/web`.
    package let object: String
    package let container: String?
    package let path: String
    package let message: String
    package let source: String
}
