// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// A place where a workload has a credential from the cluster's own store, or in plain sight.
package struct SecretUse: Sendable, Equatable {
    package let finding: FindingID
    /// nil: the pod as a whole.
    package let container: String?
    /// From the object, like `spec.template.spec.containers[0].env[2]`.
    package let path: String
    /// Name of the Secret, ConfigMap, class or variable; never a value.
    package let subject: String
    /// Keys that are used, as far as they are known; empty: all of them, or none to be named.
    package let keys: [String]
    package let conversion: Conversion

    /// Uses whose subject is a Secret.
    static let ofSecrets: Set<FindingID> = [
        .secretInEnvironment, .secretImported, .secretVolume, .registrySecret, .storeCredential,
    ]

    /// Whether delivery by the wrapper can take its place.
    package enum Conversion: Sendable, Equatable {
        case converts
        /// It can, once this is done.
        case after(String)
        case cannot(String)

        package var word: String {
            switch self {
            case .converts: "yes"
            case .after: "after a change"
            case .cannot: "no"
            }
        }

        package var reason: String? {
            switch self {
            case .converts: nil
            case .after(let reason), .cannot(let reason): reason
            }
        }
    }
}

/// Finds them. Values are looked at and never kept.
struct SecretUses {
    let workload: Workload
    let knowledge: Inventory.Knowledge
    /// By itself or by its namespace.
    let asks: Bool

    var all: [SecretUse] {
        workload.containers.flatMap { environment(of: $0) + imports(of: $0) + commands(of: $0) }
            + volumes + pulls
    }

    static let needsKeys = "name its keys: the Secret was not read"
    static let needsPlace = "put the value in the vault, and name it by hand"
    static let needsCommand =
        "write the container's command, or let the policy read it from a registry"

    // MARK: - Environment

    private func environment(of container: Workload.Container) -> [SecretUse] {
        (container.tree["env"]?.elements ?? []).enumerated().compactMap { index, entry in
            let path = "\(container.path).env[\(index)]"
            let name = entry["name"]?.text ?? ""
            if let reference = entry.value(at: "valueFrom", "secretKeyRef") {
                return SecretUse(
                    finding: .secretInEnvironment, container: container.name, path: path,
                    subject: reference["name"]?.text ?? "",
                    keys: [reference["key"]?.text ?? ""].filter { !$0.isEmpty },
                    conversion: conversion(in: container))
            }
            if let reference = entry.value(at: "valueFrom", "configMapKeyRef") {
                let (map, key) = (reference["name"]?.text ?? "", reference["key"]?.text ?? "")
                guard knowledge.isCredential(inConfigMap: map, key, workload.object.namespace)
                else { return nil }
                return SecretUse(
                    finding: .credentialInConfigMap, container: container.name, path: path,
                    subject: map, keys: [key], conversion: byHand(in: container))
            }
            if let value = entry["value"]?.text, !asks, !container.isWrapped,
                VaultTexts.isReference(value)
            {
                return SecretUse(
                    finding: .vaultReference, container: container.name, path: path,
                    subject: name, keys: [], conversion: conversion(in: container))
            }
            guard let value = entry["value"]?.text,
                CredentialNames.isCredential(name: name, value: value)
            else { return nil }
            return SecretUse(
                finding: .credentialInPlainSight, container: container.name, path: path,
                subject: name, keys: [], conversion: byHand(in: container))
        }
    }

    private func imports(of container: Workload.Container) -> [SecretUse] {
        (container.tree["envFrom"]?.elements ?? []).enumerated().flatMap { index, entry in
            let path = "\(container.path).envFrom[\(index)]"
            let namespace = workload.object.namespace
            if let name = entry.value(at: "secretRef", "name")?.text {
                let keys = knowledge.keys(ofSecret: name, namespace)
                let base = conversion(in: container)
                return [
                    SecretUse(
                        finding: .secretImported, container: container.name, path: path,
                        subject: name, keys: keys ?? [],
                        conversion: keys == nil && base == .converts
                            ? .after(Self.needsKeys)
                            : base)
                ]
            }
            guard let name = entry.value(at: "configMapRef", "name")?.text else { return [] }
            let keys = knowledge.credentials(inConfigMap: name, namespace)
            guard !keys.isEmpty else { return [] }
            return [
                SecretUse(
                    finding: .credentialInConfigMap, container: container.name, path: path,
                    subject: name, keys: keys, conversion: byHand(in: container))
            ]
        }
    }

    /// Of a value that is no Secret's: nobody can tell its place in the vault.
    private func byHand(in container: Workload.Container) -> SecretUse.Conversion {
        let other = conversion(in: container)
        return other == .converts ? .after(Self.needsPlace) : other
    }

    /// What the webhook refuses, says so before.
    private func conversion(in container: Workload.Container) -> SecretUse.Conversion {
        if container.kind == .ephemeral {
            return .cannot("an ephemeral container is for debugging and gets no values")
        }
        if container.isWrapped {
            return .after("remove the entry: the container is wrapped already")
        }
        if workload.pod["hostPID"] == .bool(true) {
            return .after("give up hostPID: neighbours on the node see the process")
        }
        guard container.tree["command"]?.elements?.isEmpty == false else {
            return .after(Self.needsCommand)
        }
        return .converts
    }

