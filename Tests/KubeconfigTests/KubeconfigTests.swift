// SPDX-License-Identifier: Apache-2.0
import Foundation
import Kubeconfig
import KubernetesPorts
import Testing

/// A folder with a kubeconfig in it.
private final class Folder {
    let path = NSTemporaryDirectory() + "cloudtaser-kubeconfig-\(UUID().uuidString)"

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ name: String, _ text: String, isProgram: Bool = false) throws -> String {
        let file = path + "/" + name
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        if isProgram {
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o700], ofItemAtPath: file)
        }
        return file
    }

    /// With one cluster and one user.
    func config(
        user: String = "token: secret-token", cluster: String = "", tail: String = ""
    ) throws -> String {
        try write(
            "config",
            """
            apiVersion: v1
            kind: Config
            current-context: main
            contexts:
            - name: main
              context: {cluster: one, user: me, namespace: team}
            - name: bare
              context: {cluster: one}
            - name: broken
              context: {cluster: missing, user: me}
            - name: nobody
              context: {cluster: one, user: missing}
            clusters:
            - name: one
              cluster: {server: "https://127.0.0.1:6443"\(cluster)}
            users:
            - name: me
              user: {\(user)}
            \(tail)
            """)
    }
}

private func load(
    _ path: String, context: String? = nil, environment: [String: String] = [:]
) throws -> (ClusterEndpoint, any ClusterCredentials) {
    try Kubeconfig.load(path: path, context: context, environment: environment)
}

private func refusal(_ body: () async throws -> some Any) async -> String? {
    do {
        _ = try await body()
        return nil
    } catch KubernetesFailure.configurationInvalid(let detail) {
        return detail
    } catch KubernetesFailure.credentialUnavailable(let detail) {
        return detail
    } catch { return "unexpected: \(error)" }
}

@Suite("Kubeconfig files") struct KubeconfigTests {
    @Test("the current context's cluster, namespace and token")
    func token() async throws {
        let folder = try Folder()
        let data = Data("PEM".utf8).base64EncodedString()
        let path = try folder.config(
            cluster: ", certificate-authority-data: \(data), tls-server-name: api.test")
        let (endpoint, credentials) = try load(path)
        #expect(
            endpoint
                == ClusterEndpoint(
                    server: "https://127.0.0.1:6443", authorities: Array("PEM".utf8),
                    serverName: "api.test", namespace: "team"))
        let credential = try await credentials.current(isRefused: false)
        #expect(credential == ClusterCredential(bearerToken: "secret-token"))
    }

    @Test("JSON is YAML too")
    func json() throws {
        let folder = try Folder()
        let path = try folder.write(
            "config",
            #"{"current-context":"a","contexts":[{"name":"a","context":{"cluster":"c"}}],"#
                + #""clusters":[{"name":"c","cluster":{"server":"https://a"}}],"users":[]}"#)
        #expect(try load(path).0.server == "https://a")
    }

    @Test("files are named relative to the kubeconfig; a token file is read each time")
    func files() async throws {
        let folder = try Folder()
        try folder.write("ca.pem", "CA")
        try folder.write("cert.pem", "CERT")
        try folder.write("key.pem", "KEY")
        try folder.write("token", "first\n")
        let path = try folder.config(
            user: "client-certificate: cert.pem, client-key: key.pem, tokenFile: token",
            cluster: ", certificate-authority: \(folder.path)/ca.pem")
        let (endpoint, credentials) = try load(path)
        #expect(endpoint.authorities == Array("CA".utf8))
        #expect(
            try await credentials.current(isRefused: false)
                == ClusterCredential(
                    bearerToken: "first", certificate: Array("CERT".utf8),
                    privateKey: Array("KEY".utf8)))
        try folder.write("token", "second")
        #expect(try await credentials.current(isRefused: false).bearerToken == "second")
        try folder.write("token", "two lines\nof text")
        #expect(await refusal { try await credentials.current(isRefused: false) } != nil)
    }

    @Test("a context by its name")
    func contexts() async throws {
        let folder = try Folder()
        let path = try folder.config()
        let (_, bare) = try load(path, context: "bare")
        #expect(try await bare.current(isRefused: false) == ClusterCredential())
        for (name, text) in [
            ("missing", "no context missing"), ("broken", "no cluster missing"),
            ("nobody", "no user missing"),
        ] {
            let said = await refusal { try load(path, context: name) }
            #expect(said?.contains(text) == true, "\(said ?? "accepted")")
        }
    }

    @Test(
        "what is insecure or not supported is refused, with what to write instead",
        arguments: [
            ("username: me, password: secret-token", "", "client certificate"),
            ("auth-provider: {name: gcp}", "", "exec"),
            ("client-certificate-data: aGk=", "", "client-key"),
            ("client-key-data: '***', client-certificate-data: aGk=", "", "base64"),
            ("token: a", ", insecure-skip-tls-verify: true", "certificate-authority"),
            ("token: a", ", proxy-url: http://a", "not supported"),
            ("token: a", ", certificate-authority: missing.pem", "cannot be read"),
        ])
    func refused(_ user: String, _ cluster: String, _ text: String) async throws {
        let folder = try Folder()
        let path = try folder.config(user: user, cluster: cluster)
        let said = await refusal { try load(path) }
        #expect(said?.contains(text) == true, "\(said ?? "accepted")")
        #expect(said?.contains("secret-token") == false)
    }

    @Test(
        "a broken file is refused without quoting it", arguments: ["{", "a: [secret-token", "- b"])
    func broken(_ text: String) async throws {
        let folder = try Folder()
        let path = try folder.write("config", text)
        let said = await refusal { try load(path) }
        #expect(said == "\(path) is no kubeconfig in YAML or JSON")
        #expect(await refusal { try load(path + "-missing") } != nil)
    }
}

