// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import KubernetesServer
package import LoopbackPKI

/// Why the real registry cannot be used.
package struct RegistryServerFailure: Error, CustomStringConvertible {
    package let description: String
}

/// The distribution project's registry on loopback, over TLS, with users. It ends with the object,
/// and also when the process that owns it dies. `.ci/fetch-registry` gets the program.
package final class RegistryServer: Sendable {
    /// Names the program; without it the suites on the real registry do not run.
    package static let variable = "CLOUDTASER_REGISTRY"

    /// The program, or nil.
    package static let program: String? = {
        let value = ProcessInfo.processInfo.environment[variable] ?? ""
        return value.isEmpty ? nil : value
    }()

    /// The one user.
    package static let user = "user"
    package static let password = "hunter2-of-the-registry"
    /// The line of `htpasswd -B` for it.
    private static let users = "user:$2y$04$2uqtnfZCGPpW6m5l2qBD0.JgyrOhQXgXLRxCe8lVAqdau/INHkU5C"

    /// Who may do what.
    package enum Access: Sendable {
        case everybody
        case user
        /// Whoever has a token that `rootCertificate` (PEM) signed, of the server at `realm`.
        case tokens(realm: String, rootCertificate: String)
    }

    package let port: UInt16
    package let pki: LoopbackPKI
    private let directory: URL
    private let process: Process
    /// Closing it ends the server: a shell waits for its end.
    private let lifeline: Pipe

    package init(pki: LoopbackPKI, _ access: Access = .user) throws {
        guard let program = Self.program else {
            throw RegistryServerFailure(description: "\(Self.variable) is not set")
        }
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw RegistryServerFailure(
                description: "\(Self.variable)=\(program) is none; run .ci/fetch-registry")
        }
        self.pki = pki
        directory = FileManager.default.temporaryDirectory.appending(
            path: "cloudtaser-registry-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: directory, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        port = try LoopbackPort.free(1)[0]
        let identity = try pki.server()
        var files = [
            ("server.pem", identity.certificatePEM), ("server-key.pem", identity.keyPEM),
            ("users", Self.users), ("log", ""),
            ("config.yml", Self.configuration(directory.path(), port: port, access)),
        ]
        if case .tokens(_, let root) = access { files.append(("tokens.pem", root)) }
        for (name, text) in files {
            try Data(text.utf8).write(to: directory.appending(path: name))
        }
        process = Process()
        lifeline = Pipe()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", Self.script, program, directory.path()]
        process.standardInput = lifeline
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(
            forWritingTo: directory.appending(path: "log"))
        try process.run()
        try waitUntilReady()
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(at: directory)
    }

    /// Nobody answers any more.
    package func stop() {
        try? lifeline.fileHandleForWriting.close()
        if process.isRunning { process.waitUntilExit() }
    }

    /// `127.0.0.1:PORT`
    package var host: String { "127.0.0.1:\(port)" }

    private static let script = """
        "$0" serve "$1/config.yml" </dev/null & server=$!
        cat
        kill -KILL $server; wait $server; rm -rf "$1/data"
        """

    private static func configuration(
        _ directory: String, port: UInt16, _ access: Access
    ) -> String {
        let login =
            switch access {
            case .everybody: ""
            case .user: "auth: {htpasswd: {realm: registry, path: \(directory)/users}}"
            case .tokens(let realm, _):
                "auth: {token: {realm: \(realm), service: registry, issuer: tokens, "
                    + "rootcertbundle: \(directory)/tokens.pem}}"
            }
        return """
            version: 0.1
            log: {level: warn, accesslog: {disabled: true}}
            storage: {filesystem: {rootdirectory: \(directory)/data}}
            http:
              addr: 127.0.0.1:\(port)
              secret: for-uploads
              tls: {certificate: \(directory)/server.pem, key: \(directory)/server-key.pem}
            \(login)
            """
    }

    /// Seconds until it answers, on a busy machine.
    private static let startSecondsMax = 120.0

    private func waitUntilReady() throws {
        let end = Date(timeIntervalSinceNow: Self.startSecondsMax)
        while Date() < end, process.isRunning {
            if LoopbackPort.connects(to: port) { return }
            Thread.sleep(forTimeInterval: 0.05)
        }
        let log = try? String(contentsOf: directory.appending(path: "log"), encoding: .utf8)
        throw RegistryServerFailure(
            description: "the registry is not ready: \((log ?? "").suffix(2000))")
    }
}
