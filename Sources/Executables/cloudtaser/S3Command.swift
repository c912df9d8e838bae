// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation

/// `cloudtaser s3 rewrap|inspect`: the proxy's own program does it, which has the libraries and the
/// settings. This one stays small, and runs that one in its place.
struct S3Command: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "s3",
        abstract: "Wrap the S3 proxy's keys anew, or inspect an object.",
        discussion: """
            Runs cloudtaser-s3-proxy, which has to be beside this program or in PATH.

            Examples:
              cloudtaser s3 rewrap --bucket invoices --config /etc/cloudtaser/s3-proxy.conf
              cloudtaser s3 inspect invoices/2026/11.pdf --config /etc/cloudtaser/s3-proxy.conf
            """)

    private static let program = "cloudtaser-s3-proxy"
    private static let known = ["rewrap", "inspect"]

    @Argument(parsing: .captureForPassthrough, help: "rewrap or inspect, and its flags.")
    var words: [String] = []

    func validate() throws {
        guard let first = words.first, first != "--help", first != "-h" else {
            throw CleanExit.helpRequest(self)
        }
        guard Self.known.contains(first) else {
            throw ValidationError(
                "'\(first)' is neither \(Self.known.joined(separator: " nor ")).")
        }
    }

    func run() throws {
        for path in Self.places where FileManager.default.isExecutableFile(atPath: path) {
            var arguments = ([path] + words).map { strdup($0) } + [nil]
            execv(path, &arguments)
            throw OperationalError(
                description: "\(path) does not start: \(String(cString: strerror(errno)))")
        }
        throw OperationalError(
            description: "\(Self.program) is neither beside this program nor in PATH; install it")
    }

    private static var places: [String] {
        let own = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().path
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return ([own] + path.split(separator: ":").map(String.init)).map { "\($0)/\(program)" }
    }
}
