// SPDX-License-Identifier: Apache-2.0
import Foundation
import LoopbackPKI
import ScriptedServer
import TestKit
import Testing

@Suite("cloudtaser doctor, and what asks a cluster, run as programs") struct DoctorTests {
    private let folder: ScratchFolder

    init() throws { folder = try ScratchFolder() }

    /// Apart from the tasks' threads, which the server's answers may need.
    private func run(
        _ words: [String], path: String = "", command: String = "doctor"
    ) async throws -> ProgramRun {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(
                    with: Result {
                        try ProgramRun(
                            "cloudtaser", [command] + words, environment: ["PATH": path])
                    })
            }
        }
    }

    private func kubeconfig(_ server: ScriptedServer, trusting pki: LoopbackPKI) throws -> String {
        let authority = Data(pki.authority.certificatePEM.utf8).base64EncodedString()
        return try folder.write(
            "kubeconfig",
            """
            {"current-context": "c", "users": [{"name": "u", "user": {"token": "t"}}],
             "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
             "clusters": [{"name": "k", "cluster": {"server": "\(server.address)",
              "certificate-authority-data": "\(authority)"}}]}
            """)
    }

    @Test func `asks for one object of each kind, and says what may not be listed`() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { request, _ in
            request.target.hasPrefix("/api/v1/secrets?")
                ? ScriptedAnswer(403, #"{"kind":"Status","reason":"Forbidden","code":403}"#)
                : ScriptedAnswer(200, #"{"metadata":{"resourceVersion":"1"},"items":[]}"#)
        }
        let run = try await run(["--kubeconfig", try kubeconfig(server, trusting: server.pki)])
        #expect(run.status == 3, "\(run)")
        #expect(run.output.contains("cluster: \(server.address) answers"))
        #expect(run.output.contains("fails        list secrets: may not be listed"))
        #expect(run.output.contains("warning      kubectl: not in PATH"))
        #expect(server.requests.count > 20)
        #expect(
            server.requests.allSatisfy { $0.method == "GET" && $0.target.contains("limit=1") })
        // Control: nothing else of the cluster fails; the other line counts the kinds.
        #expect(run.output.split(separator: "\n").count { $0.hasPrefix("fails") } == 2)
    }

    @Test func `a server of another authority fails, with the fix`() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in ScriptedAnswer() }
        let stranger = try LoopbackPKI(commonName: "Another CA")
        let run = try await run(["--kubeconfig", try kubeconfig(server, trusting: stranger)])
        #expect(run.status == 3 && run.output.contains("is not trusted"), "\(run)")
        #expect(run.output.contains("fix: kubectl cluster-info"))
    }

    @Test func `programs in PATH are asked for their versions`() async throws {
        try folder.fake("kubectl", says: "Client Version: v1.36.0\nmore")
        try folder.fake("helm", status: 1)
        let run = try await run([], path: folder.path)
        #expect(run.output.contains("/kubectl: Client Version: v1.36.0\n"), "\(run)")
        #expect(run.output.contains("/helm does not tell its version"))
        #expect(folder.words("kubectl") == ["version", "--client"])
        #expect(run.output.contains("not checked  cluster: none is named") && run.status >= 3)
    }

    @Test func `of a node only the machine is looked at`() async throws {
        let run = try await run(["--node", "-o", "json"])
        let tree = try #require(
            try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
        let checks = try #require(tree["checks"] as? [[String: String]])
        #expect(
            checks.map { $0["name"] }
                == ["kernel", "memfd_secret", "BPF LSM", "BTF", "RLIMIT_MEMLOCK"])
        #expect([0, 3, 4].contains(run.status))
        #expect(try await self.run(["--node", "--context", "a"]).status == 2)
    }

    /// A policy of which the vault is not to be reached, a node, and nothing else.
    private static func answer(_ target: String) -> ScriptedAnswer {
        let items =
            switch target.prefix(while: { $0 != "?" }) {
            case "/api/v1/nodes":
                #"{"metadata":{"name":"n"},"status":{"nodeInfo":{"kernelVersion":"5.10.0"}}}"#
            case "/apis/cloudtaser.io/v1alpha1/cloudtaserpolicies":
                #"{"metadata":{"name":"p"},"spec":{"wrapper":{"image":"w"},"grants":[],"#
                    + #""vaults":[{"name":"v","address":"https://127.0.0.1:1","audience":"a"}]}}"#
            default: ""
            }
        return ScriptedAnswer(200, #"{"metadata":{"resourceVersion":"1"},"items":["# + items + "]}")
    }

    @Test func `status and validate read a cluster, and only read`() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { request, _ in
            Self.answer(request.target)
        }
        let cluster = ["--kubeconfig", try kubeconfig(server, trusting: server.pki)]
        let status = try await run(cluster, command: "status")
        #expect(status.status == 3, "\(status)")
        let words = status.output.split(separator: "\n").map { line in
            line.split(separator: " ").prefix(2).joined(separator: " ")
        }
        #expect(
            words == [
                "STATE WHAT", "down operator", "down webhook", "ok policy", "down agents",
                "ok pods",
                "ok reports", "ok s3", "down vaults",
            ], "\(status.output)")
        let validate = try await run(cluster, command: "validate")
        #expect(validate.status == 3)
        for id in ["CT2003", "CT3016", "CT3017"] {
            #expect(validate.output.contains("\(id)  high"), "\(id) \(validate.output)")
        }
        // The vault is looked at by status, and by validate when it is told to.
        #expect(!validate.output.contains("CT2007"))
        let looked = try await run(cluster + ["--look-at-vaults"], command: "validate")
        #expect(looked.output.contains("CT2007"))
        #expect(server.requests.allSatisfy { $0.method == "GET" && $0.body.isEmpty })
    }
}
