// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
package import LoopbackPKI

/// What went wrong with the real server: the command and what it said.
package struct KubernetesServerFailure: Error, CustomStringConvertible {
    package let command: String
    package let output: String

    package init(command: String, output: String) {
        self.command = command
        self.output = output
    }

    package var description: String { "\(command): \(output)" }
}

/// A real kube-apiserver with its etcd on loopback, over TLS, with RBAC. Both end with the object,
/// and also when the process that owns them dies. `.ci/fetch-kubernetes` makes the programs.
///
/// There is no controller manager: nobody makes default service accounts, collects garbage or
/// empties namespaces.
package final class KubernetesServer: Sendable {
    /// Names the directory of `kube-apiserver`, `etcd` and `kubectl`; without it the suites on the
    /// real server do not run.
    package static let variable = "CLOUDTASER_KUBERNETES"

    /// The directory, or nil.
    package static let programs: String? = {
        let value = ProcessInfo.processInfo.environment[variable] ?? ""
        return value.isEmpty ? nil : value
    }()

    /// A token of the group `system:masters`.
    package static let administratorToken = "administrator-token"
    /// A token of the user `operator`, who has no right until a test grants one.
    package static let operatorToken = "operator-token"
    /// A token of the user `nobody`, who has no rights.
    package static let nobodyToken = "nobody-token"

    package let port: UInt16
    private let etcdPort: UInt16
    package let pki: LoopbackPKI
    /// Private to this server.
    package let directory: String
    /// PEM of the authority that signed the server's certificate, and whose client certificates
    /// are good.
    package let authorityFile: String
    /// For kubectl, with the administrator's token.
    package let kubeconfigFile: String
    private let process: Process
    /// Closing it ends both servers: a shell waits for its end.
    private let lifeline: Pipe

    /// - Parameter flags: more flags of kube-apiserver.
    package init(flags: [String] = []) throws {
        let programs = try Self.checkedPrograms()
        pki = try LoopbackPKI()
        directory = NSTemporaryDirectory() + "cloudtaser-kubernetes-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        authorityFile = directory + "/authority.pem"
        kubeconfigFile = directory + "/kubeconfig"
        let ports = try LoopbackPort.free(3)
        port = ports[0]
        etcdPort = ports[1]
        let identity = try pki.server()
        // Signs service accounts' tokens; a certificate serves as its public key.
        let accounts = try pki.server()
        for (name, text) in [
            ("authority.pem", pki.authority.certificatePEM),
            ("server.pem", identity.certificatePEM), ("server-key.pem", identity.keyPEM),
            ("accounts.pem", accounts.certificatePEM), ("accounts-key.pem", accounts.keyPEM),
            ("tokens.csv", Self.tokens),
            ("kubeconfig", Self.kubeconfig(authorityFile: authorityFile, port: ports[0])),
            ("etcd.log", ""), ("server.log", ""),
        ] {
            try Self.write(text, to: "\(directory)/\(name)")
        }
        process = Process()
        lifeline = Pipe()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments =
            ["-c", Self.script, programs, directory, "\(ports[1])", "\(ports[2])"]
            + Self.flags(directory: directory, ports: ports) + flags
        process.standardInput = lifeline
        process.standardOutput = FileHandle(forWritingAtPath: "/dev/null")
        process.standardError = FileHandle(forWritingAtPath: directory + "/server.log")
        try process.run()
        try waitUntilReady()
    }

    deinit {
        try? lifeline.fileHandleForWriting.close()
        if process.isRunning { process.waitUntilExit() }
        try? FileManager.default.removeItem(atPath: directory)
    }

    package var address: String { "https://127.0.0.1:\(port)" }

    /// Runs kubectl as the administrator and returns its output.
    @discardableResult
    package func kubectl(_ arguments: [String], input: String = "") throws -> String {
        let command = Process()
        command.executableURL = URL(filePath: (Self.programs ?? "") + "/kubectl")
        command.arguments = ["--kubeconfig", kubeconfigFile] + arguments
        command.environment = ["HOME": directory, "PATH": "/usr/bin:/bin"]
        let output = Pipe()
        // Of its own: tests call in parallel.
        let inputFile = try file("input-\(UUID().uuidString)", input)
        defer { try? FileManager.default.removeItem(atPath: inputFile) }
        command.standardInput = FileHandle(forReadingAtPath: inputFile)
        command.standardOutput = output
        command.standardError = output
        try command.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        command.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        guard command.terminationStatus == 0 else {
            throw KubernetesServerFailure(
                command: "kubectl " + arguments.joined(separator: " "), output: text)
        }
        return text
    }

    /// Lets a user do everything that `rules` (RBAC, a JSON array) say, in every namespace.
    package func grant(_ rules: String, to user: String, name: String) throws {
        let group = "rbac.authorization.k8s.io"
        try kubectl(
            ["apply", "-f", "-"],
            input: """
                {"apiVersion": "v1", "kind": "List", "items": [
                 {"apiVersion": "\(group)/v1", "kind": "ClusterRole",
                  "metadata": {"name": "\(name)"}, "rules": \(rules)},
                 {"apiVersion": "\(group)/v1", "kind": "ClusterRoleBinding",
                  "metadata": {"name": "\(name)"},
                  "roleRef": {"apiGroup": "\(group)", "kind": "ClusterRole", "name": "\(name)"},
                  "subjects": [{"apiGroup": "\(group)", "kind": "User", "name": "\(user)"}]}]}
                """)
    }

    /// Makes etcd forget every state but the newest, through its gateway for JSON
    /// (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/).
    package func compact() throws {
        // Any request tells the newest revision.
        let (_, header) = try etcd("kv/range", #"{"key": "AA=="}"#)
        let revision = header.firstMatch(of: /"revision":"(\d+)"/)?.1
        guard let revision else {
            throw KubernetesServerFailure(command: "etcd", output: "no revision: \(header)")
        }
        let (status, answer) = try etcd(
            "kv/compaction", #"{"revision": "\#(revision)", "physical": true}"#)
        // Another test may have compacted that far already.
        guard status == "200" || answer.contains("has been compacted") else {
            throw KubernetesServerFailure(command: "etcd compaction", output: answer)
        }
    }

    private func etcd(
        _ path: String, _ body: String
    ) throws -> (status: Substring, answer: String) {
        let request =
            "POST /v3/\(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n" + body
        let answer = try LoopbackPort.exchange(request, with: etcdPort)
        let words = answer.prefix { $0 != "\r\n" }.split(separator: " ")
        return (words.dropFirst().first ?? "", answer)
    }

    /// Writes a file only its owner may read; returns its path.
    package func file(_ name: String, _ text: String) throws -> String {
        let path = "\(directory)/\(name)"
        try Self.write(text, to: path)
        return path
    }

    // MARK: - Starting

    /// Seconds that both servers together may take until they are ready, on a busy machine.
    private static let startSecondsMax = 120

    private static func checkedPrograms() throws -> String {
        guard let programs else {
            throw KubernetesServerFailure(
                command: "kube-apiserver", output: "\(variable) is not set")
        }
        for program in ["kube-apiserver", "etcd", "kubectl"] {
            guard access("\(programs)/\(program)", X_OK) == 0 else {
                throw KubernetesServerFailure(
                    command: program,
                    output: "\(variable)=\(programs) has none; run .ci/fetch-kubernetes \(programs)"
                )
            }
        }
        return programs
    }

    private static let script = """
        bin=$0; dir=$1; client=http://127.0.0.1:$2; peer=http://127.0.0.1:$3; shift 3
        "$bin/etcd" --data-dir "$dir/etcd" --listen-client-urls $client \\
            --advertise-client-urls $client --listen-peer-urls $peer --unsafe-no-fsync \\
            --initial-advertise-peer-urls $peer --initial-cluster default=$peer \\
            --log-level warn </dev/null 2>"$dir/etcd.log" & etcd=$!
        "$bin/kube-apiserver" --etcd-servers=$client "$@" </dev/null & server=$!
        cat
        kill -KILL $server $etcd; sleep 0.3; rm -rf "$dir"
        """

    private static func flags(directory: String, ports: [UInt16]) -> [String] {
        [
            "--bind-address=127.0.0.1", "--secure-port=\(ports[0])", "--insecure-port=0",
            "--tls-cert-file=\(directory)/server.pem",
            "--tls-private-key-file=\(directory)/server-key.pem",
            "--client-ca-file=\(directory)/authority.pem",
            "--token-auth-file=\(directory)/tokens.csv",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--api-audiences=https://kubernetes.default.svc",
            "--service-account-key-file=\(directory)/accounts.pem",
            "--service-account-signing-key-file=\(directory)/accounts-key.pem",
            "--service-cluster-ip-range=10.0.0.0/24", "--authorization-mode=Node,RBAC",
            "--endpoint-reconciler-type=none", "--cert-dir=\(directory)/certificates",
            "--feature-gates=BoundServiceAccountTokenVolume=true,RootCAConfigMap=true",
        ]
    }

    private static let tokens = """
        \(administratorToken),administrator,1,system:masters
        \(operatorToken),operator,2
        \(nobodyToken),nobody,3
        """

    private static func kubeconfig(authorityFile: String, port: UInt16) -> String {
        """
        apiVersion: v1
        kind: Config
        clusters:
        - {name: test, cluster: {server: "https://127.0.0.1:\(port)",
           certificate-authority: \(authorityFile)}}
        users: [{name: administrator, user: {token: \(administratorToken)}}]
        contexts: [{name: test, context: {cluster: test, user: administrator}}]
        current-context: test
        """
    }

    private func waitUntilReady() throws {
        let end = Date(timeIntervalSinceNow: TimeInterval(Self.startSecondsMax))
        while Date() < end, process.isRunning {
            if LoopbackPort.connects(to: port),
                (try? kubectl(["get", "--raw", "/readyz"])) == "ok"
            {
                return
            }
            Thread.sleep(forTimeInterval: 0.1)
        }
        let log = (try? String(contentsOfFile: directory + "/server.log", encoding: .utf8)) ?? ""
        throw KubernetesServerFailure(
            command: "kube-apiserver", output: "is not ready: \(log.suffix(4000))")
    }

    private static func write(_ text: String, to path: String) throws {
        let isMade = FileManager.default.createFile(
            atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        guard isMade else {
            throw KubernetesServerFailure(command: "write \(path)", output: "refused")
        }
    }
}
