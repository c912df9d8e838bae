// SPDX-License-Identifier: Apache-2.0
import Foundation
import KubernetesFormat
import KubernetesServer
import LoopbackPKI
import TestKit
import Testing

/// The built program with the rights that the chart gives, and a certificate that it makes itself.
@Suite(
    "The operator's own certificate", .timeLimit(.minutes(10)),
    .enabled(if: KubernetesServer.programs != nil, "CLOUDTASER_KUBERNETES names no directory"))
struct OwnCertificateTests {
    static let namespace = "cloudtaser-system"

    private struct Cluster {
        let server: KubernetesServer

        init() throws {
            // As in OpenShift: who may not delete, may not say with whom it goes.
            server = try KubernetesServer(
                flags: ["--enable-admission-plugins=OwnerReferencesPermissionEnforcement"])
            try server.kubectl(["create", "namespace", namespace])
            try server.kubectl(["-n", namespace, "create", "serviceaccount", account])
            try applyRights()
        }

        let account = "cloudtaser-operator"

        func applyRights() throws {
            let rights = Checkout.root + "/deploy/kustomize/base/operator-rights.yaml"
            try server.kubectl(["apply", "-f", rights])
        }

        /// A kubeconfig with a token of the ServiceAccount.
        func kubeconfig() throws -> String {
            let request = #"{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}"#
            let answer = try server.kubectl(
                [
                    "create", "--raw",
                    "/api/v1/namespaces/\(namespace)/serviceaccounts/\(account)/token", "-f", "-",
                ], input: request)
            let token = try #require(
                try JSONTree(Array(answer.utf8)).value(at: "status", "token")?.text)
            let path = server.directory + "/operator-kubeconfig"
            let text = """
                {"apiVersion": "v1", "kind": "Config", "current-context": "x",
                 "clusters": [{"name": "c", "cluster": {"server": "\(server.address)",
                  "certificate-authority": "\(server.authorityFile)"}}],
                 "users": [{"name": "u", "user": {"token": "\(token)"}}],
                 "contexts": [{"name": "x", "context":
                  {"cluster": "c", "user": "u", "namespace": "\(namespace)"}}]}
                """
            try Data(text.utf8).write(to: URL(filePath: path))
            return path
        }

        func get(_ arguments: String...) throws -> JSONTree {
            try JSONTree(
                Array(server.kubectl(["-n", namespace, "get", "-o", "json"] + arguments).utf8))
        }

        /// Of the configuration: the uid of each owner.
        func owners() throws -> [String] {
            let found = try get("mutatingwebhookconfiguration", "cloudtaser")
            return (found.value(at: "metadata", "ownerReferences")?.elements ?? [])
                .compactMap { $0["uid"]?.text }
        }

        func roleUID() throws -> String {
            try #require(
                try get("clusterrole", account).value(at: "metadata", "uid")?.text)
        }
    }

    private func eventually(_ isTrue: () async throws -> Bool) async throws {
        while try await !isTrue() { try await Task.sleep(for: .milliseconds(100)) }
    }

    @Test func `is made, believed and served with the chart's rights, and goes with its role`()
        async throws
    {
        let cluster = try Cluster()
        let flags = ["--kubeconfig", try cluster.kubeconfig()]
        let policy = try policyFile(in: cluster.server.directory)
        let program = try await RunningOperator(
            pki: cluster.server.pki, hasFiles: false,
            flags + ["--selector", "label", "--policy-file", policy])
        try await eventually { try await program.health("/readyz").0 == 200 }
        #expect(try cluster.owners() == [cluster.roleUID()])

        let secret = try cluster.get("secret", "cloudtaser-operator-tls")
        let authorities = try #require(
            secret.value(at: "data", "ca.crt")?.text.flatMap(Base64.decoded))
        let client = try TrustingClient(
            authorities: authorities, host: "cloudtaser-operator.\(Self.namespace).svc")
        let review = Sample.review(Sample.pod("web"))
        #expect(try await program.post(review, with: client).0 == 200)
        let stranger = try TrustingClient(cluster.server.pki)
        await #expect(throws: (any Error).self) { try await program.post(review, with: stranger) }

        #expect(try await program.certificateDays() == 30)
        let metrics = try await program.health("/metrics").1
        for line in [
            "cloudtaser_operator_certificate_failed_rounds_total 0",
            #"cloudtaser_operator_certificate_events_total{event="certificate_served"} 1"#,
        ] {
            #expect(metrics.contains(line + "\n"), "\(metrics)")
        }

        // Another release: the role is a new one, and what is left goes with it.
        let before = try cluster.roleUID()
        try cluster.server.kubectl(["delete", "clusterrole", cluster.account])
        try cluster.applyRights()
        let after = try cluster.roleUID()
        #expect(before != after)
        try cluster.server.kubectl([
            "label", "mutatingwebhookconfiguration", "cloudtaser",
            "app.kubernetes.io/managed-by=somebody", "--overwrite",
        ])
        try await eventually { try cluster.owners() == [after] }
        #expect(!program.log.contains("PRIVATE") && !program.log.contains("owner_unknown"))
        program.signal(SIGTERM)
        #expect(await program.end() == 0)
    }

    @Test func `waits, and says for what`() async throws {
        let cluster = try Cluster()
        let flags = ["--kubeconfig", try cluster.kubeconfig()]
        // This server is too old to select by annotation.
        let program = try await RunningOperator(
            pki: cluster.server.pki, hasFiles: false,
            flags + ["--policy-file", try policyFile(in: cluster.server.directory)])
        try await eventually {
            try await program.health("/readyz").1.contains("drops matchConditions")
        }
        #expect(try await program.health("/readyz").0 == 503)
        #expect(try await program.health("/healthz").0 == 200)
        #expect(program.log.contains("start with --selector label"))
        #expect(throws: KubernetesServerFailure.self, "nothing is written") {
            try cluster.get("mutatingwebhookconfiguration", "cloudtaser")
        }
        let client = try TrustingClient(cluster.server.pki)
        await #expect(throws: (any Error).self, "and nobody is answered") {
            try await program.post(Sample.review(Sample.pod("web")), with: client)
        }

        // Without the right to the Secret there is no certificate.
        try cluster.server.kubectl([
            "-n", Self.namespace, "delete", "rolebinding", "cloudtaser-operator",
        ])
        let poor = try await RunningOperator(
            pki: cluster.server.pki, hasFiles: false,
            flags + [
                "--selector", "label", "--policy-file",
                try policyFile(in: cluster.server.directory),
            ])
        try await eventually {
            try await poor.health("/readyz") == (503, "no certificate yet\n")
        }
        try await eventually {
            try await !poor.health("/metrics").1.contains("failed_rounds_total 0\n")
        }
        #expect(poor.log.contains("certificate: forbidden"))
        try cluster.applyRights()
        try await eventually { try await poor.health("/readyz").0 == 200 }
    }

    private func policyFile(in folder: String) throws -> String {
        let path = folder + "/policy.json"
        try Data(Sample.policy.utf8).write(to: URL(filePath: path))
        return path
    }
}
