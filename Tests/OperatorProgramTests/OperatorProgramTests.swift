// SPDX-License-Identifier: Apache-2.0
import Foundation
import KubernetesFormat
import LoopbackPKI
import TestKit
import Testing

/// The built program on its own: command line, strangers, certificates, end.
@Suite("The operator's program", .serialized, .timeLimit(.minutes(15))) struct OperatorProgramTests
{
    private func policyFile(_ text: String = Sample.policy) throws -> URL {
        let file = FileManager.default.temporaryDirectory.appending(
            path: "policy-\(UUID().uuidString).json")
        try Data(text.utf8).write(to: file)
        return file
    }

    private func running(requestSeconds: Int = 300) async throws -> RunningOperator {
        let file = try policyFile()
        defer { try? FileManager.default.removeItem(at: file) }
        return try await RunningOperator(
            pki: LoopbackPKI(),
            [
                "--policy-file", file.path(), "--selector", "label", "--request-seconds",
                String(requestSeconds),
            ])
    }

    private func response(_ body: [UInt8]) throws -> JSONTree {
        try #require(try JSONTree(body)["response"])
    }

    @Test func `helps with every flag and examples`() throws {
        let help = try ProgramRun("cloudtaser-operator", ["--help"], environment: [:])
        #expect(help.status == 0)
        for text in [
            "--address", "--port", "--health-port", "--tls-certificate", "--tls-key",
            "--kubeconfig", "--policy-file", "--selector", "--namespace", "--lease-name",
            "--drain-seconds", "--request-seconds", "--report-seconds", "Examples:", "Exit codes:",
            "--registry-credentials", "--registry-mirror", "--registry-ca", "--registry-host",
            "--registry-insecure",
        ] {
            #expect(help.output.contains(text), "\(text)")
        }
    }

    @Test(
        arguments: [
            (["--port", "70000"], 64, "use 0 to 65535"),
            (["--drain-seconds", "301"], 64, "0 to 300"),
            (["--selector", "both"], 64, "selector"), (["--request-seconds", "0"], 64, "1 to 300"),
            (["--report-seconds", "0"], 64, "1 to 300"),
            (["--report-seconds", "301"], 64, "--report-seconds is out of range"),
            (["--lease-name", ""], 64, "lease-name"),
            (["--registry-mirror", "a.eu=b.eu"], 64, "write HOST=https://MIRROR"),
            (["--registry-host", "https://a.eu"], 64, "--registry-host is no host"),
            (["--registry-insecure", "a/b"], 64, "--registry-insecure is no host"),
            (
                ["--policy-file", "POLICY", "--registry-credentials", "/nowhere/c.json"], 1,
                "/nowhere/c.json cannot be read; name a file"
            ),
            (
                ["--policy-file", "POLICY", "--registry-credentials", "BROKEN"], 1,
                "has no object 'auths'"
            ),
            (
                ["--policy-file", "POLICY", "--registry-ca", "BROKEN"], 1,
                "holds no certificates in PEM"
            ),
            (
                ["--policy-file", "/nowhere/p.json"], 1,
                "/nowhere/p.json cannot be read; name a file"
            ),
            (["--kubeconfig", "/nowhere/config"], 1, "/nowhere/config"),
            ([], 1, "name a kubeconfig"),
            (["--policy-file", "POLICY"], 1, "/nowhere/cert.pem cannot be read; name a PEM file"),
            (["--policy-file", "BROKEN"], 1, "wrapper.image: is missing; write it"),
        ] as [([String], Int32, String)])
    func `refuses what it cannot run with, and names the fix`(
        _ flags: [String], _ status: Int32, _ text: String
    ) throws {
        let files = ["POLICY": try policyFile(), "BROKEN": try policyFile("{}")]
        defer { for file in files.values { try? FileManager.default.removeItem(at: file) } }
        let run = try ProgramRun(
            "cloudtaser-operator",
            ["--tls-certificate", "/nowhere/cert.pem", "--tls-key", "/nowhere/key.pem"]
                + flags.map { files[$0]?.path() ?? $0 }, environment: [:])
        #expect(run.status == status, "\(run)")
        #expect(run.errors.contains(text), "\(run.errors)")
    }

    @Test(
        arguments: [
            (["--tls-key", "k", "--policy-file", "p"], 64, "give both or neither"),
            (["--tls-certificate", "c"], 64, "give both or neither"),
            (["--policy-file", "p"], 64, "without a cluster nobody believes"),
            ([], 1, "name a kubeconfig"),
            (["--kubeconfig", "KUBECONFIG"], 1, "Service in no namespace; say --namespace"),
        ] as [([String], Int32, String)])
    func `says what a certificate of its own needs`(
        _ flags: [String], _ status: Int32, _ text: String
    ) throws {
        let kubeconfig = try policyFile(
            """
            {"apiVersion": "v1", "kind": "Config", "current-context": "x",
             "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
             "users": [{"name": "u", "user": {"token": "t"}}],
             "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}]}
            """)
        defer { try? FileManager.default.removeItem(at: kubeconfig) }
        let run = try ProgramRun(
            "cloudtaser-operator",
            flags.map { $0 == "KUBECONFIG" ? kubeconfig.path() : $0 }, environment: [:])
        #expect(run.status == status, "\(run)")
        #expect(run.errors.contains(text), "\(run.errors)")
    }

    @Test func `answers, counts, is ready, and ends in good order`() async throws {
        let program = try await running()
        let client = try TrustingClient(program.pki)
        let (status, body) = try await program.post(Sample.review(Sample.pod("web")), with: client)
        #expect(status == 200)
        let response = try response(body)
        #expect(response["allowed"] == true && response["patchType"] == "JSONPatch")
        let refused = try await program.post(
            Sample.review(Sample.pod("web")), with: client, path: "/validate")
        #expect(try self.response(refused.1)["allowed"] == false)
        #expect(try await program.health("/healthz") == (200, "ok\n"))
        #expect(try await program.health("/readyz") == (200, "ready\n"))
        let metrics = try await program.health("/metrics").1
        for line in [
            #"controller_runtime_webhook_requests_total{code="200",webhook="/mutate"} 1"#,
            "cloudtaser_operator_policy_in_force 1", "# TYPE process_resident_memory_bytes gauge",
        ] {
            #expect(metrics.contains(line + "\n"), "\(metrics)")
        }
        program.signal(SIGTERM)
        #expect(await program.end() == 0)
        #expect(program.log.contains(#""event":"stopped""#))
    }

    @Test func `takes a new certificate while it runs, and keeps the old one when it is none`()
        async throws
    {
        let program = try await running()
        let other = try LoopbackPKI(commonName: "another")
        let review = Sample.review(Sample.pod("web"))
        let early = try TrustingClient(other)
        await #expect(throws: (any Error).self) { try await program.post(review, with: early) }
        // A key of somebody else: told, and nothing changes.
        try Data("junk".utf8).write(
            to: program.folder.appending(path: "server-key.pem"), options: .atomic)
        while !program.log.contains("certificate_unusable") {
            try await Task.sleep(for: .milliseconds(50))
        }
        let client = try TrustingClient(program.pki)
        #expect(try await program.post(review, with: client).0 == 200)
        #expect(try await program.certificateDays() == 30)
        try RunningOperator.write(try other.server(days: 60), to: program.folder)
        while !program.log.contains("certificate_replaced") {
            try await Task.sleep(for: .milliseconds(50))
        }
        let late = try TrustingClient(other)
        #expect(try await program.post(review, with: late).0 == 200)
        #expect(try await program.certificateDays() == 60)
        #expect(!program.log.contains("PRIVATE"))
    }

    @Test func `refuses malicious input clearly, stays small and tells no secret`() async throws {
        let program = try await running()
        let client = try TrustingClient(program.pki)
        let good = Sample.review(Sample.pod("web"))
        // The control: what is refused below is refused for what is wrong with it.
        for _ in 0..<100 { #expect(try await program.post(good, with: client).0 == 200) }
        let before = program.residentBytes
        func refusal(_ pod: JSONTree) async throws -> String {
            let (status, body) = try await program.post(Sample.review(pod), with: client)
            #expect(status == 200)
            let response = try response(body)
            #expect(response["allowed"] == false && response["patch"] == nil)
            return response.value(at: "status", "message")?.text ?? ""
        }
        let deep = String(repeating: "[", count: 200_000) + Sample.secret
        let mega = String(repeating: Sample.secret, count: (8 << 20) / Sample.secret.utf8.count)
        for round in 0..<4 {
            for (body, type, wanted, text) in [
                (Sample.review(Sample.pod("a"), uid: nil), "application/json", 400, "request.uid"),
                (
                    Sample.review(Sample.pod("a"), version: "v1beta1"), "application/json", 400,
                    "apiVersion is not admission.k8s.io/v1"
                ),
                (good, "text/plain", 415, "application/json"),
                (good, "application/yaml", 415, "application/json"),
                (Array(deep.utf8), "application/json", 400, "nests deeper than 32"),
                (Array(good.dropLast(9)), "application/json", 400, "no JSON at byte"),
                (Array(mega.utf8), "application/json", 413, "larger than 7340032 bytes"),
                ([], "application/json", 400, "no JSON at byte 0"),
            ] {
                let (status, answer) = try await program.post(body, with: client, type: type)
                let said = String(decoding: answer, as: UTF8.self)
                #expect(status == wanted && said.contains(text), "\(round): \(status) \(said)")
                #expect(!said.contains(Sample.secret))
            }
            // 3 MB of a pod: taken, and answered.
            let large = Sample.pod(
                "large",
                env: (0..<300).map { ("N\($0)", String(repeating: Sample.secret, count: 476)) })
            let (status, answer) = try await program.post(Sample.review(large), with: client)
            #expect(status == 200)
            #expect(try response(answer)["allowed"] == true)
            let larger = Sample.pod(
                "larger", env: [("N", String(repeating: "x", count: 3 << 20))])
            #expect(try await refusal(larger).contains("is larger than 3145728 bytes"))
            #expect(
                try await refusal(
                    Sample.pod(
                        "evil", more: ["cloudtaser.io/vault-address": "https://evil.example"])
                ).contains("cloudtaser.io/vault-address"))
        }
        // A generous bound for two connections, each with a review of 7 MiB at most.
        let after = program.residentBytes
        #expect(before > 0 && after - before < 96 << 20, "\(before) to \(after)")
        #expect(!program.log.contains(Sample.secret) && program.log.contains("pod_refused"))
    }

    @Test func `goes on beside 1000 connections that say nothing`() async throws {
        let program = try await running()
        let good = Sample.review(Sample.pod("web"))
        #expect(try await program.post(good, with: TrustingClient(program.pki)).0 == 200)
        let before = program.residentBytes
        let crowd = try IdleCrowd(port: program.port, count: 1000)
        // Connections from before it have made room.
        let client = try TrustingClient(program.pki)
        for _ in 0..<50 { #expect(try await program.post(good, with: client).0 == 200) }
        let after = program.residentBytes
        #expect(before > 0 && after - before < 64 << 20, "\(before) to \(after)")
        program.signal(SIGTERM)
        #expect(await program.end() == 0)
        withExtendedLifetime(crowd) {}
    }

    @Test func `ends a body that never ends, and goes on`() async throws {
        let program = try await running(requestSeconds: 5)
        let client = try TrustingClient(program.pki)
        // Whether the first part of it arrives in time is the machine's business.
        var status = 0
        while status == 0 {
            status = (try? await EndlessBody.send(to: program.port, with: client)) ?? 0
        }
        #expect(status == 408)
        #expect(program.isRunning)
    }
}
