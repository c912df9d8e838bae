// SPDX-License-Identifier: Apache-2.0
package import Injection
package import KubernetesFormat

/// Where the API server finds the webhook.
package enum WebhookAddress: Sendable, Hashable {
    case service(namespace: String, name: String, port: Int, path: String)
    /// `https://host:port/path`, for a server outside of the cluster.
    case url(String)
}

/// Which pods the API server asks about, and whom.
package struct WebhookSettings: Sendable, Hashable {
    /// Of the `MutatingWebhookConfiguration`.
    package let name: String
    package let address: WebhookAddress
    package let selector: OptInSelector
    /// Pods there are never asked about: the operator could not start again, nor what it needs to.
    package let excludedNamespaces: [String]

    package static let timeoutSeconds = 5
    /// Its pods are what a node needs before anything else runs.
    package static let alwaysExcluded = "kube-system"

    /// - Parameter namespace: the operator's own.
    package init(
        name: String, namespace: String, address: WebhookAddress,
        selector: OptInSelector = .either, alsoExcluding others: [String] = []
    ) {
        self.name = name
        self.address = address
        self.selector = selector
        excludedNamespaces = Set([Self.alwaysExcluded, namespace] + others).sorted()
    }
}

extension WebhookSettings {
    /// No label says what an annotation does. A server that drops the conditions would ask about
    /// every pod of the cluster, and refuse each of them while nobody answers.
    package var needsMatchConditions: Bool { selector != .label }

    /// The annotation or label by which a pod or a namespace asks.
    private static let key = PodAnnotation.inject.rawValue

    /// Two webhooks, since selectors of one must all match: pods that ask themselves, and pods that
    /// say nothing in namespaces whose label asks for all.
    func webhooks(bundle: [UInt8]) -> JSONTree {
        .array([
            webhook(
                "pods.cloudtaser.io", bundle, namespaces: [],
                objects: selector == .label ? Self.isSet(butNot: ["false"]) : [],
                condition: ("asks", asks)),
            webhook(
                "namespaces.cloudtaser.io", bundle,
                namespaces: Self.isSet(butNot: ["false", "0"]),
                objects: selector == .label
                    ? [["key": .string(Self.key), "operator": "DoesNotExist"]] : [],
                condition: ("says-nothing", saysNothing)),
        ])
    }

    private func webhook(
        _ name: String, _ bundle: [UInt8], namespaces: [JSONTree], objects: [JSONTree],
        condition: (name: String, expression: String)
    ) -> JSONTree {
        // What the API server would fill in is written out, so that what is stored can be compared.
        var webhook: JSONTree = [
            "name": .string(name), "admissionReviewVersions": ["v1"],
            "clientConfig": client(bundle), "failurePolicy": "Fail", "matchPolicy": "Equivalent",
            "namespaceSelector": .selector(namespaces + [exclusion]),
            "objectSelector": .selector(objects), "reinvocationPolicy": "IfNeeded",
            "rules": .array([
                Self.rule("CREATE", "pods"),
                // `kubectl debug`: an update of the pod's subresource. Who asks by what is the same
                // pod, with its labels and annotations as they are by then.
                Self.rule("UPDATE", "pods/ephemeralcontainers"),
            ]),
            "sideEffects": "None",
            "timeoutSeconds": .number(String(Self.timeoutSeconds)),
        ]
        if needsMatchConditions {
            webhook["matchConditions"] = [
                [
                    "name": .string(condition.name),
                    "expression": .string(condition.expression),
                ]
            ]
        }
        return webhook
    }

    private static func rule(_ operation: String, _ resource: String) -> JSONTree {
        [
            "apiGroups": [""], "apiVersions": ["v1"], "operations": [.string(operation)],
            "resources": [.string(resource)], "scope": "Namespaced",
        ]
    }

    private func client(_ bundle: [UInt8]) -> JSONTree {
        var client: JSONTree = ["caBundle": .string(Base64.encoded(bundle))]
        switch address {
        case .url(let url): client["url"] = .string(url)
        case .service(let namespace, let name, let port, let path):
            client["service"] = [
                "namespace": .string(namespace), "name": .string(name),
                "port": .number(String(port)), "path": .string(path),
            ]
        }
        return client
    }

    /// By the label that every namespace has since Kubernetes 1.21.
    private var exclusion: JSONTree {
        [
            "key": "kubernetes.io/metadata.name", "operator": "NotIn",
            "values": .array(excludedNamespaces.map { .string($0) }),
        ]
    }