    // MARK: - Volumes

    private func users(of volume: String) -> [Workload.Container] {
        workload.containers.filter { container in
            (container.tree["volumeMounts"]?.elements ?? []).contains {
                $0["name"]?.text == volume
            }
        }
    }

    private static let needsFiles =
        "the program reads files: let it read its environment, "
        + "or set cloudtaser.io/delivery: file"

    private var volumes: [SecretUse] {
        (workload.pod["volumes"]?.elements ?? []).enumerated().flatMap { index, volume in
            let path = "\(workload.podPath).volumes[\(index)]"
            let containers = users(of: volume["name"]?.text ?? "").map(\.name)
            let found = secrets(in: volume, path) + maps(in: volume, path)
            // A volume that nobody mounts is still fetched by the kubelet.
            return found.flatMap { use in
                containers.isEmpty ? [use] : containers.map { use.used(by: $0) }
            } + mounting(volume, path)
        }
    }

    /// ConfigMaps in which a credential is seen, of the keys that are mounted.
    private func maps(in volume: JSONTree, _ path: String) -> [SecretUse] {
        var maps: [(path: String, map: JSONTree)] = volume["configMap"].map { [(path, $0)] } ?? []
        for (index, source) in (volume.value(at: "projected", "sources")?.elements ?? [])
            .enumerated()
        {
            guard let map = source["configMap"] else { continue }
            maps.append(("\(path).projected.sources[\(index)]", map))
        }
        return maps.compactMap { path, map in
            let name = map["name"]?.text ?? ""
            let items = (map["items"]?.elements ?? []).compactMap { $0["key"]?.text }
            let keys = knowledge.credentials(inConfigMap: name, workload.object.namespace)
                .filter { items.isEmpty || items.contains($0) }
            guard !keys.isEmpty else { return nil }
            return SecretUse(
                finding: .credentialInConfigMap, container: nil, path: path, subject: name,
                keys: keys, conversion: .after(Self.needsFiles))
        }
    }

    /// Volumes that are mounted with a Secret's help: members that lead to its name
    /// (https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/volume/).
    private static let mountingNames: [[String]] = [
        ["csi", "nodePublishSecretRef", "name"], ["azureFile", "secretName"],
        ["cephfs", "secretRef", "name"], ["rbd", "secretRef", "name"],
        ["iscsi", "secretRef", "name"], ["flexVolume", "secretRef", "name"],
        ["scaleIO", "secretRef", "name"], ["storageos", "secretRef", "name"],
    ]

    private func mounting(_ volume: JSONTree, _ path: String) -> [SecretUse] {
        Self.mountingNames.compactMap { names in
            var tree: JSONTree? = volume
            for name in names { tree = tree?[name] }
            guard let secret = tree?.text else { return nil }
            return SecretUse(
                finding: .storeCredential, container: nil,
                path: "\(path).\(names.prefix(2).joined(separator: "."))", subject: secret,
                keys: [],
                conversion: .cannot(
                    "the node needs it before any container runs: let the driver use an identity "
                        + "of its own"))
        }
    }

    private func secrets(in volume: JSONTree, _ path: String) -> [SecretUse] {
        if let secret = volume["secret"] {
            return [
                use(.secretVolume, path, secret["secretName"]?.text ?? "", items: secret["items"])
            ]
        }
        if volume.value(at: "csi", "driver")?.text == "secrets-store.csi.k8s.io" {
            let name = volume.value(at: "csi", "volumeAttributes", "secretProviderClass")?.text
            return [
                SecretUse(
                    finding: .secretStoreDriver, container: nil, path: path, subject: name ?? "",
                    keys: [], conversion: .after(Self.needsFiles))
            ]
        }
        let sources = volume.value(at: "projected", "sources")?.elements ?? []
        return sources.enumerated().compactMap { index, source in
            guard let secret = source["secret"] else { return nil }
            return use(
                .secretVolume, "\(path).projected.sources[\(index)]",
                secret["name"]?.text ?? "", items: secret["items"])
        }
    }

    private func use(
        _ finding: FindingID, _ path: String, _ name: String, items: JSONTree?
    ) -> SecretUse {
        let named = (items?.elements ?? []).compactMap { $0["key"]?.text }
        let keys = named.isEmpty ? knowledge.keys(ofSecret: name, workload.object.namespace) : named
        return SecretUse(
            finding: finding, container: nil, path: path, subject: name, keys: keys ?? [],
            conversion: .after(Self.needsFiles))
    }

    // MARK: - Registries

    private var pulls: [SecretUse] {
        (workload.pod["imagePullSecrets"]?.elements ?? []).enumerated().map { index, entry in
            SecretUse(
                finding: .registrySecret, container: nil,
                path: "\(workload.podPath).imagePullSecrets[\(index)]",
                subject: entry["name"]?.text ?? "", keys: [],
                conversion: .cannot(
                    "the kubelet needs it before any container runs: use the node's identity"))
        }
    }
}

extension SecretUse {
    fileprivate func used(by container: String) -> SecretUse {
        SecretUse(
            finding: finding, container: container, path: path, subject: subject, keys: keys,
            conversion: conversion)
    }
}
