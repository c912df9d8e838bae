// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import Foundation
import KubernetesFormat
import LoopbackPKI
import NIOCore
import NIOHTTP1
import NIOSSL
import Simulation
import TestKit
import VaultListener

struct ProxyDidNotStart: Error { let log: String }

/// A vault with what the proxy needs, and with values that must not be seen anywhere.
enum SampleVault {
    static let clientSecret = "client-secret-in-plain-text"
    static let upstreamSecret = "upstream-secret-in-plain-text"
    static let clientsPath = "secret/s3/clients"
    static let upstreamPath = "secret/s3/upstream"

    static func make() throws -> LoopbackVault {
        var vault = SimulatedVault()
        vault.put(
            mount: "secret", name: "s3/clients",
            fields: [("AKIA1", .string(clientSecret)), ("AKIA2", .string(clientSecret + "2"))])
        vault.put(
            mount: "secret", name: "s3/upstream",
            fields: [
                ("access_key_id", .string("UP1")), ("secret_access_key", .string(upstreamSecret)),
            ])
        vault.setTransitKey("objects", mount: "transit", .init(isDerived: true))
        vault.setTransitKey("plain", mount: "transit", .init(isDerived: false))
        let paths = [
            "secret/data/s3/clients", "secret/data/s3/upstream", "transit/encrypt/objects",
            "transit/decrypt/objects", "transit/encrypt/plain", "transit/decrypt/plain",
        ]
        vault.namespaces[""]?.authBackends = [
            "approle": .appRole([
                "role-id": .init(credentials: ["secret-id"], readable: paths)
            ])
        ]
        return try LoopbackVault(vault: vault)
    }
}

/// The built program, serving on loopback. It is killed with its owner.
final class RunningProxy: Sendable {
    let vault: LoopbackVault
    let folder: URL
    let port: Int
    let healthPort: Int
    private let process: Process

    init(
        vault: LoopbackVault, key: String = "objects", tls: Identity? = nil, _ flags: [String] = []
    ) async throws {
        self.vault = vault
        folder = FileManager.default.temporaryDirectory.appending(
            path: "s3-proxy-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        let log = folder.appending(path: "log")
        try Data().write(to: log)
        process = Process()
        process.executableURL = URL(filePath: ProgramRun.path(of: "cloudtaser-s3-proxy"))
        process.arguments = try Self.flags(vault, key: key) + flags
        if let tls {
            try Self.write(tls, to: folder)
            process.arguments? += [
                "--tls-certificate", folder.appending(path: "server.pem").path(),
                "--tls-key", folder.appending(path: "server-key.pem").path(),
            ]
        } else {
            process.arguments?.append("--plain-http")
        }
        process.environment = ["HOME": folder.path(), "PATH": "/usr/bin:/bin"]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: log)
        try process.runUnblocked()
        while true {
            let text = String(decoding: try Data(contentsOf: log), as: UTF8.self)
            let line = text.split(separator: "\n").first { $0.contains(#""event":"serving""#) }
            if let line, let record = try? JSONTree(Array(line.utf8)),
                let port = record["port"]?.text.flatMap({ Int($0) }),
                let healthPort = record["healthPort"]?.text.flatMap({ Int($0) })
            {
                (self.port, self.healthPort) = (port, healthPort)
                return
            }
            guard process.isRunning else { throw ProxyDidNotStart(log: text) }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }

    static func flags(_ vault: LoopbackVault, key: String) throws -> [String] {
        [
            "--listen", "127.0.0.1:0", "--health-listen", "127.0.0.1:0", "--drain-seconds", "0",
            "--upstream-endpoint", "https://s3.example.com",
            "--vault-address", "https://127.0.0.1:\(vault.listener.port)",
            "--vault-ca", vault.authorityFile, "--vault-auth-method", "approle",
            "--vault-role", "role-id",
            "--vault-secret-id-file", try vault.file("secret-id", "secret-id"),
            "--minimum-tier", "ordinary", "--transit-key", key,
            "--clients-path", SampleVault.clientsPath,
            "--upstream-credentials-path", SampleVault.upstreamPath,
            "--credentials-seconds", "5",
        ]
    }

    static func write(_ identity: Identity, to folder: URL) throws {
        for (name, text) in [
            ("server.pem", identity.certificatePEM), ("server-key.pem", identity.keyPEM),
        ] {
            try Data(text.utf8).write(to: folder.appending(path: name), options: .atomic)
        }
    }

    /// Until the certificate expires, rounded; nil: the metrics have none.
    func certificateDays() async throws -> Int? {
        let name = "cloudtaser_s3_certificate_expiration_timestamp_seconds "
        let lines = try await health("/metrics").1.split(separator: "\n")
        return lines.first { $0.hasPrefix(name) }.flatMap { Double($0.dropFirst(name.count)) }
            .map { Int((($0 - Date().timeIntervalSince1970) / 86_400).rounded()) }
    }

    var log: String {
        (try? String(contentsOf: folder.appending(path: "log"), encoding: .utf8)) ?? ""
    }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// - Returns: exit code, or 128 + the signal.
    func end() async -> Int32 {
        while process.isRunning { try? await Task.sleep(for: .milliseconds(10)) }
        return process.terminationStatus
            + (process.terminationReason == .uncaughtSignal ? 128 : 0)
    }

    /// What the health port says: status and text.
    func health(_ path: String) async throws -> (Int, String) {
        let response = try await HTTPClient.shared.execute(
            HTTPClientRequest(url: "http://127.0.0.1:\(healthPort)\(path)"),
            timeout: .seconds(120))
        let body = try await response.body.collect(upTo: 1 << 20)
        return (Int(response.status.code), String(buffer: body))
    }

    /// Waits, however busy the machine is.
    func until(
        _ path: String, _ isSo: (_ status: Int, _ text: String) -> Bool
    ) async throws -> Bool {
        for _ in 0..<6000 {
            let (status, text) = try await health(path)
            if isSo(status, text) { return true }
            try await Task.sleep(for: .milliseconds(20))
        }
        return false
    }

    /// Whether a client that trusts this authority gets an answer over TLS.
    func answers(to authorityPEM: String) async throws -> Bool {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .certificates(
            try NIOSSLCertificate.fromPEMBytes(Array(authorityPEM.utf8)))
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = tls
        let client = HTTPClient(
            eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
        let request = HTTPClientRequest(url: "https://127.0.0.1:\(port)/")
        let status = try? await client.execute(request, timeout: .seconds(120)).status.code
        try await client.shutdown()
        return status != nil
    }
}
