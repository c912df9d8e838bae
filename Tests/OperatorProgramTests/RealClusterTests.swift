// SPDX-License-Identifier: Apache-2.0
import Foundation
import KubernetesFormat
import KubernetesServer
import LoopbackPKI
import Testing

/// The built program as the webhook of a real API server.
@Suite(
    "The operator on a real API server", .timeLimit(.minutes(10)),
    .enabled(if: KubernetesServer.programs != nil, "CLOUDTASER_KUBERNETES names no directory"))
struct OperatorOnRealClusterTests {
    private static let crd = """
        {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
         "metadata": {"name": "cloudtaserpolicies.cloudtaser.io"},
         "spec": {"group": "cloudtaser.io", "scope": "Cluster",
          "names": {"plural": "cloudtaserpolicies", "kind": "CloudTaserPolicy"},
          "versions": [{"name": "v1alpha1", "served": true, "storage": true, "schema":
           {"openAPIV3Schema": {"type": "object", "properties": {"spec":
            {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}]}}
        """

    private static func policy(_ spec: String = Sample.policy) -> String {
        #"{"apiVersion": "cloudtaser.io/v1alpha1", "kind": "CloudTaserPolicy","#
            + #" "metadata": {"name": "main"}, "spec": \#(spec)}"#
    }

    private static func webhook(port: Int, pki: LoopbackPKI) -> String {
        let authority = Data(pki.authority.certificatePEM.utf8).base64EncodedString()
        return """
            {"apiVersion": "admissionregistration.k8s.io/v1",
             "kind": "MutatingWebhookConfiguration", "metadata": {"name": "cloudtaser"},
             "webhooks": [{"name": "pods.cloudtaser.io", "sideEffects": "None",
              "admissionReviewVersions": ["v1"], "failurePolicy": "Fail", "timeoutSeconds": 5,
              "reinvocationPolicy": "IfNeeded",
              "clientConfig": {"url": "https://127.0.0.1:\(port)/mutate",
               "caBundle": "\(authority)"},
              "objectSelector": {"matchLabels": {"cloudtaser.io/inject": "true"}},
              "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
               "resources": ["pods"]}]}]}
            """
    }

    /// A cluster with a namespace, and what a client says about creating a pod in it.
    private struct Cluster {
        let server: KubernetesServer

        init() throws {
            server = try KubernetesServer()
            try apply(OperatorOnRealClusterTests.crd)
            try server.kubectl(["create", "namespace", "shop"])
            // No controller makes it here.
            try server.kubectl(["-n", "shop", "create", "serviceaccount", "default"])
            try server.kubectl([
                "wait", "--for", "condition=established", "--timeout", "120s",
                "crd/cloudtaserpolicies.cloudtaser.io",
            ])
        }

        func apply(_ text: String) throws {
            try server.kubectl(["apply", "-f", "-"], input: text)
        }

        /// - Returns: why it was refused; nil: it was created.
        func refusal(of pod: JSONTree, isDryRun: Bool = false) -> String? {
            do {
                try server.kubectl(
                    ["-n", "shop", "create", "-f", "-"]
                        + (isDryRun ? ["--dry-run=server"] : []),
                    input: String(decoding: pod.rendered(), as: UTF8.self))
                return nil
            } catch { return "\(error)" }
        }

        func stored(_ name: String) throws -> JSONTree {
            try JSONTree(
                Array(server.kubectl(["-n", "shop", "get", "pod", name, "-o", "json"]).utf8))
        }

        func names() throws -> String {
            try server.kubectl(["-n", "shop", "get", "pods", "-o", "name"])
        }
    }

    private func command(_ pod: JSONTree) -> [String] {
        pod.value(at: "spec", "containers")?.elements?.first?["command"]?.elements?
            .compactMap(\.text) ?? []
    }

    private func eventually(_ isTrue: () async throws -> Bool) async throws {
        while try await !isTrue() { try await Task.sleep(for: .milliseconds(100)) }
    }

