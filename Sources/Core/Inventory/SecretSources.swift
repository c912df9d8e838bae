// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// A Secret that an object of another tool fills, as that object says it.
struct SecretTarget: Sendable, Equatable {
    let manager: SecretManager
    /// nil: of every namespace, since which ones was not read.
    let namespace: String?
    let name: String
    /// nil: not known before the tool has run.
    let keys: [String]?
}

/// The Secrets that objects of other tools fill.
struct SecretSources: Sendable {
    /// `external-secrets.io` of `external-secrets.io/v1`: other groups have kinds of these names.
    private static let groups: [String: String] = [
        "ExternalSecret": "external-secrets.io", "ClusterExternalSecret": "external-secrets.io",
        "SealedSecret": "bitnami.com",
        "SecretProviderClass": "secrets-store.csi.x-k8s.io",
        "VaultStaticSecret": "secrets.hashicorp.com",
        "VaultDynamicSecret": "secrets.hashicorp.com",
        "VaultPKISecret": "secrets.hashicorp.com",
        "HCPVaultSecretsApp": "secrets.hashicorp.com",
        "Certificate": "cert-manager.io",
    ]

    private var byPlace: [String: SecretTarget] = [:]
    private var everywhere: [String: SecretTarget] = [:]

    init(_ objects: [ClusterObject]) {
        let namespaces = objects.filter { $0.kind == "Namespace" && $0.group.isEmpty }
        for object in objects {
            for target in Self.targets(of: object, namespaces) {
                if let namespace = target.namespace {
                    byPlace["\(namespace)/\(target.name)"] = target
                } else {
                    everywhere[target.name] = target
                }
            }
        }
    }

    func target(of secret: String, _ namespace: String) -> SecretTarget? {
        byPlace["\(namespace)/\(secret)"] ?? everywhere[secret]
    }

    /// Secrets that the object fills; empty for what is none of these tools' objects.
    static func targets(
        of object: ClusterObject, _ namespaces: [ClusterObject]
    ) -> [SecretTarget] {
        let spec = object.tree["spec"] ?? .null
        if object.kind == "Secret", object.group.isEmpty {
            guard VaultTexts.areIn(object) else { return [] }
            return [target(.bankVaults, object, object.name, keys: keys(of: object.tree["data"]))]
        }
        guard groups[object.kind] == object.group else { return [] }
        switch object.kind {
        case "ExternalSecret":
            return externalSecret(spec, object, name: object.name, [object.namespace])
        case "ClusterExternalSecret":
            return externalSecret(
                spec["externalSecretSpec"] ?? .null, object,
                name: spec["externalSecretName"]?.text ?? object.name,
                selected(by: spec, namespaces))
        case "SealedSecret":
            let name = spec.value(at: "template", "metadata", "name")?.text ?? object.name
            return [target(.sealedSecrets, object, name, keys: keys(of: spec["encryptedData"]))]
        case "SecretProviderClass":
            return (spec["secretObjects"]?.elements ?? []).compactMap { entry in
                guard let name = entry["secretName"]?.text else { return nil }
                let keys = (entry["data"]?.elements ?? []).compactMap { $0["key"]?.text }
                return target(.secretStoreDriver, object, name, keys: keys)
            }
        case "Certificate":
            guard let name = spec["secretName"]?.text else { return [] }
            return [target(.certManager, object, name, keys: ["ca.crt", "tls.crt", "tls.key"])]
        default:
            guard let name = spec.value(at: "destination", "name")?.text else { return [] }
            return [target(.vaultSecrets, object, name, keys: nil)]
        }
    }

    private static func target(
        _ manager: SecretManager, _ object: ClusterObject, _ name: String, keys: [String]?
    ) -> SecretTarget {
        SecretTarget(manager: manager, namespace: object.namespace, name: name, keys: keys)
    }

    private static func keys(of data: JSONTree?) -> [String] {
        (data?.members ?? []).map(\.name).sorted()
    }

    /// https://external-secrets.io/latest/api/externalsecret/: the target has the name of the
    /// ExternalSecret unless it says another. With `dataFrom` or a template the keys are decided
    /// when it runs.
    private static func externalSecret(
        _ spec: JSONTree, _ object: ClusterObject, name: String, _ namespaces: [String?]
    ) -> [SecretTarget] {
        let target = spec["target"] ?? .null
        if target["creationPolicy"]?.text == "None" { return [] }
        // Another kind than a Secret may be filled: then no Secret is.
        if let kind = target.value(at: "manifest", "kind")?.text, kind != "Secret" { return [] }
        let isOpen = spec["dataFrom"] != nil || target["template"] != nil
        let keys = (spec["data"]?.elements ?? []).compactMap { $0["secretKey"]?.text }.sorted()
        return namespaces.map { namespace in
            SecretTarget(
                manager: .externalSecrets, namespace: namespace,
                name: target["name"]?.text ?? name, keys: isOpen ? nil : keys)
        }
    }

    /// Namespaces of a ClusterExternalSecret; `[nil]` when they cannot be told.
    private static func selected(by spec: JSONTree, _ read: [ClusterObject]) -> [String?] {
        let named = (spec["namespaces"]?.elements ?? []).compactMap(\.text)
        let selectors =
            (spec["namespaceSelector"].map { [$0] } ?? [])
            + (spec["namespaceSelectors"]?.elements ?? [])
        guard !selectors.isEmpty else { return named }
        guard !read.isEmpty else { return [nil] }
        let chosen = read.filter { namespace in
            let labels = (namespace.tree.value(at: "metadata", "labels") ?? .null).texts
            return selectors.contains { (try? LabelSelector($0))?.matches(labels) ?? true }
        }
        return Set(named + chosen.map(\.name)).sorted()
    }
}

/// `vault:PATH#KEY` as Bank-Vaults' webhook takes it.
enum VaultTexts {
    static func isReference(_ text: String) -> Bool {
        ["vault:", "bao:", ">>vault:", ">>bao:"].contains { text.hasPrefix($0) }
            && text.contains("#") && text.contains("/")
            || text.contains("${vault:") || text.contains("${bao:")
    }

    /// Of a Secret whose data Bank-Vaults' webhook replaces when it is created.
    static func areIn(_ secret: ClusterObject) -> Bool {
        let plain = (secret.tree["stringData"]?.members ?? []).compactMap(\.value.text)
        let encoded = (secret.tree["data"]?.members ?? []).compactMap(\.value.text)
        return plain.contains(where: isReference)
            || encoded.contains { text in
                // "vault:", "bao:" and ">>" in base64: most values are not looked at further.
                guard ["dmF1bHQ6", "YmFvO", "Pj52", "Pj5i"].contains(where: text.hasPrefix),
                    let bytes = Base64.decoded(text),
                    let plain = String(validating: bytes, as: UTF8.self)
                else { return false }
                return isReference(plain)
            }
    }
}
