// SPDX-License-Identifier: Apache-2.0
internal import KubernetesPorts

/// A kind of object that a scan of a cluster reads.
package struct ScannedKind: Sendable, Hashable {
    package let kind: String
    package let group: String
    /// The one to ask for first; the next where the server does not know it.
    package let versions: [String]
    package let resource: String
    package let isNamespaced: Bool
    /// Every cluster has it: one that does not is not looked at as a whole.
    package let isBuiltIn: Bool

    init(
        _ kind: String, _ group: String, _ versions: [String], _ resource: String,
        isNamespaced: Bool = true, isBuiltIn: Bool = true
    ) {
        self.kind = kind
        self.group = group
        self.versions = versions
        self.resource = resource
        self.isNamespaced = isNamespaced
        self.isBuiltIn = isBuiltIn
    }

    /// As a rule of RBAC names it: `deployments.apps`.
    package var name: String { group.isEmpty ? resource : "\(resource).\(group)" }

    func apiVersion(_ version: String) -> String {
        group.isEmpty ? version : "\(group)/\(version)"
    }

    func collection(_ version: String, _ namespace: String?) -> ResourceCollection {
        ResourceCollection(
            group: group, version: version, resource: resource,
            namespace: isNamespaced ? namespace : nil)
    }

    private static func custom(
        _ kind: String, _ group: String, _ versions: [String], _ resource: String,
        isNamespaced: Bool = true
    ) -> ScannedKind {
        ScannedKind(
            kind, group, versions, resource, isNamespaced: isNamespaced, isBuiltIn: false)
    }

    package static let secrets = ScannedKind("Secret", "", ["v1"], "secrets")

    /// What `audit`, `discover`, `validate` and `netpol` look at.
    package static let all =
        [
            ScannedKind("Namespace", "", ["v1"], "namespaces", isNamespaced: false),
            ScannedKind("Node", "", ["v1"], "nodes", isNamespaced: false), secrets,
            ScannedKind("ConfigMap", "", ["v1"], "configmaps"),
            ScannedKind("ServiceAccount", "", ["v1"], "serviceaccounts"),
            ScannedKind("Pod", "", ["v1"], "pods"),
            ScannedKind("ReplicationController", "", ["v1"], "replicationcontrollers"),
            ScannedKind("Deployment", "apps", ["v1"], "deployments"),
            ScannedKind("StatefulSet", "apps", ["v1"], "statefulsets"),
            ScannedKind("DaemonSet", "apps", ["v1"], "daemonsets"),
            ScannedKind("ReplicaSet", "apps", ["v1"], "replicasets"),
            ScannedKind("Job", "batch", ["v1"], "jobs"),
            ScannedKind("CronJob", "batch", ["v1", "v1beta1"], "cronjobs"),
            ScannedKind("Ingress", "networking.k8s.io", ["v1"], "ingresses"),
            ScannedKind("NetworkPolicy", "networking.k8s.io", ["v1"], "networkpolicies"),
            ScannedKind(
                "MutatingWebhookConfiguration", "admissionregistration.k8s.io", ["v1"],
                "mutatingwebhookconfigurations", isNamespaced: false),
        ] + customKinds

    private static let customKinds = [
        custom("Gateway", "gateway.networking.k8s.io", ["v1", "v1beta1"], "gateways"),
        custom("ExternalSecret", "external-secrets.io", ["v1", "v1beta1"], "externalsecrets"),
        custom(
            "ClusterExternalSecret", "external-secrets.io", ["v1", "v1beta1"],
            "clusterexternalsecrets", isNamespaced: false),
        custom("PushSecret", "external-secrets.io", ["v1alpha1"], "pushsecrets"),
        custom("SecretStore", "external-secrets.io", ["v1", "v1beta1"], "secretstores"),
        custom(
            "ClusterSecretStore", "external-secrets.io", ["v1", "v1beta1"],
            "clustersecretstores", isNamespaced: false),
        custom("SealedSecret", "bitnami.com", ["v1alpha1"], "sealedsecrets"),
        custom(
            "SecretProviderClass", "secrets-store.csi.x-k8s.io", ["v1", "v1alpha1"],
            "secretproviderclasses"),
        custom("VaultStaticSecret", "secrets.hashicorp.com", ["v1beta1"], "vaultstaticsecrets"),
        custom(
            "VaultDynamicSecret", "secrets.hashicorp.com", ["v1beta1"], "vaultdynamicsecrets"),
        custom("VaultPKISecret", "secrets.hashicorp.com", ["v1beta1"], "vaultpkisecrets"),
        custom("Certificate", "cert-manager.io", ["v1"], "certificates"),
        custom(
            "CloudTaserPolicy", "cloudtaser.io", ["v1alpha1"], "cloudtaserpolicies",
            isNamespaced: false),
        custom("ProtectionReport", "cloudtaser.io", ["v1alpha1"], "protectionreports"),
    ]
}
