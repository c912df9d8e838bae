// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
package import LoopbackPKI

/// What went wrong with the real server: the command and what it said.
package struct OpenBaoFailure: Error, CustomStringConvertible {
    package let command: String
    package let output: String

    package init(command: String, output: String) {
        self.command = command
        self.output = output
    }

    package var description: String { "bao \(command): \(output)" }
}

/// A real OpenBao on loopback over TLS with storage in memory, for one suite. It ends with the
/// object, and also when the process that owns it dies.
package final class OpenBaoServer: Sendable {
    /// Names the `bao` binary; without it the real-server suites do not run.
    package static let variable = "CLOUDTASER_OPENBAO"

    /// Path of the binary, or nil.
    package static let binary: String? = {
        let value = ProcessInfo.processInfo.environment[variable] ?? ""
        return value.isEmpty ? nil : value
    }()

    package let port: UInt16
    package let pki: LoopbackPKI
    /// Private to this server.
    package let directory: String
    /// PEM of the authority that signed the server's certificate.
    package let authorityFile: String
    private let process: Process
    /// Closing it ends the server: a shell waits for its end.
    private let lifeline: Pipe

    /// Starts a server that is not initialised yet.
    package init() throws {
        guard let binary = Self.binary else {
            throw OpenBaoFailure(command: "server", output: "\(Self.variable) is not set")
        }
        guard access(binary, X_OK) == 0 else {
            throw OpenBaoFailure(
                command: "server", output: "\(Self.variable)=\(binary) is not an executable file")
        }
        pki = try LoopbackPKI()
        directory = try Self.makeDirectory()
        authorityFile = directory + "/authority.pem"
        let identity = try pki.server()
        port = try Self.freePort()
        for (name, text) in [
            ("authority.pem", pki.authority.certificatePEM),
            ("server.pem", identity.certificatePEM), ("server-key.pem", identity.keyPEM),
            ("bao.hcl", Self.configuration(directory: directory, port: port)),
        ] {
            try Self.write(text, to: "\(directory)/\(name)")
        }
        process = Process()
        lifeline = Pipe()
        process.executableURL = URL(filePath: "/bin/sh")
        let script = """
            "$0" server -config="$1/bao.hcl" </dev/null & bao=$!
            cat; kill $bao; wait $bao; rm -rf "$1"
            """
        process.arguments = ["-c", script, binary, directory]
        process.standardInput = lifeline
        process.standardOutput = FileHandle(forWritingAtPath: "/dev/null")
        try Self.write("", to: directory + "/server.log")
        process.standardError = FileHandle(forWritingAtPath: directory + "/server.log")
        try process.run()
        try waitUntilItListens()
    }

    deinit {
        try? lifeline.fileHandleForWriting.close()
        if process.isRunning { process.waitUntilExit() }
        try? FileManager.default.removeItem(atPath: directory)
    }

    package var address: String { "https://127.0.0.1:\(port)" }

    /// Runs the `bao` command line against this server and returns its output.
    @discardableResult
    package func bao(
        _ arguments: [String], token: String? = nil, namespace: String? = nil,
        input: String? = nil
    ) throws -> String {
        let command = Process()
        command.executableURL = URL(filePath: Self.binary ?? "")
        command.arguments = arguments
        var environment = [
            "BAO_ADDR": address, "BAO_CACERT": authorityFile, "HOME": directory, "PATH": "/bin",
        ]
        environment["BAO_TOKEN"] = token
        environment["BAO_NAMESPACE"] = namespace
        command.environment = environment
        let output = Pipe()
        // Of its own: tests call in parallel.
        let inputFile = "\(directory)/input-\(UUID().uuidString)"
        try Self.write(input ?? "", to: inputFile)
        defer { try? FileManager.default.removeItem(atPath: inputFile) }
        command.standardInput = FileHandle(forReadingAtPath: inputFile)
        command.standardOutput = output
        command.standardError = output
        try command.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        command.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        guard command.terminationStatus == 0 else {
            throw OpenBaoFailure(command: arguments.joined(separator: " "), output: text)
        }
        return text
    }

    /// Writes a file only its owner may read; returns its path.
    package func file(_ name: String, _ text: String) throws -> String {
        let path = "\(directory)/\(name)"
        try Self.write(text, to: path)
        return path
    }

    // MARK: - Starting

    private static func configuration(directory: String, port: UInt16) -> String {
        """
        storage "inmem" {}
        listener "tcp" {
          address       = "127.0.0.1:\(port)"
          tls_cert_file = "\(directory)/server.pem"
          tls_key_file  = "\(directory)/server-key.pem"
        }
        disable_mlock = true
        api_addr      = "https://127.0.0.1:\(port)"
        log_level     = "error"
        """
    }

    /// Seconds the server may take to listen.
    private static let startSecondsMax = 60

    private func waitUntilItListens() throws {
        let end = Date(timeIntervalSinceNow: TimeInterval(Self.startSecondsMax))
        while Date() < end, process.isRunning {
            if Self.connects(to: port) { return }
            Thread.sleep(forTimeInterval: 0.05)
        }
        let log = (try? String(contentsOfFile: directory + "/server.log", encoding: .utf8)) ?? ""
        throw OpenBaoFailure(command: "server", output: "does not listen: \(log)")
    }

    private static func makeDirectory() throws -> String {
        let path = NSTemporaryDirectory() + "cloudtaser-openbao-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        return path
    }

    private static func write(_ text: String, to path: String) throws {
        let isMade = FileManager.default.createFile(
            atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        guard isMade else { throw OpenBaoFailure(command: "write \(path)", output: "refused") }
    }

    // MARK: - Ports

    private static func withLoopback<Result>(
        port: UInt16, _ body: (Int32, UnsafeMutablePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private static func connects(to port: UInt16) -> Bool {
        withLoopback(port: port) { connect($0, $1, $2) == 0 }
    }

    /// A port that was free a moment ago: the server cannot be told to take any.
    private static func freePort() throws -> UInt16 {
        try withLoopback(port: 0) { descriptor, address, length in
            var length = length
            guard bind(descriptor, address, length) == 0,
                getsockname(descriptor, address, &length) == 0
            else { return Result<UInt16, OpenBaoFailure>.failure(Self.noPort) }
            let port = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                UInt16(bigEndian: $0.pointee.sin_port)
            }
            return .success(port)
        }.get()
    }

    private static let noPort = OpenBaoFailure(command: "server", output: "no free port")
}