@Suite("Credential plugins") struct ExecCredentialTests {
    private static let version = "client.authentication.k8s.io/v1"

    /// A plugin that counts its runs.
    private func folder(_ status: String, after: String = "", version: String = version) throws
        -> (Folder, String)
    {
        let folder = try Folder()
        try folder.write(
            "plugin",
            """
            #!/bin/sh
            echo run >> "$(dirname "$0")/runs"
            echo "$KUBERNETES_EXEC_INFO" > "$(dirname "$0")/info"
            echo secret-token >&2
            \(after)
            printf '%s' '{"apiVersion":"\(version)","kind":"ExecCredential","status":{\(status)}}'
            """, isProgram: true)
        let path = try folder.config(
            user: "exec: {apiVersion: \(Self.version), command: ./plugin, args: [a], "
                + "env: [{name: X, value: y}], interactiveMode: Never}")
        return (folder, path)
    }

    private func runs(_ folder: Folder) throws -> Int {
        let text = try String(contentsOfFile: folder.path + "/runs", encoding: .utf8)
        return text.split(separator: "\n").count
    }

    private let environment = ["PATH": "/usr/bin:/bin"]

    @Test("is run once, and again when it is refused")
    func token() async throws {
        let (folder, path) = try folder(#""token":"secret-token""#)
        let (_, credentials) = try load(path, environment: environment)
        for isRefused in [false, false, true, false] {
            let credential = try await credentials.current(isRefused: isRefused)
            #expect(credential.bearerToken == "secret-token")
        }
        #expect(try runs(folder) == 2)
        let info = try String(contentsOfFile: folder.path + "/info", encoding: .utf8)
        #expect(
            info.trimmingCharacters(in: .whitespacesAndNewlines)
                == #"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","#
                + #""spec":{"interactive":false}}"#)
    }

    @Test(
        "is run again when what it printed expires",
        arguments: [("2000-01-01T00:00:00Z", 3), ("2100-01-01T00:00:00Z", 1)])
    func expiry(_ time: String, _ count: Int) async throws {
        let (folder, path) = try folder(#""token":"t","expirationTimestamp":"\#(time)""#)
        let (_, credentials) = try load(path, environment: environment)
        for _ in 0..<3 { _ = try await credentials.current(isRefused: false) }
        #expect(try runs(folder) == count)
    }

    @Test("may print a certificate")
    func certificate() async throws {
        let (_folder, path) = try folder(
            #""clientCertificateData":"CERT","clientKeyData":"KEY""#)
        let (_, credentials) = try load(path, environment: environment)
        let credential = try await credentials.current(isRefused: false)
        #expect(
            credential
                == ClusterCredential(
                    certificate: Array("CERT".utf8), privateKey: Array("KEY".utf8)))
        _ = _folder
    }

    @Test(
        "that fails or prints something else is told apart, and not quoted",
        arguments: [
            (#""token":"secret-token""#, "exit 3", "status 3"),
            ("", "", "neither a token nor a certificate"),
            (#""clientCertificateData":"secret-token""#, "", "neither"),
            (#""token":"secret-token\n""#, "", "not one line"),
            (#""token":"t","expirationTimestamp":"secret-token""#, "", "is no time"),
            (#""token":"t""#, "echo secret-token", "did not print an ExecCredential"),
            (#""token":"t""#, "head -c 2000000 /dev/zero", "more than 1048576 bytes"),
        ])
    func failing(_ status: String, _ after: String, _ text: String) async throws {
        let (folder, path) = try folder(status, after: after)
        let (_, credentials) = try load(path, environment: environment)
        let said = await refusal { try await credentials.current(isRefused: false) }
        #expect(said?.contains(text) == true, "\(said ?? "accepted")")
        #expect(said?.contains("secret-token") == false)
        _ = folder
    }

    @Test("of another version, or that is not there, is refused before it is run")
    func missing() async throws {
        let folder = try Folder()
        let other = try folder.config(user: "exec: {apiVersion: v9, command: sh}")
        let said = await refusal { try load(other, environment: environment) }
        #expect(said?.contains("apiVersion") == true)
        let missing = try folder.config(
            user: "exec: {apiVersion: \(Self.version), command: no-such-plugin}")
        let unknown = await refusal { try load(missing, environment: environment) }
        #expect(unknown == "exec plugin no-such-plugin is not installed")
        let (printing, path) = try self.folder(
            #""token":"t""#, version: "client.authentication.k8s.io/v9")
        let (_, credentials) = try load(path, environment: environment)
        #expect(await refusal { try await credentials.current(isRefused: false) } != nil)
        _ = printing
    }
}
