// SPDX-License-Identifier: Apache-2.0
package import Injection
internal import KubernetesFormat

/// What was read of a cluster or of manifests, sorted by what it is.
package struct Inventory: Sendable {
    /// Objects that one scan looks at.
    package static let objectsMax = 200_000
    /// Namespaces of the cluster's own, which are left out unless others are named.
    package static let excludedNamespaces: Set = ["kube-system", "kube-public", "kube-node-lease"]

    package let workloads: [Workload]
    /// Pods, and templates of which no pod was read that may still run: what has ended says nothing
    /// of what a Job's or CronJob's next pod is. A Job that is over has no next one: its template
    /// is there only where none of its pods is.
    package let running: [Workload]
    let owners: Owners
    package let secrets: [ClusterObject]
    package let nodes: [ClusterObject]
    package let unread: [UnreadObject]
    package let objectCount: Int
    /// `namespace/name` of Secrets that something uses; `*/name` where it may be any namespace's.
    let secretsInUse: Set<String>
    /// `namespace/name` of ConfigMaps with credentials that a workload uses.
    let mapsInUse: Set<String>
    /// Secrets that objects of other tools fill.
    let sources: SecretSources
    /// Of objects that run no containers, and of annotations.
    private var placed: [(namespace: String, finding: Finding)] = []

    /// Whether these are all objects of a cluster, so that what is not among them is not there.
    package let isWholeCluster: Bool
    package let webhooks: [ClusterObject]
    package let policies: [ClusterObject]
    private let secretNames: Set<String>

    /// - Parameter isWholeCluster: read from the API of a cluster, in all namespaces. A dump with
    ///   nodes is taken for one, too.
    package init(
        _ objects: [ClusterObject], unread: [UnreadObject] = [], isWholeCluster: Bool = false
    ) {
        var workloads: [Workload] = []
        var broken = unread
        let sources = SecretSources(objects)
        let knowledge = Knowledge(objects, sources)
        let namespaces = Self.namespaces(in: objects)
        for object in objects {
            if var workload = Workload(object) {
                let name = object.namespace
                let namespace = namespaces[name] ?? NamespaceFacts(name: name)
                let asks = workload.asks ?? Workload.asks(namespace)
                workload.uses =
                    SecretUses(workload: workload, knowledge: knowledge, asks: asks).all
                workload.isProtected = asks || workload.containers.contains(where: \.isWrapped)
                if workload.isPod {
                    workload.bareContainers = StoredPod.bareContainers(
                        of: object.tree.rendered(), in: namespace)
                }
                workloads.append(workload)
            } else if Workload.runsContainers(object) {
                broken.append(UnreadObject(source: object.place, reason: "has no pod spec"))
            }
        }
        self.workloads = workloads
        running = Self.running(of: workloads)
        owners = Owners(workloads)
        self.unread = broken
        objectCount = objects.count
        secrets = objects.filter { $0.kind == "Secret" && $0.group.isEmpty }
        nodes = objects.filter { $0.kind == "Node" && $0.group.isEmpty }
        self.sources = sources
        self.isWholeCluster = isWholeCluster
        policies = objects.filter { $0.kind == "CloudTaserPolicy" }
        webhooks = objects.filter { $0.kind == "MutatingWebhookConfiguration" }
        secretNames = Set(secrets.map { "\($0.namespace)/\($0.name)" })
        secretsInUse = workloads.reduce(into: Self.references(in: objects)) { found, workload in
            for use in workload.uses where SecretUse.ofSecrets.contains(use.finding) {
                found.insert("\(workload.object.namespace)/\(use.subject)")
            }
        }
        mapsInUse = workloads.reduce(into: []) { found, workload in
            for use in workload.uses where use.finding == .credentialInConfigMap {
                found.insert("\(workload.object.namespace)/\(use.subject)")
            }
        }
        placed = ObjectFindings(self, objects).all(in: objects)
    }

    /// Whether it names a Secret or ConfigMap that is not there, as far as a dump of a cluster with
    /// any of these tells.
    func isBroken(_ use: SecretUse, _ namespace: String) -> Bool {
        guard isWholeCluster || !nodes.isEmpty, !use.subject.isEmpty else { return false }
        let place = "\(namespace)/\(use.subject)"
        return switch use.finding {
        case _ where SecretUse.ofSecrets.contains(use.finding):
            !secretNames.isEmpty && !secretNames.contains(place)
                && sources.target(of: use.subject, namespace) == nil
        default: false
        }
    }

    /// Of objects that run no containers, and of annotations; not of these namespaces.
    func findings(outside excluded: Set<String> = []) -> [Finding] {
        placed.filter { !excluded.contains($0.namespace) }.map(\.finding)
    }

    /// By a workload, or by something else that was read.
    func isUsed(secret name: String, _ namespace: String) -> Bool {
        secretsInUse.contains("\(namespace)/\(name)") || secretsInUse.contains("*/\(name)")
    }

    /// What Namespaces say of their pods; of one that was not read nothing is known.
    package static func namespaces(in objects: [ClusterObject]) -> [String: NamespaceFacts] {
        var found: [String: NamespaceFacts] = [:]
        for object in objects where object.kind == "Namespace" && object.group.isEmpty {
            let metadata = object.tree["metadata"] ?? .null
            found[object.name] = NamespaceFacts(
                name: object.name, labels: (metadata["labels"] ?? .null).texts,
                annotations: (metadata["annotations"] ?? .null).texts)
        }
        return found
    }

    /// What is known of Secrets and ConfigMaps: names of keys, and whether a value looks like a
    /// credential. No value is kept.
    struct Knowledge: Sendable {
        private var secretKeys: [String: [String]] = [:]
        private var credentials: [String: [String]] = [:]
        private let sources: SecretSources

        init(_ objects: [ClusterObject], _ sources: SecretSources) {
            self.sources = sources
            for object in objects where object.group.isEmpty {
                let place = "\(object.namespace)/\(object.name)"
                switch object.kind {
                case "Secret":
                    let names = ["data", "stringData"].flatMap { object.tree[$0]?.members ?? [] }
                    secretKeys[place] = Set(names.map(\.name)).sorted()
                case "ConfigMap":
                    credentials[place] = Self.credentials(in: object)
                default: break
                }
            }
        }

        /// nil: neither the Secret was read nor what fills it and says its keys.
        func keys(ofSecret name: String, _ namespace: String) -> [String]? {
            secretKeys["\(namespace)/\(name)"] ?? sources.target(of: name, namespace)?.keys
        }

        static func credentials(in map: ClusterObject) -> [String] {
            ["data", "binaryData"].flatMap { map.tree[$0]?.members ?? [] }.filter { member in
                let value = member.value.text ?? ""
                return CredentialNames.isCredential(name: member.name, value: value)
                    || CredentialFiles.haveCredential(value)
            }.map(\.name).sorted()
        }

        func credentials(inConfigMap name: String, _ namespace: String) -> [String] {
            credentials["\(namespace)/\(name)"] ?? []
        }

        func isCredential(
            inConfigMap name: String, _ key: String, _ namespace: String
        ) -> Bool { credentials(inConfigMap: name, namespace).contains(key) }
    }

    /// Of service accounts, ingresses, gateways, and what reads Secrets to ask a store.
    private static func references(in objects: [ClusterObject]) -> Set<String> {
        var found: Set<String> = []
        for object in objects {
            found.formUnion(StoreReferences.secrets(of: object))
            found.formUnion(OtherReferences.secrets(of: object))
            let lists: [(JSONTree?, String)] =
                switch object.kind {
                case "ServiceAccount":
                    [(object.tree["secrets"], "name"), (object.tree["imagePullSecrets"], "name")]
                case "Ingress": [(object.tree.value(at: "spec", "tls"), "secretName")]
                default: []
                }
            for (list, name) in lists {
                for entry in list?.elements ?? [] {
                    if let secret = entry[name]?.text {
                        found.insert("\(object.namespace)/\(secret)")
                    }
                }
            }
        }
        return found
    }

    /// Workloads that no other one that was read has made: not the ReplicaSet of a Deployment, not
    /// the pods of a ReplicaSet.
    package var originals: [Workload] {
        let read = Set(workloads.map(\.place))
        return workloads.filter { $0.controllerPlace.map(read.contains) != true && !$0.isRetired }
    }

    /// Those that are counted nowhere, of controllers that were not read.
    package var retiredCount: Int {
        let read = Set(workloads.map(\.place))
        return workloads.count { $0.isRetired && $0.controllerPlace.map(read.contains) != true }
    }

    private static func running(of workloads: [Workload]) -> [Workload] {
        // From pods to ReplicaSets to Deployments, Jobs to CronJobs; each place once, however long
        // a chain somebody has written.
        var above: [String: [String]] = [:]
        for workload in workloads {
            if let owner = workload.controllerPlace {
                above[workload.place, default: []] += [owner]
            }
        }
        var owners: Set<String> = []
        var open = workloads.filter { $0.isPod && !$0.isOver }.compactMap(\.controllerPlace)
        while let place = open.popLast() {
            if owners.insert(place).inserted { open += above[place] ?? [] }
        }
        let read = Set(workloads.map(\.place))
        let ended = Set(workloads.filter { $0.isPod && $0.isOver }.compactMap(\.controllerPlace))
        return workloads.filter { workload in
            if workload.isPod { return true }
            if workload.isRetired { return false }
            if workload.isOver, ended.contains(workload.place) { return false }
            return !owners.contains(workload.place)
                && workload.controllerPlace.map(read.contains) != true
        }
    }
}

/// Where a credential comes from that something else keeps up to date.
package enum SecretManager: String, Sendable {
    case externalSecrets = "External Secrets Operator"
    case sealedSecrets = "Sealed Secrets"
    case secretStoreDriver = "Secrets Store CSI driver"
    case certManager = "cert-manager"
    case vaultSecrets = "Vault Secrets Operator"
    case bankVaults = "Bank-Vaults"

    private static let owners: [String: SecretManager] = [
        "ExternalSecret": .externalSecrets, "ClusterExternalSecret": .externalSecrets,
        "SealedSecret": .sealedSecrets, "SecretProviderClass": .secretStoreDriver,
        "SecretProviderClassPodStatus": .secretStoreDriver, "Certificate": .certManager,
        "VaultStaticSecret": .vaultSecrets, "VaultDynamicSecret": .vaultSecrets,
        "VaultPKISecret": .vaultSecrets, "HCPVaultSecretsApp": .vaultSecrets,
    ]

    /// By the Secret's owner, or by what names it as its target.
    init?(owner kind: String) {
        guard let manager = Self.owners[kind] else { return nil }
        self = manager
    }
}
