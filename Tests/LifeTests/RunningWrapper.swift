// SPDX-License-Identifier: Apache-2.0
import Foundation
import OpenBaoServer
import TestKit
import Testing

/// The built wrapper, running against a real OpenBao, with what it and its program print so far.
final class RunningWrapper {
    private let process = Process()
    private let folder: URL

    /// - Parameters:
    ///   - changes: to an environment that is complete but for the login.
    ///   - script: run by /bin/sh.
    init(
        _ server: OpenBaoServer, _ changes: [String: String], script: String
    ) throws {
        folder = FileManager.default.temporaryDirectory
            .appending(path: "cloudtaser-life-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        process.executableURL = URL(filePath: ProgramRun.path(of: "cloudtaser-wrapper"))
        process.arguments = ["run", "--", "/bin/sh", "-c", script]
        let environment = WrapperEnvironment.delivering(
            "password", as: "PASSWORD", from: "https://127.0.0.1:\(server.port)",
            authorityFile: server.authorityFile)
        process.environment = environment.merging(changes) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try file("out")
        process.standardError = try file("err")
        try process.runUnblocked()
    }

    deinit {
        if process.isRunning { process.terminate() }
        try? FileManager.default.removeItem(at: folder)
    }

    private func file(_ name: String) throws -> FileHandle {
        let url = folder.appending(path: name)
        try Data().write(to: url)
        return try FileHandle(forWritingTo: url)
    }

    private func text(_ name: String) -> String {
        (try? String(contentsOf: folder.appending(path: name), encoding: .utf8)) ?? ""
    }

    var output: String { text("out") }
    var errors: String { text("err") }
    /// Whole lines of the output.
    var lines: [String] { output.split(separator: "\n").map(String.init) }

    /// Waits for a fact, at most a minute.
    func wait(_ what: String, until fact: () throws -> Bool) throws {
        for _ in 0..<600 {
            if try fact() { return }
            usleep(100_000)
        }
        Issue.record("waited in vain for \(what): \(output)\n\(errors)")
    }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Waits for the end. The exit code, or 128 + the signal.
    func end() -> Int32 {
        process.waitUntilExit()
        let isSignal = process.terminationReason == .uncaughtSignal
        return process.terminationStatus + (isSignal ? 128 : 0)
    }
}

/// One OpenBao for the suite, with short lives.
struct ShortLivedVault {
    let server: OpenBaoServer
    let keys: OpenBaoServer.Keys
    let database: PostgreSQLServer
    let roleID: String

    static let shared = Result { try ShortLivedVault() }

    init() throws {
        server = try OpenBaoServer()
        keys = try server.initialize()
        database = try PostgreSQLServer()
        let root = keys.rootToken
        try server.enableKeyValue(version: 2, at: "secret", token: root)
        try server.putSecret(#"{"password":"first"}"#, mount: "secret", name: "app", token: root)
        try server.enableDatabase(database, token: root)
        try server.addDatabaseRole("renewed", lifetime: "4s", longest: "5m", token: root)
        try server.addDatabaseRole("short", lifetime: "4s", longest: "4s", token: root)
        try server.enablePKI(token: root)
        try server.addPolicy(
            "app",
            using: [
                "secret/data/app", "database/creds/renewed", "database/creds/short",
                "pki/issue/web", "sys/leases/revoke",
            ], token: root)
        roleID = try server.enableAppRole(policy: "app", token: root).roleID
        try server.enableCertificateLogin(policies: "app", token: root)
    }

    /// Variables of an AppRole login with a secret id of its own.
    func login() throws -> [String: String] {
        let made = try server.bao(
            ["write", "-f", "-field=secret_id", "auth/approle/role/app/secret-id"],
            token: keys.rootToken)
        return [
            "VAULT_AUTH_METHOD": "approle", "VAULT_AUTH_ROLE": roleID,
            "VAULT_SECRET_ID": made.trimmingCharacters(in: .whitespacesAndNewlines),
        ]
    }

    /// Leases of a database role that are alive.
    func leases(_ role: String) throws -> [String] {
        do {
            return try server.bao(
                ["list", "sys/leases/lookup/database/creds/\(role)"], token: keys.rootToken
            ).split(separator: "\n").dropFirst(2).map(String.init)
        } catch let failure as OpenBaoFailure where failure.output.contains("No value found") {
            return []
        }
    }
}
