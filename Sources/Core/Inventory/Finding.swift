// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

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
    case secretFilled = "CT1008"
    case certificateInSecret = "CT1009"
    case storeCredential = "CT1010"
    case secretPushed = "CT1011"
    case vaultReference = "CT1012"
    case secretInAnnotation = "CT1013"
    case credentialInAnnotation = "CT1014"
    case credentialInCommand = "CT1015"
    case accountToken = "CT1016"
    case unwrapped = "CT2001"
    case orphanedSecret = "CT2002"
    case nodeWithoutAgent = "CT2003"
    case nodesUnknown = "CT2004"
    case proxyInCluster = "CT2005"
    case vaultUndeclared = "CT2006"
    case vaultAway = "CT2007"
    case proxyUndeclared = "CT2008"
    case acceptanceOver = "CT2009"
    case acceptanceUnused = "CT2010"
    case webhookFailsOpen = "CT2011"
    case webhookMissing = "CT2012"
    case brokenReference = "CT2013"
    // What only `validate` finds; its words are in FindingID+Validation.swift.
    case podRefused = "CT3001"
    case annotationMisplaced = "CT3002"
    case annotationIdle = "CT3003"
    case selectorNeedsLabel = "CT3004"
    case namespaceLeftOut = "CT3005"
    case namespaceAnnotatedOnly = "CT3006"
    case injectionWarning = "CT3007"
    case policyMissing = "CT3008"
    case policyUnreadable = "CT3009"
    case policiesSeveral = "CT3010"
    case grantWithoutNamespace = "CT3011"
    case authoritiesMissing = "CT3012"
    case webhookIncomplete = "CT3013"
    case certificateEnding = "CT3014"
    case certificateOver = "CT3015"
    case operatorNotReady = "CT3016"
    case kernelWithoutSecretMemory = "CT3017"
    case kernelUnknown = "CT3018"
    case vaultRoleMissing = "CT3019"
    case vaultRoleElsewhere = "CT3020"
    case webhookDistrusted = "CT3021"

    package var severity: FindingSeverity {
        switch self {
        case .webhookFailsOpen, .webhookMissing, .vaultAway: .high
        case .vaultUndeclared, .acceptanceOver: .medium
        case .brokenReference: .low
        case .proxyUndeclared, .acceptanceUnused: .info
        case .credentialInPlainSight, .credentialInConfigMap, .credentialInAnnotation,
            .credentialInCommand, .unwrapped:
            .critical
        case .secretInEnvironment, .secretImported, .secretInAnnotation, .nodeWithoutAgent: .high
        case .secretVolume, .secretFilled, .certificateInSecret, .storeCredential, .secretPushed,
            .accountToken, .orphanedSecret, .nodesUnknown, .proxyInCluster:
            .medium
        case .registrySecret: .low
        case .secretStoreDriver, .vaultReference: .info
        default: ofValidation.severity
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
        case .secretFilled: "an object that copies values into a Secret"
        case .certificateInSecret: "a certificate whose private key is put into a Secret"
        case .storeCredential: "a Secret that a store or issuer is asked with"
        case .secretPushed: "a Secret that is copied to a store"
        case .vaultReference: "a reference to a vault, in a pod that does not ask"
        case .secretInAnnotation: "a Secret's values, again in its annotation"
        case .credentialInAnnotation: "what looks like a credential, in an annotation"
        case .credentialInCommand: "what looks like a credential, in a command"
        case .accountToken: "a token that does not expire"
        case .unwrapped: "a pod that asks for values and is not wrapped"
        case .orphanedSecret: "a Secret that nothing uses"
        case .nodeWithoutAgent: "a node without an agent that is ready"
        case .nodesUnknown: "pods and no node"
        case .proxyInCluster: "the S3 proxy runs in the cluster"
        case .vaultUndeclared: "nobody has declared where the vault is, and under whose law"
        case .vaultAway: "a vault that is sealed or not reached"
        case .proxyUndeclared:
            "the S3 proxy is not in the cluster, and nobody declared where it runs"
        case .acceptanceOver: "an acceptance whose time is over"
        case .acceptanceUnused: "an acceptance of what was not found"
        case .webhookFailsOpen: "the webhook lets pods through when it gives no answer"
        case .webhookMissing: "pods ask, and no webhook of the operator is there"
        case .brokenReference: "a reference to a Secret that is not there"
        default: ofValidation.title
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
        case .secretFilled:
            "A vault or a sealed text is the source, and the value lies in etcd all the same: "
                + "whoever reads the Secret, a backup of etcd or the API server's memory reads it."
        case .certificateInSecret:
            "The private key lies in etcd. What terminates TLS with it reads it from there."
        case .storeCredential:
            "Whoever reads this Secret asks the store for whatever that identity may read."
        case .secretPushed:
            "The value lies in etcd, and in the store that it is copied to: two places to keep."
        case .vaultReference:
            "Bank-Vaults' webhook takes such references, and so does CloudTaser's of pods that "
                + "ask. Without either the program gets the reference as its value."
        case .secretInAnnotation:
            "`kubectl apply` keeps what it was given, so that the values are in the annotation "
                + "too: in what lists metadata alone, and after the Secret was rotated."
        case .credentialInAnnotation:
            "Everybody who may read the object reads it, and many tools copy annotations. The "
                + "name or the shape of the value gave it away: it is a guess."
        case .credentialInCommand:
            "Everybody who may read the workload reads it, and on the node every process does, in "
                + "the list of processes. The name or the shape gave it away: it is a guess."
        case .accountToken:
            "The token lies in etcd and works until the Secret is deleted, from anywhere."
        case .unwrapped:
            "The webhook did not see the pod when it was created, or somebody let it past: what it "
                + "asked for does not happen."
        case .orphanedSecret:
            "The value lies in etcd for nobody. Whether somebody reads it through the API is not "
                + "seen in manifests."
        case .nodeWithoutAgent: "What is denied elsewhere is not denied on this node."
        case .nodesUnknown: "Which nodes lack an agent is not known: no Node was read."
        case .vaultUndeclared:
            "An address and a certificate do not say who controls a vault (limitation L-VAULT): "
                + "that is for somebody to declare, and to answer for."
        case .vaultAway:
            "While it is so, no wrapped container starts; what runs keeps the values it has."
        case .proxyUndeclared:
            "Where content is encrypted decides who sees it in the clear. A proxy outside the "
                + "cluster is not seen here; if there is none, declare that."
        case .acceptanceOver:
            "The finding that it was for counts again. Whoever accepted it did so until a day."
        case .acceptanceUnused:
            "It may be mended, or the acceptance names something that is called otherwise."
        case .webhookFailsOpen:
            "Its failurePolicy is not Fail: while the operator is away, pods that ask start "
                + "without the wrapper, and nobody is told."
        case .webhookMissing:
            "Nothing wraps the pods: the operator is not installed, or somebody took its "
                + "configuration away."
        case .brokenReference:
            "The container does not start, or starts without the value where the reference is "
                + "optional. It may also be that the Secret was deleted too early."
        case .proxyInCluster:
            "Content and keys are in the memory of the provider's machines while they pass through "
                + "the proxy (limitation L-PROXY): whoever reads that memory reads them. What the "
                + "store gets is ciphertext all the same."
        default: ofValidation.meaning
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
        case .secretFilled:
            "Let the workloads that use the Secret ask the vault (as for CT1001); then delete this "
                + "object and the Secret."
        case .certificateInSecret:
            "Where the program itself needs the key, let the vault's PKI issue it (pki/issue in "
                + "cloudtaser.io/secret-paths); otherwise accept it in writing."
        case .storeCredential:
            "Let the tool log in with its ServiceAccount (Kubernetes or JWT authentication)."
        case .secretPushed:
            "Write the value to the vault once, and let workloads ask for it; then delete both."
        case .vaultReference: "Set cloudtaser.io/inject and cloudtaser.io/vault-role on the pod."
        case .secretInAnnotation:
            "Delete the annotation (kubectl annotate secret NAME "
                + "kubectl.kubernetes.io/last-applied-configuration-) and rotate the value."
        case .credentialInAnnotation: "As for CT1006: move it to the vault, then rotate it."
        case .credentialInCommand:
            "Let the program read it from its environment or a file; then as for CT1006."
        case .accountToken:
            "Use the token that the kubelet projects and renews; delete the Secret."
        case .unwrapped: "Delete the pod: its controller makes another, which the webhook sees."
        case .orphanedSecret: "Delete it once nobody reads it through the API; rotate the value."
        case .nodeWithoutAgent: "Look at the agent's pod there, and at taints that keep it away."
        case .nodesUnknown: "Read nodes as well: kubectl get nodes,pods … -o json."
        case .vaultUndeclared:
            "Write vaults[].jurisdiction and declaredBy into a file and name it: "
                + "cloudtaser audit --declarations FILE."
        case .vaultAway: "Unseal it, or mend the way to it: docs/runbooks/vault-sealed.md."
        case .proxyUndeclared:
            "Write s3Proxy.placement (outside, inCluster, none) and declaredBy into the file of "
                + "--declarations."
        case .acceptanceOver: "Mend the finding, or have it accepted again until another day."
        case .acceptanceUnused: "Take it out of the file of --declarations."
        case .webhookFailsOpen:
            "Set failurePolicy: Fail; the operator's configuration is made so, and something has "
                + "changed it."
        case .webhookMissing: "Install the operator: docs/how-to/install.md."
        case .brokenReference: "Make the object, or take the reference out."
        case .proxyInCluster:
            "Run the proxy outside the provider's reach, next to the vault, where content must not "
                + "be in the clear on the provider's machines; otherwise accept it in writing."
        default: ofValidation.fix
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
    /// What stays when the object is made anew: the Deployment of a pod.
    package var owner: String

    package init(
        id: FindingID, object: String, container: String?, path: String, message: String,
        source: String, owner: String? = nil
    ) {
        self.id = id
        self.object = object
        self.container = container
        self.path = path
        self.message = message
        self.source = source
        self.owner = owner ?? object
    }

    /// The same for the same thing found again: in another pod of the same owner, at another place
    /// of the same container, on another line.
    package var fingerprint: String {
        StableHash.text([id.rawValue, owner, container ?? "", message].joined(separator: "\n"))
    }
}
