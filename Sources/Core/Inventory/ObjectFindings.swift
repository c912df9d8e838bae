// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// What is found in objects that run no containers, and in the annotations of all.
struct ObjectFindings {
    let inventory: Inventory
    private let namespaces: [ClusterObject]
    /// Objects that another one which was read has made, with what it says, and earlier versions.
    private let copies: Set<String>

    init(_ inventory: Inventory, _ objects: [ClusterObject]) {
        self.inventory = inventory
        namespaces = objects.filter { $0.kind == "Namespace" && $0.group.isEmpty }
        let read = Set(inventory.workloads.map(\.place))
        copies = Set(
            inventory.workloads.filter {
                $0.controllerPlace.map(read.contains) == true || $0.isRetired
            }.map(\.place))
    }

    /// In the order of what was read, each with its object's namespace.
    func all(in objects: [ClusterObject]) -> [(namespace: String, finding: Finding)] {
        objects.flatMap { object -> [(namespace: String, finding: Finding)] in
            let isCopy = copies.contains("\(object.namespace)/\(object.kind)/\(object.name)")
            guard !isCopy else { return [] }
            let found =
                targets(of: object) + stores(in: object) + core(object) + annotations(object)
            return found.map { (object.namespace, $0) }
        }
    }

    private func finding(
        _ id: FindingID, _ object: ClusterObject, _ path: String, _ detail: String
    ) -> Finding {
        Finding(
            id: id, object: object.reference, container: nil, path: path,
            message: "\(id.title): \(detail)", source: object.source)
    }

    /// What fills Secrets.
    private func targets(of object: ClusterObject) -> [Finding] {
        SecretSources.targets(of: object, namespaces).map { target in
            let names = target.keys ?? []
            let keys = names.isEmpty ? "" : " (\(names.joined(separator: ", ")))"
            let isUsed =
                target.namespace.map { inventory.isUsed(secret: target.name, $0) } ?? true
            let note = isUsed ? "" : ", which nothing that was read uses"
            return finding(
                target.manager == .certManager ? .certificateInSecret : .secretFilled, object, "",
                "\(target.namespace ?? "*")/\(target.name)\(keys), kept by "
                    + target.manager.rawValue + note)
        }
    }

    /// What a store is asked with, and what is copied there.
    private func stores(in object: ClusterObject) -> [Finding] {
        let id: FindingID = object.kind.hasSuffix("PushSecret") ? .secretPushed : .storeCredential
        return StoreReferences.secrets(of: object).map { finding(id, object, "spec", $0) }
    }

    /// Objects of Kubernetes itself.
    private func core(_ object: ClusterObject) -> [Finding] {
        guard object.group.isEmpty else { return [] }
        switch object.kind {
        case "ServiceAccount":
            return (object.tree["imagePullSecrets"]?.elements ?? []).enumerated().compactMap {
                index, entry in
                entry["name"]?.text.map {
                    finding(.registrySecret, object, "imagePullSecrets[\(index)]", $0)
                }
            }
        case "ConfigMap" where !inventory.mapsInUse.contains("\(object.namespace)/\(object.name)"):
            // What workloads use is told of them.
            let keys = Inventory.Knowledge.credentials(in: object)
            guard !keys.isEmpty else { return [] }
            return [
                finding(
                    .credentialInConfigMap, object, "data",
                    "\(keys.joined(separator: ", ")), used by nothing that was read")
            ]
        case "Secret" where object.tree["type"]?.text == "kubernetes.io/service-account-token":
            let names = object.tree.value(at: "metadata", "annotations")
            let name = names?["kubernetes.io/service-account.name"]?.text ?? "not named"
            return [finding(.accountToken, object, "", "of ServiceAccount \(name)")]
        default: return []
        }
    }

    private func annotations(_ object: ClusterObject) -> [Finding] {
        let own = AnnotationCredentials.all(
            in: object.tree.value(at: "metadata", "annotations"))
        var found = own.map { name in
            finding(.credentialInAnnotation, object, "metadata.annotations", name)
        }
        if AnnotationCredentials.repeatsValues(object) {
            found.append(
                finding(
                    .secretInAnnotation, object, "metadata.annotations",
                    AnnotationCredentials.lastApplied))
        }
        guard let workload = Workload(object), !workload.isPod else { return found }
        let path = workload.podPath.dropLast("spec".count) + "metadata.annotations"
        return found
            + AnnotationCredentials.all(in: workload.metadata["annotations"]).map {
                finding(.credentialInAnnotation, object, String(path), $0)
            }
    }
}

/// Secrets that objects of other tools read: to log in to a store, or to copy them there.
enum StoreReferences {
    private static let groups: [String: String] = [
        "SecretStore": "external-secrets.io", "ClusterSecretStore": "external-secrets.io",
        "PushSecret": "external-secrets.io", "ClusterPushSecret": "external-secrets.io",
        "Issuer": "cert-manager.io", "ClusterIssuer": "cert-manager.io",
        "VaultAuth": "secrets.hashicorp.com", "VaultAuthGlobal": "secrets.hashicorp.com",
        "VaultConnection": "secrets.hashicorp.com",
    ]

