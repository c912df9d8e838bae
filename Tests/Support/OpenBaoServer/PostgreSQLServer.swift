// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc

/// A PostgreSQL of its own on a socket in a directory of its own, for OpenBao's `database` engine
/// to make real users in. It ends with the object, and also when the owning process dies.
package final class PostgreSQLServer: Sendable {
    /// The administrator, who needs no password on this socket.
    package static let administrator = "cloudtaser"

    /// Holds the socket; only users of this machine that know its name come this far.
    package let directory: String
    private let process: Process
    private let lifeline: Pipe

    /// Where Debian keeps the server's programs, the newest version last.
    private static let programs: String? = {
        let base = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: base)) ?? []
        return versions.sorted { (Int($0) ?? 0) < (Int($1) ?? 0) }.map { "\(base)/\($0)/bin" }
            .last { access("\($0)/postgres", X_OK) == 0 }
    }()

    /// Makes an empty cluster and starts it; PostgreSQL refuses to run as root, so root becomes
    /// the user `postgres` for it.
    package init() throws {
        guard let programs = Self.programs else {
            throw OpenBaoFailure(
                command: "postgres", output: "not installed; run .ci/setup test")
        }
        directory = NSTemporaryDirectory() + "cloudtaser-postgres-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        let script = """
            dir=$1; bin=$2
            as() { "$@"; }
            if [ "$(id -u)" = 0 ]; then
                chown postgres "$dir"
                as() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
            fi
            cd "$dir"
            as "$bin/initdb" -D "$dir/data" -U \(Self.administrator) -A trust -N >/dev/null &&
                as "$bin/postgres" -D "$dir/data" -c listen_addresses= -c fsync=off \\
                    -c unix_socket_directories="$dir" </dev/null & server=$!
            cat
            kill -INT $(head -n 1 "$dir/data/postmaster.pid"); wait $server; rm -rf "$dir"
            """
        process = Process()
        lifeline = Pipe()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", script, "sh", directory, programs]
        process.standardInput = lifeline
        let log = directory + "/server.log"
        guard FileManager.default.createFile(atPath: log, contents: nil) else {
            throw OpenBaoFailure(command: "postgres", output: "cannot write \(log)")
        }
        process.standardOutput = FileHandle(forWritingAtPath: "/dev/null")
        process.standardError = FileHandle(forWritingAtPath: log)
        try process.run()
        try waitUntilItServes(log: log)
    }

    deinit {
        try? lifeline.fileHandleForWriting.close()
        if process.isRunning { process.waitUntilExit() }
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// For OpenBao's `connection_url`.
    package var connectionURL: String {
        "postgresql://{{username}}@/postgres?host=\(directory)&sslmode=disable"
    }

    /// Seconds that making and starting the cluster may take.
    private static let startSecondsMax = 120

    /// The server writes `ready` into its lock file when it takes connections.
    private func waitUntilItServes(log: String) throws {
        let end = Date(timeIntervalSinceNow: TimeInterval(Self.startSecondsMax))
        let lockFile = directory + "/data/postmaster.pid"
        while Date() < end, process.isRunning {
            let lines = try? String(contentsOfFile: lockFile, encoding: .utf8)
            if lines?.split(separator: "\n").last?.hasPrefix("ready") == true { return }
            Thread.sleep(forTimeInterval: 0.05)
        }
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        throw OpenBaoFailure(command: "postgres", output: "does not start: \(text)")
    }
}
