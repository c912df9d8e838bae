// SPDX-License-Identifier: Apache-2.0
import Foundation
import LoopbackPKI
import Simulation
import TestKit
import Testing
import VaultListener

/// The built program on its own: command line, vault, certificates, end.
@Suite("The S3 proxy's program", .serialized, .timeLimit(.minutes(15))) struct S3ProxyProgramTests {
    @Test func `helps, and tells its version`() throws {
        let help = try ProgramRun("cloudtaser-s3-proxy", ["--help"], environment: [:])
        #expect(help.status == 0)
        for text in ["--listen", "--transit-key", "Examples:", "Exit codes:", "VAULT_ADDR"] {
            #expect(help.output.contains(text), "\(text)")
        }
        let version = try ProgramRun("cloudtaser-s3-proxy", ["--version"], environment: [:])
        #expect(version.status == 0 && version.output.hasPrefix("cloudtaser-s3-proxy "))
    }

    @Test(
        arguments: [
            ([], [:], 64, "is not set"), (["--nope"], [:], 64, "unknown flag '--nope'"),
            (["--config", "/nowhere/c"], [:], 64, "/nowhere/c cannot be read; name a file"),
            (["--plain-http"], ["CLOUDTASER_S3_REGOIN": "a"], 64, "CLOUDTASER_S3_REGOIN"),
            (
                ["GOOD", "--tls-certificate", "/nowhere/c", "--tls-key", "/nowhere/k"], [:], 1,
                "/nowhere/c cannot be read; name a PEM file"
            ),
            (["GOOD", "--plain-http", "--listen", "192.0.2.1:1"], [:], 1, "choose another with"),
        ] as [([String], [String: String], Int32, String)])
    func `refuses what it cannot run with, and names the fix`(
        _ flags: [String], _ variables: [String: String], _ status: Int32, _ text: String
    ) throws {
        let vault = try SampleVault.make()
        var words = flags
        if words.first == "GOOD" {
            words.removeFirst()
            var good = try RunningProxy.flags(vault, key: "objects")
            if words.contains("--listen") { good.removeFirst(2) }
            words = good + words
        }
        let run = try ProgramRun("cloudtaser-s3-proxy", words, environment: variables)
        #expect(run.status == status)
        #expect(run.errors.contains(text), "\(run.errors)")
    }

    @Test func `is ready when it has what it needs from the vault, and ends in good order`()
        async throws
    {
        let vault = try SampleVault.make()
        let proxy = try await RunningProxy(vault: vault)
        #expect(try await proxy.until("/readyz") { $0 == 200 && $1 == "ready\n" }, "\(proxy.log)")
        #expect(try await proxy.health("/healthz") == (200, "ok\n"))
        #expect(try await proxy.health("/other").0 == 404)
        let (status, metrics) = try await proxy.health("/metrics")
        #expect(status == 200)
        #expect(metrics.contains("\ncloudtaser_s3_proxy_clients 2\n"))
        #expect(metrics.contains("\ncloudtaser_s3_proxy_ready 1\n"))
        vault.listener.withVault {
            $0.put(mount: "secret", name: "s3/clients", fields: [("AKIA3", .string("x"))])
        }
        #expect(
            try await proxy.until("/metrics") { $1.contains("\ncloudtaser_s3_proxy_clients 1\n") })
        proxy.signal(SIGTERM)
        #expect(await proxy.end() == 0)
        let log = proxy.log
        #expect(log.contains(#""event":"stopped""#))
        // The token that it had is given back.
        let calls = vault.listener.withVault { $0.log }
        #expect(calls.contains("POST /v1/auth/token/revoke-self"))
        for secret in [SampleVault.clientSecret, SampleVault.upstreamSecret, "secret-id\""] {
            #expect(!log.contains(secret) && !metrics.contains(secret))
        }
    }

    @Test func `is not ready with a key that binds nothing`() async throws {
        let proxy = try await RunningProxy(vault: SampleVault.make(), key: "plain")
        #expect(try await proxy.until("/readyz") { $1.hasSuffix(": transit key\n") })
        for _ in 0..<6000 where !proxy.log.contains("derived=true") {
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(proxy.log.contains("derived=true"))
        #expect(try await proxy.health("/readyz").0 == 503)
        #expect(try await proxy.health("/healthz").0 == 200)
    }

    @Test func `waits for a vault that is sealed`() async throws {
        let vault = try SampleVault.make()
        vault.listener.withVault { $0.condition = .sealed }
        let proxy = try await RunningProxy(vault: vault)
        for _ in 0..<6000 where !proxy.log.contains("clients_failed") {
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(try await proxy.health("/readyz").0 == 503)
        vault.listener.withVault { $0.condition = .active }
        #expect(try await proxy.until("/readyz") { status, _ in status == 200 }, "\(proxy.log)")
        #expect(proxy.log.contains("clients_recovered"))
    }

    @Test func `serves another certificate when the files change`() async throws {
        let (first, second) = (try LoopbackPKI(), try LoopbackPKI(commonName: "Another CA"))
        let proxy = try await RunningProxy(vault: SampleVault.make(), tls: first.server())
        #expect(try await proxy.answers(to: first.authority.certificatePEM))
        #expect(try await !proxy.answers(to: second.authority.certificatePEM))
        #expect(try await proxy.certificateDays() == 30)
        #expect(try await proxy.until("/readyz") { status, _ in status == 200 }, "\(proxy.log)")
        let page = try await proxy.health("/metrics").1
        #expect(ExportedMetrics.declared(in: page) == (try ExportedMetrics.listed("s3-proxy")))
        try RunningProxy.write(second.server(days: 60), to: proxy.folder)
        for _ in 0..<6000 where !proxy.log.contains("certificate_replaced") {
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(try await proxy.answers(to: second.authority.certificatePEM))
        #expect(try await !proxy.answers(to: first.authority.certificatePEM))
        #expect(try await proxy.certificateDays() == 60)
    }

    @Test func `tells no end of a certificate where it serves none`() async throws {
        let proxy = try await RunningProxy(vault: SampleVault.make())
        #expect(try await proxy.certificateDays() == nil)
        #expect(try await proxy.health("/metrics").1.contains("cloudtaser_s3_proxy_ready"))
    }
}
