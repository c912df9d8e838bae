// SPDX-License-Identifier: Apache-2.0
import Foundation
import KubernetesFormat
import KubernetesServer
import LoopbackPKI
import OpenBaoServer
import TestKit
import Testing

/// The built program as the leader of a real cluster, with a real vault.
@Suite(
    "The operator and the vaults of its policy", .timeLimit(.minutes(10)),
    .enabled(
        if: KubernetesServer.programs != nil && OpenBaoServer.binary != nil,
        "CLOUDTASER_KUBERNETES or CLOUDTASER_OPENBAO names nothing"))
struct VaultProbeProgramTests {
    private static func policy(_ address: String) -> String {
        #"{"vaults":[{"name":"main","address":"\#(address)","audience":"vault"}],"grants":[],"#
            + #""wrapper":{"image":"registry.example.eu/wrapper:1"}}"#
    }

    private func eventually(_ isTrue: () async throws -> Bool) async throws {
        while try await !isTrue() { try await Task.sleep(for: .milliseconds(200)) }
    }

    @Test func `are told by metrics, and every metric of the list is there`() async throws {
        let vault = try OpenBaoServer()
        let keys = try vault.initialize()
        try vault.seal(keys)
        let cluster = try KubernetesServer()
        try cluster.kubectl(["create", "namespace", "cloudtaser-system"])
        // Without them no look at the workloads comes to its end.
        let definitions = Checkout.root + "/deploy/kustomize/base/crd-protectionreport.yaml"
        try cluster.kubectl(["apply", "--validate=false", "-f", definitions])
        let policy = cluster.directory + "/probe-policy.json"
        try Data(Self.policy(vault.address).utf8).write(to: URL(filePath: policy))
        let flags = [
            "--kubeconfig", cluster.kubeconfigFile, "--policy-file", policy,
            "--namespace", "cloudtaser-system", "--selector", "label",
        ]
        let program = try await RunningOperator(
            pki: cluster.pki, hasFiles: false,
            flags + ["--vault-probe", "--vault-authorities", vault.authorityFile])
        func page() async throws -> String { try await program.health("/metrics").1 }
        try await eventually {
            try await page().contains(
                #"cloudtaser_operator_vault_state{state="sealed",vault="main"} 1"#)
        }
        #expect(try await page().contains(#"cloudtaser_operator_vault_up{vault="main"} 0"#))
        #expect(program.log.contains(#""event":"vault_state""#))
        // Nobody is refused for it.
        #expect(try await program.health("/readyz").0 == 200)
        try await eventually {
            try await ExportedMetrics.declared(in: page())
                == (try ExportedMetrics.listed("operator"))
        }
        try vault.unseal(keys)
        try await eventually {
            try await page().contains(#"cloudtaser_operator_vault_up{vault="main"} 1"#)
        }
        program.signal(SIGTERM)
        #expect(await program.end() == 0)
    }

    @Test func `are not asked without the flag, nor believed without authorities`() async throws {
        let vault = try OpenBaoServer()
        _ = try vault.initialize()
        let cluster = try KubernetesServer()
        try cluster.kubectl(["create", "namespace", "cloudtaser-system"])
        let policy = cluster.directory + "/probe-policy.json"
        try Data(Self.policy(vault.address).utf8).write(to: URL(filePath: policy))
        let flags = [
            "--kubeconfig", cluster.kubeconfigFile, "--policy-file", policy,
            "--namespace", "cloudtaser-system", "--selector", "label",
        ]
        let silent = try await RunningOperator(pki: cluster.pki, flags)
        try await eventually {
            try await silent.health("/metrics").1.contains(
                #"leader_election_master_status{name="cloudtaser-operator"} 1"#)
        }
        #expect(try await !silent.health("/metrics").1.contains("cloudtaser_operator_vault"))
        silent.signal(SIGTERM)
        _ = await silent.end()
        let strict = try await RunningOperator(pki: cluster.pki, flags + ["--vault-probe"])
        try await eventually {
            try await strict.health("/metrics").1.contains(
                #"cloudtaser_operator_vault_state{state="untrusted",vault="main"} 1"#)
        }
    }
}