    /// Any other value asks: one that is misspelt must not let a pod through.
    private static func isSet(butNot values: [String]) -> [JSONTree] {
        [
            ["key": .string(key), "operator": "Exists"],
            [
                "key": .string(key), "operator": "NotIn",
                "values": .array(values.map { .string($0) }),
            ],
        ]
    }

    // MARK: - Conditions (CEL)

    private var fields: [String] {
        switch selector {
        case .label: ["labels"]
        case .annotation: ["annotations"]
        case .either: ["labels", "annotations"]
        }
    }

    private static func has(_ field: String) -> String {
        "(has(object.metadata.\(field)) && '\(key)' in object.metadata.\(field))"
    }

    /// The pod says so itself, in the one place or the other.
    private var asks: String {
        fields.map { field in
            "(\(Self.has(field)) && object.metadata.\(field)['\(Self.key)'] != 'false')"
        }.joined(separator: " || ")
    }

    private var saysNothing: String {
        fields.map { "!" + Self.has($0) }.joined(separator: " && ")
    }
}

extension JSONTree {
    fileprivate static func selector(_ expressions: [JSONTree]) -> JSONTree {
        expressions.isEmpty ? [:] : ["matchExpressions": .array(expressions)]
    }
}

/// The configuration as it is stored.
package struct WebhookConfiguration: Sendable {
    private var object: JSONTree

    /// A new one.
    package init(name: String) {
        object = [
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration", "metadata": ["name": .string(name)],
        ]
    }

    /// - Throws: when it is none.
    package init(_ document: [UInt8]) throws(AnswerFailure) {
        do throws(JSONTree.Failure) {
            object = try JSONTree(document)
        } catch { throw .malformed(detail: "the webhook configuration is no JSON") }
        guard object["kind"]?.text == "MutatingWebhookConfiguration" else {
            throw .malformed(detail: "no MutatingWebhookConfiguration")
        }
    }

    /// What the API server asks whom; null: nothing.
    package var webhooks: JSONTree { object["webhooks"] ?? .null }

    /// Authorities that all of its webhooks believe.
    package var authorities: Set<[UInt8]> {
        let bundles = (webhooks.elements ?? []).map { webhook in
            let text = webhook.value(at: "clientConfig", "caBundle")?.text
            return Set(PEMBundle.certificates(in: text.flatMap(Base64.decoded) ?? []))
        }
        guard let first = bundles.first else { return [] }
        return bundles.dropFirst().reduce(first) { $0.intersection($1) }
    }

    /// Whether each webhook has conditions.
    package var hasMatchConditions: Bool {
        let webhooks = webhooks.elements ?? []
        return !webhooks.isEmpty
            && webhooks.allSatisfy { $0["matchConditions"]?.elements?.isEmpty == false }
    }

    /// As it should be; labels and annotations of others stay, and so does the version that was
    /// read.
    ///
    /// - Parameter owner: with whom it goes; nil: what stands there stays.
    package func wanted(
        _ settings: WebhookSettings, bundle: [UInt8], owner: ConfigurationOwner? = nil
    ) -> WebhookConfiguration {
        var wanted = self
        var metadata = object["metadata"] ?? [:]
        var labels = metadata["labels"] ?? [:]
        for label in JSONTree.managedByOperator.members ?? [] { labels[label.name] = label.value }
        metadata["labels"] = labels
        if let owner { metadata["ownerReferences"] = [owner.reference] }
        wanted.object["metadata"] = metadata
        wanted.object["webhooks"] = settings.webhooks(bundle: bundle)
        return wanted
    }

    package func rendered() -> [UInt8] { object.rendered() }

    /// Whether the two are alike in all that is wanted.
    package func matches(_ wanted: WebhookConfiguration) -> Bool {
        webhooks == wanted.webhooks
            && ["labels", "ownerReferences"].allSatisfy {
                object.value(at: "metadata", $0) == wanted.object.value(at: "metadata", $0)
            }
    }
}

/// The ClusterRole that a cluster's garbage collector takes the configuration away with
/// (https://kubernetes.io/docs/concepts/architecture/garbage-collection/). Both are without
/// namespaces, as they have to be.
package struct ConfigurationOwner: Sendable, Hashable {
    package let name: String
    package let uid: String

    /// - Throws: when it is no ClusterRole that is stored.
    package init(_ document: [UInt8]) throws(AnswerFailure) {
        guard let role = try? JSONTree(document), role["kind"]?.text == "ClusterRole",
            let name = role.value(at: "metadata", "name")?.text,
            let uid = role.value(at: "metadata", "uid")?.text
        else { throw .malformed(detail: "no ClusterRole") }
        self.name = name
        self.uid = uid
    }

    fileprivate var reference: JSONTree {
        [
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "name": .string(name), "uid": .string(uid),
        ]
    }
}
