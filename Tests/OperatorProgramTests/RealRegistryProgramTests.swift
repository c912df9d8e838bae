// SPDX-License-Identifier: Apache-2.0
import Foundation
import KubernetesFormat
import LoopbackPKI
import RegistryServer
import TestKit
import Testing

/// The program, asked about pods whose images are in a real registry.
@Suite(
    "OperatorOnRealRegistryTests",
    .enabled(if: RegistryServer.program != nil, "CLOUDTASER_REGISTRY names no program"))
struct OperatorOnRealRegistryTests {
    /// Credentials as `kubectl create secret docker-registry` makes them.
    fileprivate static func credentials(_ host: String, _ password: String) -> Data {
        let auth = Data("\(RegistryServer.user):\(password)".utf8).base64EncodedString()
        return Data(#"{"auths": {"\#(host)": {"auth": "\#(auth)"}}}"#.utf8)
    }

    private struct Bench {
        let server: RegistryServer
        let upload: RegistryUpload
        let program: RunningOperator
        let client: TrustingClient
        let folder: URL

        init() async throws {
            let pki = try LoopbackPKI()
            server = try RegistryServer(pki: pki)
            let login = "\(RegistryServer.user):\(RegistryServer.password)"
            upload = try RegistryUpload(
                host: server.host, pki: pki,
                authorization: "Basic " + Data(login.utf8).base64EncodedString())
            let folder = FileManager.default.temporaryDirectory.appending(
                path: "registries-\(UUID().uuidString)")
            self.folder = folder
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
            let policy = Sample.policy.replacing(
                #""entrypoints":"explicit-command""#, with: #""architectures":["amd64","arm64"]"#)
            for (name, data) in [
                ("policy.json", Data(policy.utf8)),
                ("ca.pem", Data(pki.authority.certificatePEM.utf8)),
                (
                    "wrong.json",
                    OperatorOnRealRegistryTests.credentials(server.host, "not-the-password")
                ),
                (
                    "right.json",
                    OperatorOnRealRegistryTests.credentials(
                        server.host + "/team", RegistryServer.password)
                ),
            ] {
                try data.write(to: folder.appending(path: name))
            }
            func path(_ name: String) -> String { folder.appending(path: name).path() }
            program = try await RunningOperator(
                pki: pki,
                [
                    "--policy-file", path("policy.json"), "--selector", "label",
                    "--request-seconds", "300", "--registry-ca", path("ca.pem"),
                    "--registry-credentials", path("wrong.json"),
                    "--registry-credentials", path("right.json"),
                    "--registry-mirror", "mirrored.invalid=https://\(server.host)/team",
                ])
            client = try TrustingClient(pki)
        }

        func write(_ name: String, _ data: Data) throws {
            try data.write(to: folder.appending(path: name), options: .atomic)
        }

        /// - Returns: the command of the stored pod, or why it was refused.
        func command(
            _ image: String, arguments: [String] = []
        ) async throws -> [String] {
            var pod = Sample.pod("web")
            var container = pod["spec"]?["containers"]?.elements?.first ?? .null
            container["command"] = nil
            container["image"] = .string(image)
            if !arguments.isEmpty { container["args"] = .array(arguments.map { .string($0) }) }
            pod["spec"] = ["containers": [container]]
            let (_, body) = try await program.post(Sample.review(pod), with: client)
            let response = try #require(try JSONTree(body)["response"])
            guard response["allowed"] == true else {
                return [response.value(at: "status", "message")?.text ?? ""]
            }
            let patch = try #require(
                response["patch"]?.text.flatMap { Data(base64Encoded: $0) })
            let stored = try JSONPatch.apply(JSONTree(Array(patch)), to: pod)
            return stored.value(at: "spec", "containers")?.elements?.first?["command"]?.elements?
                .compactMap(\.text) ?? []
        }

        /// Without a slow answer being taken for the last one.
        func patiently(_ image: String, arguments: [String] = []) async throws -> [String] {
            while true {
                let found = try await command(image, arguments: arguments)
                guard found.first?.contains("in time") == true else { return found }
            }
        }
    }

    private static let wrapper = ["/cloudtaser/bin/cloudtaser-wrapper", "run", "--"]

    @Test
    func `what has no command starts what its image says, and what cannot be told is refused`()
        async throws
    {
        let bench = try await Bench()
        defer { try? FileManager.default.removeItem(at: bench.folder) }
        let amd = StockImage(entrypoint: ["/entry", "$HOME"], command: ["serve", "$(X)$$"])
        var arm = amd
        arm.architecture = "arm64"
        let digest = try await StockImage.pushIndex(
            [.attestation, amd, arm], to: bench.upload, "team/app", tag: "1")
        let host = bench.server.host
        // The first credential is wrong; a mirror's folder is part of the name.
        for image in [
            "\(host)/team/app:1", "mirrored.invalid/app:1", "\(host)/team/app@\(digest)",
        ] {
            #expect(
                try await bench.patiently(image)
                    == Self.wrapper + ["/entry", "$$HOME", "serve", "$$(X)$$$$"])
            #expect(
                try await bench.patiently(image, arguments: ["$(PORT)"])
                    == Self.wrapper + ["/entry", "$$HOME"])
        }
        arm.entrypoint = ["/other"]
        try await StockImage.pushIndex([amd, arm], to: bench.upload, "team/app", tag: "2")
        #expect(
            try await bench.patiently("\(host)/team/app:2")[0].contains(
                "its image starts differently on amd64 and arm64; set command"))
        #expect(
            try await bench.patiently("\(host)/team/app:3")[0].contains(
                "\(host): it has no such image); set command"))
        // No credential is for it.
        try await amd.push(to: bench.upload, "other/app", tag: "1")
        #expect(
            try await bench.patiently("\(host)/other/app:1")[0].contains(
                "\(host): it lets nobody in with the operator's credentials); set command"))
        try await checkRenewal(bench, amd)
        // What is known needs no registry.
        bench.server.stop()
        #expect(try await bench.patiently("\(host)/team/app@\(digest)")[0] == Self.wrapper[0])
        #expect(
            try await bench.patiently("\(host)/team/app:9")[0].contains(
                "\(host): it is not available: cannot connect); set command"))
        let metrics = try await bench.program.health("/metrics").1
        #expect(metrics.contains(#"registry_calls_total{outcome="unauthorized"}"#))
        for text in [metrics, bench.program.log] {
            #expect(!text.contains(RegistryServer.password) && !text.contains("not-the-password"))
        }
        #expect(!metrics.contains("team"))
    }

    /// Files that are replaced count; those that cannot be used do not.
    private func checkRenewal(_ bench: Bench, _ image: StockImage) async throws {
        let name = bench.server.host + "/other/app"
        try bench.write("wrong.json", Data("not-the-password".utf8))
        while !bench.program.log.contains("registry_credentials_unusable") {
            try await Task.sleep(for: .milliseconds(50))
        }
        try await image.push(to: bench.upload, "team/app", tag: "4")
        #expect(try await bench.patiently(bench.server.host + "/team/app:4").count > 3)
        try bench.write(
            "wrong.json", Self.credentials(bench.server.host, RegistryServer.password))
        while !bench.program.log.contains("registry_credentials_replaced") {
            try await Task.sleep(for: .milliseconds(50))
        }
        // Another tag: a failure is remembered for some seconds.
        try await image.push(to: bench.upload, "other/app", tag: "2")
        #expect(try await bench.patiently(name + ":2").count > 3)
    }
}