    /// `namespace/name` in their order; `*/name` where the object does not say which namespace.
    static func secrets(of object: ClusterObject) -> [String] {
        guard groups[object.kind] == object.group, let spec = object.tree["spec"] else { return [] }
        var found: Set<String> = []
        collect(spec, object.namespace.isEmpty ? "*" : object.namespace, &found)
        return found.sorted()
    }

    /// Members by which these tools name Secrets: `…SecretRef` (an object or the name), an object
    /// with name and key that says of no ConfigMap, `secretName`, and PushSecret's `secret`.
    static func collect(
        _ tree: JSONTree, _ namespace: String, _ found: inout Set<String>
    ) {
        for element in tree.elements ?? [] { collect(element, namespace, &found) }
        for member in tree.members ?? [] {
            let value = member.value
            let isReference = member.name.lowercased().hasSuffix("secretref")
            let isKey = value["name"]?.text != nil && value["key"]?.text != nil
            let isMap = value["type"]?.text == "ConfigMap"
            if (isReference || isKey && !isMap || member.name == "secret"),
                let name = value["name"]?.text
            {
                found.insert("\(value["namespace"]?.text ?? namespace)/\(name)")
            } else if isReference || member.name == "secretName", let name = value.text {
                found.insert("\(namespace)/\(name)")
            } else if !isMap {
                collect(value, namespace, &found)
            }
        }
    }
}

/// Secrets that objects name without being looked at otherwise. Too many rather than too few: what
/// nothing names is told to be orphaned.
enum OtherReferences {
    /// Whose kinds are looked at by name: what they name is often what they fill.
    private static let known: Set = [
        "external-secrets.io", "bitnami.com", "secrets.hashicorp.com", "cert-manager.io",
    ]

    /// `namespace/name`.
    static func secrets(of object: ClusterObject) -> Set<String> {
        let place = object.namespace.isEmpty ? "*" : object.namespace
        var found: Set<String> = []
        switch object.kind {
        case "Gateway":
            for listener in object.tree.value(at: "spec", "listeners")?.elements ?? [] {
                let references = listener.value(at: "tls", "certificateRefs")?.elements ?? []
                for reference in references {
                    guard let name = reference["name"]?.text else { continue }
                    found.insert("\(reference["namespace"]?.text ?? place)/\(name)")
                }
            }
        case "Ingress":
            // nginx.ingress.kubernetes.io/auth-secret: NAME or NAMESPACE/NAME.
            let annotations = object.tree.value(at: "metadata", "annotations")?.members ?? []
            for member in annotations where member.name.hasSuffix("-secret") {
                guard let text = member.value.text else { continue }
                found.insert(text.contains("/") ? text : "\(place)/\(text)")
            }
        case "PersistentVolume":
            StoreReferences.collect(object.tree["spec"] ?? .null, place, &found)
        case "StorageClass":
            for member in object.tree["parameters"]?.members ?? []
            where member.name.hasSuffix("secret-name") {
                // The namespace is another parameter, and either may be a template.
                if let name = member.value.text { found.insert("*/\(name)") }
            }
        default:
            // Operators' own kinds.
            guard object.group.contains("."), !object.group.hasSuffix("k8s.io"),
                !known.contains(object.group)
            else { break }
            StoreReferences.collect(object.tree["spec"] ?? .null, place, &found)
        }
        return found
    }
}

/// Values in annotations, which everybody reads who may read the object.
enum AnnotationCredentials {
    static let lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

    /// Whether a Secret was stored by `kubectl apply`, which leaves its values there.
    static func repeatsValues(_ object: ClusterObject) -> Bool {
        guard object.kind == "Secret", object.group.isEmpty,
            let text = object.tree.value(at: "metadata", "annotations")?[lastApplied]?.text
        else { return false }
        guard let applied = try? JSONTree(Array(text.utf8)) else { return true }
        return ["data", "stringData"].contains { applied[$0]?.members?.isEmpty == false }
    }

    /// Names of those that look like credentials.
    static func all(in annotations: JSONTree?) -> [String] {
        (annotations?.members ?? []).filter { member in
            guard member.name != lastApplied, let value = member.value.text else { return false }
            return CredentialNames.isCredential(name: nameForGuess(member.name), value: value)
        }.map(\.name)
    }

    /// Empty where only the value's shape counts: many annotations name a Secret or say its hash.
    private static func nameForGuess(_ name: String) -> String {
        let parts = name.split(separator: "/", maxSplits: 1)
        guard parts.count == 2 else { return name }
        let isKnown = ["kubernetes.io", "k8s.io", "cert-manager.io", "cloudtaser.io"].contains {
            parts[0] == $0 || parts[0].hasSuffix(".\($0)")
        }
        let isPointer = parts[0] == "checksum" || parts[1].lowercased().hasSuffix("secret")
        return isKnown || isPointer ? "" : String(parts[1])
    }
}