    @Test func `wraps who asks, refuses who may not, and nobody passes while it is down`()
        async throws
    {
        let cluster = try Cluster()
        let program = try await RunningOperator(
            pki: cluster.server.pki,
            [
                "--kubeconfig", cluster.server.kubeconfigFile, "--selector", "label",
                "--namespace", "shop", "--request-seconds", "300",
            ])
        try await eventually { try await program.health("/readyz").0 == 200 }
        // The control: without a webhook nothing is wrapped.
        #expect(cluster.refusal(of: Sample.pod("before")) == nil)
        #expect(command(try cluster.stored("before")) == ["/bin/web"])
        try cluster.apply(Self.webhook(port: program.port, pki: cluster.server.pki))
        try await eventually { cluster.refusal(of: Sample.pod("probe"), isDryRun: true) != nil }
        let without = try #require(cluster.refusal(of: Sample.pod("none"), isDryRun: true))
        #expect(
            without.contains("admission webhook \"pods.cloudtaser.io\" denied the request")
                && without.contains("the cluster has no CloudTaserPolicy; create one"), "\(without)"
        )
        try cluster.apply(Self.policy())
        try await eventually {
            try await program.health("/metrics").1.contains(
                "cloudtaser_operator_policy_in_force 1\n")
        }
        try checkPods(cluster)
        // Who leads is told.
        try await eventually {
            try await program.health("/metrics").1.contains(
                #"leader_election_master_status{name="cloudtaser-operator"} 1"#)
        }
        // A policy that takes back what it granted is in force with the next pod.
        try cluster.apply(Self.policy(#"{"wrapper": {"image": "registry.example.eu/wrapper:1"}}"#))
        try await eventually { cluster.refusal(of: Sample.pod("later"), isDryRun: true) != nil }
        try cluster.apply(Self.policy())
        try await eventually { cluster.refusal(of: Sample.pod("later"), isDryRun: true) == nil }
        #expect(!program.log.contains(Sample.secret))
        program.signal(SIGKILL)
        _ = await program.end()
        let down = try #require(cluster.refusal(of: Sample.pod("down")))
        #expect(down.contains("failed calling webhook \"pods.cloudtaser.io\""), "\(down)")
        #expect(cluster.refusal(of: Sample.pod("free", labelled: false)) == nil)
        let names = try cluster.names()
        #expect(names.contains("pod/free\n") && !names.contains("pod/down\n"))
    }

    private func checkPods(_ cluster: Cluster) throws {
        #expect(cluster.refusal(of: Sample.pod("web")) == nil)
        let web = try cluster.stored("web")
        #expect(
            command(web) == ["/cloudtaser/bin/cloudtaser-wrapper", "run", "--", "/bin/web"])
        let installing = web.value(at: "spec", "initContainers")?.elements?.first
        #expect(installing?["name"] == "cloudtaser-install")
        #expect(web.value(at: "metadata", "annotations", "cloudtaser.io/status") == "injected")
        // It says that it was wrapped: nobody believes it.
        let forged = Sample.pod("forged", more: ["cloudtaser.io/status": "injected"])
        #expect(cluster.refusal(of: forged) == nil)
        #expect(command(try cluster.stored("forged")).first?.hasSuffix("wrapper") == true)
        for (annotation, value) in [
            ("vault-address", "https://vault.evil.example"), ("vault-skip-verify", "true"),
            ("secret-paths", "secret/bank/db"), ("vault-role", "bank-web"),
        ] {
            let name = "cloudtaser.io/" + annotation
            let refusal = try #require(cluster.refusal(of: Sample.pod("evil", more: [name: value])))
            #expect(refusal.contains("metadata.annotations[\(name)]"), "\(refusal)")
            #expect(!refusal.contains(Sample.secret))
        }
        // What does not ask is not seen, whatever it says besides.
        #expect(cluster.refusal(of: Sample.pod("plain", labelled: false)) == nil)
        #expect(command(try cluster.stored("plain")) == ["/bin/web"])
        let names = try cluster.names()
        #expect(!names.contains("evil"))
        // As much as the API server takes; etcd may say no, and the operator goes on.
        let large = Sample.pod(
            "large", env: (0..<300).map { ("N\($0)", String(repeating: "x", count: 9000)) })
        let refusal = cluster.refusal(of: large) ?? ""
        #expect(!refusal.contains("failed calling webhook"), "\(refusal.prefix(500))")
        #expect(cluster.refusal(of: Sample.pod("after"), isDryRun: true) == nil)
    }
}
