// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import KubernetesPorts

/// What a credential plugin prints (https://kubernetes.io/docs/reference/config-api/
/// client-authentication.v1/), kept until it expires or is refused.
actor ExecCredentials: ClusterCredentials {
    /// A credential that ends this soon is replaced before it is used.
    static let expiryMargin: TimeInterval = 10

    private let command: ExecCommand
    private var kept: (credential: ClusterCredential, until: Date?)?

    init(_ command: ExecCommand) { self.command = command }

    func current(isRefused: Bool) async throws(KubernetesFailure) -> ClusterCredential {
        if let kept, !isRefused,
            kept.until.map({ $0.timeIntervalSinceNow > Self.expiryMargin }) ?? true
        {
            return kept.credential
        }
        kept = nil
        let made = try parse(try await command.run())
        kept = made
        return made.credential
    }

    private struct Output: Decodable {
        struct Status: Decodable {
            let token: String?
            let clientCertificateData: String?
            let clientKeyData: String?
            let expirationTimestamp: String?
        }
        let apiVersion: String
        let kind: String
        let status: Status?
    }

    private func parse(
        _ output: [UInt8]
    ) throws(KubernetesFailure) -> (credential: ClusterCredential, until: Date?) {
        guard let document = try? JSONDecoder().decode(Output.self, from: Data(output)),
            document.kind == "ExecCredential", document.apiVersion == command.apiVersion,
            let status = document.status
        else {
            throw .credentialUnavailable(
                detail: "\(command.name) did not print an ExecCredential of \(command.apiVersion)")
        }
        guard status.token != nil || status.clientCertificateData != nil,
            (status.clientCertificateData == nil) == (status.clientKeyData == nil)
        else {
            throw .credentialUnavailable(
                detail: "\(command.name) printed neither a token nor a certificate with its key")
        }
        if let token = status.token { try UserCredentials.check(token) }
        var until: Date?
        if let text = status.expirationTimestamp {
            guard let date = try? Date(text, strategy: .iso8601) else {
                throw .credentialUnavailable(
                    detail: "\(command.name) printed an expirationTimestamp that is no time")
            }
            until = date
        }
        let credential = ClusterCredential(
            bearerToken: status.token,
            certificate: status.clientCertificateData.map { Array($0.utf8) },
            privateKey: status.clientKeyData.map { Array($0.utf8) })
        return (credential, until)
    }
}

/// A credential plugin and how it is run: no terminal, no input, bounded in time and output.
struct ExecCommand: Sendable {
    static let timeMax: TimeInterval = 30
    static let outputBytesMax = 1 << 20
    /// Of what it may speak.
    static let versions = [
        "client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1",
    ]

    let apiVersion: String
    /// For messages.
    let name: String
    private let path: String
    private let arguments: [String]
    private let environment: [String: String]
    private let timeMax: TimeInterval

    init(
        _ plugin: Document.Exec, folder: String, _ environment: [String: String],
        timeMax: TimeInterval = Self.timeMax
    ) throws(KubernetesFailure) {
        guard Self.versions.contains(plugin.apiVersion) else {
            throw .configurationInvalid(
                detail: "exec plugin \(plugin.command) has an apiVersion other than "
                    + Self.versions.joined(separator: " or "))
        }
        guard plugin.interactiveMode != "Always" else {
            throw .configurationInvalid(
                detail: "exec plugin \(plugin.command) wants a terminal, which there is not")
        }
        apiVersion = plugin.apiVersion
        name = plugin.command
        arguments = plugin.args ?? []
        self.timeMax = timeMax
        var variables = environment
        for variable in plugin.env ?? [] { variables[variable.name] = variable.value }
        variables["KUBERNETES_EXEC_INFO"] =
            #"{"apiVersion":"\#(plugin.apiVersion)","kind":"ExecCredential","#
            + #""spec":{"interactive":false}}"#
        self.environment = variables
        let candidates =
            plugin.command.contains("/")
            ? [plugin.command.hasPrefix("/") ? plugin.command : folder + "/" + plugin.command]
            : (variables["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
                .map { "\($0)/\(plugin.command)" }
        let found = candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let found else {
            throw .credentialUnavailable(detail: "exec plugin \(plugin.command) is not installed")
        }
        path = found
    }

    /// - Returns: its standard output.
    func run() async throws(KubernetesFailure) -> [UInt8] {
        // Waiting for a process blocks: a thread of its own, not one of the pool's.
        let outcome = await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: self.runBlocking()) }
        }
        return try outcome.get()
    }

    private func runBlocking() -> Result<[UInt8], KubernetesFailure> {
        guard let child = PluginProcess(path, arguments, environment) else {
            return .failure(.credentialUnavailable(detail: "\(name) cannot be run"))
        }
        let end = Date(timeIntervalSinceNow: timeMax)
        guard let bytes = child.output(until: end, bytesMax: Self.outputBytesMax),
            let status = child.status(until: end)
        else {
            child.kill()
            return .failure(
                .credentialUnavailable(
                    detail: "\(name) did not end within \(Int(timeMax)) seconds, or printed more "
                        + "than \(Self.outputBytesMax) bytes"))
        }
        guard status == 0 else {
            return .failure(
                .credentialUnavailable(
                    detail: "\(name) ended with status \(status); run it by hand to see why"))
        }
        return .success(bytes)
    }
}
