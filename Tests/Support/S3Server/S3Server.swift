// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import KubernetesServer
package import LoopbackPKI

/// Why a real S3 server cannot be used.
package struct S3ServerFailure: Error, CustomStringConvertible {
    package let description: String
}

/// A real S3 server on loopback with one user. It ends with the object, and also when the process
/// that owns it dies. `.ci/fetch-s3` gets the programs.
package final class S3Server: Sendable {
    package enum Kind: String, Sendable {
        /// Over TLS; checks signatures; keeps objects as files.
        case rclone
        /// Without TLS; checks no signatures; has versions, tags and conditions.
        case moto = "moto-server"
    }

    /// Names the programs' directory; without it the suites on real servers do not run.
    package static let variable = "CLOUDTASER_S3"

    /// The directory, or nil.
    package static let programs: String? = {
        let value = ProcessInfo.processInfo.environment[variable] ?? ""
        return value.isEmpty ? nil : value
    }()

    /// The one user.
    package static let accessKeyID = "the-access-key"
    package static let secret = "the/secret+access-key-of-the-store"
    package static let region = "us-east-1"

    package let port: UInt16
    package let pki: LoopbackPKI
    private let kind: Kind
    private let directory: URL
    private let process: Process
    /// Closing it ends the server: a shell waits for its end.
    private let lifeline: Pipe

    package init(_ kind: Kind, pki: LoopbackPKI) throws {
        guard let programs = Self.programs else {
            throw S3ServerFailure(description: "\(Self.variable) is not set")
        }
        let program = "\(programs)/\(kind.rawValue)"
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw S3ServerFailure(description: "\(program) is no program; run .ci/fetch-s3")
        }
        self.kind = kind
        self.pki = pki
        directory = FileManager.default.temporaryDirectory.appending(
            path: "cloudtaser-s3-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: directory.appending(path: "data"), withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        port = try LoopbackPort.free(1)[0]
        let identity = try pki.server()
        for (name, text) in [
            ("server.pem", identity.certificatePEM), ("server-key.pem", identity.keyPEM),
            ("rclone.conf", ""), ("log", ""),
        ] {
            try Data(text.utf8).write(to: directory.appending(path: name))
        }
        process = Process()
        lifeline = Pipe()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments =
            ["-c", Self.script, directory.path(), program]
            + Self.arguments(kind, directory.path(), port)
        process.environment = ["HOME": directory.path(), "PATH": "/usr/bin:/bin"]
        process.standardInput = lifeline
        let log = try FileHandle(forWritingTo: directory.appending(path: "log"))
        process.standardOutput = log
        process.standardError = log
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

    package var endpoint: String {
        (kind == .rclone ? "https" : "http") + "://127.0.0.1:\(port)"
    }

    private static let script = """
        "$@" </dev/null & server=$!
        cat
        kill -KILL $server; wait $server; rm -rf "$0/data" "$0/cache"
        """

    private static func arguments(_ kind: Kind, _ directory: String, _ port: UInt16) -> [String] {
        switch kind {
        case .rclone:
            [
                "serve", "s3", "--addr", "127.0.0.1:\(port)",
                "--auth-key", "\(accessKeyID),\(secret)",
                "--cert", "\(directory)/server.pem", "--key", "\(directory)/server-key.pem",
                "--config", "\(directory)/rclone.conf", "--disable-multipart-streaming",
                "--cache-dir", "\(directory)/cache",
                "\(directory)/data",
            ]
        case .moto: ["-H", "127.0.0.1", "-p", String(port)]
        }
    }

    /// Seconds until it answers, on a busy machine.
    private static let startSecondsMax = 120.0

    private func waitUntilReady() throws {
        let end = Date(timeIntervalSinceNow: Self.startSecondsMax)
        while Date() < end, process.isRunning {
            if LoopbackPort.connects(to: port) { return }
            Thread.sleep(forTimeInterval: 0.05)
        }
        throw S3ServerFailure(description: "\(kind.rawValue) is not ready: \(log.suffix(2000))")
    }

    /// What it has said.
    package var log: String {
        (try? String(contentsOf: directory.appending(path: "log"), encoding: .utf8)) ?? ""
    }
}
