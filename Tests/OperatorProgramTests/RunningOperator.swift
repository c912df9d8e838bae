// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import Foundation
import KubernetesFormat
import LoopbackPKI
import NIOCore
import NIOHTTP1
import NIOSSL
import TestKit

struct OperatorDidNotStart: Error { let log: String }

/// The built program, serving on loopback. It is killed with its owner.
final class RunningOperator: Sendable {
    let pki: LoopbackPKI
    /// Its files: `server.pem`, `server-key.pem`, the log.
    let folder: URL
    let port: Int
    let healthPort: Int
    private let process: Process

    /// - Parameters:
    ///   - hasFiles: with a certificate in files.
    ///   - flags: beside the certificate, the address and the ports.
    init(pki: LoopbackPKI, hasFiles: Bool = true, _ flags: [String]) async throws {
        self.pki = pki
        folder = FileManager.default.temporaryDirectory.appending(
            path: "operator-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        try Self.write(try pki.server(), to: folder)
        let log = folder.appending(path: "log")
        try Data().write(to: log)
        process = Process()
        process.executableURL = URL(filePath: ProgramRun.path(of: "cloudtaser-operator"))
        process.arguments =
            [
                "--address", "127.0.0.1", "--port", "0", "--health-port", "0",
                "--drain-seconds", "0",
            ] + flags
        if hasFiles {
            process.arguments? += [
                "--tls-certificate", folder.appending(path: "server.pem").path(),
                "--tls-key", folder.appending(path: "server-key.pem").path(),
            ]
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
            guard process.isRunning else { throw OperatorDidNotStart(log: text) }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
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
        let name = "cloudtaser_operator_certificate_expiration_timestamp_seconds "
        let lines = try await health("/metrics").1.split(separator: "\n")
        return lines.first { $0.hasPrefix(name) }.flatMap { Double($0.dropFirst(name.count)) }
            .map { Int((($0 - Date().timeIntervalSince1970) / 86_400).rounded()) }
    }

    var log: String {
        (try? String(contentsOf: folder.appending(path: "log"), encoding: .utf8)) ?? ""
    }

    /// Bytes in memory.
    var residentBytes: Int {
        let path = "/proc/\(process.processIdentifier)/status"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return (line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
    }

    var isRunning: Bool { process.isRunning }

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

    /// - Returns: status and body.
    func post(
        _ body: [UInt8], with client: TrustingClient, path: String = "/mutate",
        type: String = "application/json"
    ) async throws -> (Int, [UInt8]) {
        var request = HTTPClientRequest(url: "https://\(client.host):\(port)\(path)")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: type)
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await client.http.execute(request, timeout: .seconds(120))
        let answer = try await response.body.collect(upTo: 16 << 20)
        return (Int(response.status.code), Array(answer.readableBytesView))
    }
}

/// A client that trusts one authority. Its connections end with it.
final class TrustingClient: Sendable {
    let http: HTTPClient
    let host: String

    convenience init(_ pki: LoopbackPKI) throws {
        try self.init(authorities: Array(pki.authority.certificatePEM.utf8))
    }

    /// - Parameter host: a name for 127.0.0.1.
    init(authorities: [UInt8], host: String = "127.0.0.1") throws {
        self.host = host
        var configuration = HTTPClient.Configuration()
        configuration.httpVersion = .http1Only
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .certificates(
            try NIOSSLCertificate.fromPEMBytes(authorities))
        configuration.dnsOverride = [host: "127.0.0.1"]
        configuration.tlsConfiguration = tls
        http = HTTPClient(
            eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
    }

    deinit { http.shutdown { [http] _ in _ = http } }
}

/// Pods and reviews of them, with a value that must not be seen anywhere.
enum Sample {
    static let secret = "hunter2-in-plain-text"

    static let policy = """
        {"vaults":[{"name":"main","address":"https://vault.example.eu:8200","audience":"vault"}],
         "grants":[{"namespaces":["shop"],"vault":"main","roles":["shop-*"],
           "paths":["secret/shop/*"]}],
         "wrapper":{"image":"registry.example.eu/wrapper:1"},"entrypoints":"explicit-command"}
        """

    static func pod(
        _ name: String, labelled: Bool = true, more annotations: [String: String] = [:],
        env: [(String, String)] = [("PLAIN", secret)]
    ) -> JSONTree {
        var all = [
            "cloudtaser.io/vault-role": "shop-web", "cloudtaser.io/secret-paths": "secret/shop/db",
            "cloudtaser.io/env-map": "password=DB_PASSWORD",
        ]
        all.merge(annotations) { $1 }
        let notes = all.sorted { $0.key < $1.key }.map {
            JSONTree.Member($0.key, .string($0.value))
        }
        let entries = env.map {
            JSONTree.object([
                .init("name", .string($0.0)), .init("value", .string($0.1)),
            ])
        }
        var metadata: JSONTree = ["name": .string(name), "annotations": .object(notes)]
        if labelled { metadata["labels"] = ["cloudtaser.io/inject": "true"] }
        return [
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": [
                "containers": [
                    [
                        "name": "web", "image": "app", "command": ["/bin/web"],
                        "env": .array(entries),
                    ]
                ]
            ],
        ]
    }

    static func review(_ pod: JSONTree, uid: String? = "u-1", version: String = "v1") -> [UInt8] {
        var request: JSONTree = [
            "operation": "CREATE", "namespace": "shop",
            "kind": ["group": "", "version": "v1", "kind": "Pod"],
            "resource": ["group": "", "version": "v1", "resource": "pods"], "object": pod,
        ]
        request["uid"] = uid.map { .string($0) }
        return JSONTree.object([
            .init("apiVersion", .string("admission.k8s.io/" + version)),
            .init("kind", "AdmissionReview"), .init("request", request),
        ]).rendered()
    }
}
