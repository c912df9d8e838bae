// SPDX-License-Identifier: Apache-2.0
internal import AdmissionTrust
internal import Injection
internal import Inventory
internal import KubernetesFormat

/// The webhook's configuration, as it was read.
struct WebhookView {
    /// As the operator names them (AdmissionTrust).
    static let names = ["pods.cloudtaser.io", "namespaces.cloudtaser.io"]

    struct Webhook {
        let object: ClusterObject
        let name: String
        let tree: JSONTree

        var failsClosed: Bool { tree["failurePolicy"]?.text != "Ignore" }

        /// PEM of the authorities, empty when there are none that can be read.
        var bundle: [UInt8] {
            let text = tree.value(at: "clientConfig", "caBundle")?.text ?? ""
            return Base64.decoded(text) ?? []
        }

        /// By which the API server calls it; nil: by a URL.
        var service: String? {
            guard let service = tree.value(at: "clientConfig", "service"),
                let name = service["name"]?.text, let namespace = service["namespace"]?.text
            else { return nil }
            return "\(name).\(namespace).svc"
        }

        /// Whether a certificate for the webhook is of none of its authorities. false, too, where
        /// it is for something else, or does not say who has signed it.
        func distrusts(_ certificate: CertificateKeys) -> Bool {
            guard let service, certificate.names.contains(service), let signer = certificate.signer
            else { return false }
            return !CertificateKeys.all(inPEM: bundle).contains { $0?.own == signer }
        }
    }

    let webhooks: [Webhook]

    init(_ inventory: Inventory) {
        webhooks = inventory.webhooks.flatMap { object in
            (object.tree["webhooks"]?.elements ?? []).compactMap { tree in
                guard let name = tree["name"]?.text, Self.names.contains(name) else { return nil }
                return Webhook(object: object, name: name, tree: tree)
            }
        }
    }

    /// What the API server calls by. Without conditions it is the label alone; where there is no
    /// configuration yet, whatever the operator makes of a new cluster.
    var selector: OptInSelector {
        guard let webhook = webhooks.first(where: { $0.name == Self.names[0] }) else {
            return .either
        }
        let conditions = webhook.tree["matchConditions"]?.elements ?? []
        guard !conditions.isEmpty else { return .label }
        let text = conditions.compactMap { $0["expression"]?.text }.joined()
        return text.contains("labels") ? .either : .annotation
    }

    /// Namespaces whose pods the API server asks nobody about.
    var excluded: Set<String> {
        guard let webhook = webhooks.first else { return [WebhookSettings.alwaysExcluded] }
        let expressions =
            webhook.tree.value(at: "namespaceSelector", "matchExpressions")?.elements ?? []
        let names = expressions.filter {
            $0["key"]?.text == "kubernetes.io/metadata.name" && $0["operator"]?.text == "NotIn"
        }.flatMap { $0["values"]?.elements ?? [] }.compactMap(\.text)
        return Set(names)
    }

    /// What of the configuration is not as the operator makes it, for a reader.
    var faults: [(object: ClusterObject, text: String)] {
        guard let first = webhooks.first else { return [] }
        let missing = Self.names.filter { name in !webhooks.contains { $0.name == name } }
            .map { (first.object, "webhook \($0) is missing") }
        let bare = webhooks.filter { PEMBundle.certificates(in: $0.bundle).isEmpty }.map {
            ($0.object, "webhook \($0.name) has no caBundle with a certificate")
        }
        return missing + bare
    }
}
