// SPDX-License-Identifier: Apache-2.0
import Foundation
import Kubeconfig
import KubernetesPorts
import LoopbackPKI
import ScriptedServer
import Synchronization
import Testing

@testable import KubernetesHTTP

private let pods = ResourceCollection(
    group: "", version: "v1", resource: "pods", namespace: "default")

private func client(
    _ server: ScriptedServer, _ credentials: any ClusterCredentials
) throws -> KubernetesHTTP {
    var settings = KubernetesHTTPSettings()
    settings.isRetrying = false
    settings.requestTime = .seconds(3000)
    settings.connectTime = .seconds(3000)
    settings.watchGrace = .seconds(3000)
    return try KubernetesHTTP(
        ClusterEndpoint(
            server: server.address,
            authorities: Array(server.pki.authority.certificatePEM.utf8)),
        credentials: credentials, settings: settings)
}

private let anybody = FixedCredentials(ClusterCredential(bearerToken: "secret-token"))

private func failure(_ call: () async throws -> some Any) async -> KubernetesFailure? {
    do {
        _ = try await call()
        return nil
    } catch { return error as? KubernetesFailure }
}

@Suite("Answers have bounds") struct AnswerLimitTests {
    @Test("a body is taken up to its limit")
    func body() async throws {
        let limit = KubernetesLimits.responseBytesMax
        let mebibyte = String(repeating: "a", count: 1 << 20)
        for (extra, isGood) in [("", true), ("b", false)] {
            let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
                var answer = ScriptedAnswer()
                answer.parts = Array(repeating: mebibyte, count: limit >> 20) + [extra]
                return answer
            }
            let api = try client(server, anybody)
            let path = pods.path + "/a"
            if isGood {
                #expect(try await api.get(pods.object("a")).count == limit)
            } else {
                let failed = await failure { try await api.get(pods.object("a")) }
                #expect(failed == .responseTooLarge(path: path, limit: limit))
            }
        }
    }

    @Test("a body that breaks off is no answer")
    func broken() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            var answer = ScriptedAnswer(200, #"{"kind":"Pod""#)
            answer.breaksOff = true
            return answer
        }
        let failed = await failure { try await client(server, anybody).get(pods.object("a")) }
        guard case .unreachable = failed else {
            return #expect(Bool(false), "\(String(describing: failed))")
        }
    }

    @Test("lines are cut at their ends, up to their limit")
    func lines() throws {
        var lines = WatchLineSplitter(limit: 4)
        lines.append(Array("ab".utf8))
        #expect(try lines.next() == nil)
        lines.append(Array("cd\n\nx\ny".utf8))
        #expect(try lines.next() == Array("abcd".utf8))
        #expect(try lines.next() == Array("x".utf8))
        #expect(try lines.next() == nil)
        lines.append(Array("zzz".utf8))
        #expect(try lines.next() == nil)
        lines.append(Array("z".utf8))
        #expect(throws: WatchLineSplitter.TooLong.self) { try lines.next() }
        var whole = WatchLineSplitter(limit: 4)
        whole.append(Array("abcde\n".utf8))
        #expect(throws: WatchLineSplitter.TooLong.self) { try whole.next() }
    }

    @Test("a watch's events come through whatever the packets are")
    func watch() async throws {
        let text =
            #"{"type":"ADDED","object":{"a":1}}"# + "\n"
            + #"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}"# + "\n"
            + #"{"type":"ERROR","object":{"kind":"Status","code":410}}"# + "\n"
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            var answer = ScriptedAnswer()
            answer.parts = text.map(String.init)
            return answer
        }
        let events = Mutex<[WatchEvent]>([])
        let failed = await failure {
            try await client(server, anybody).watch(
                pods, .init(), since: "5", time: .seconds(30)
            ) { event in
                events.withLock { $0.append(event) }
                return .more
            }
        }
        #expect(failed == .gone)
        #expect(
            events.withLock { $0 } == [
                .added(Array(#"{"a":1}"#.utf8)), .bookmark(resourceVersion: "9"),
            ])
        let target = try #require(server.requests.first?.target)
        #expect(
            target == pods.path
                + "?watch=true&allowWatchBookmarks=true&resourceVersion=5&timeoutSeconds=30")
    }

    @Test("a watch's line that does not end is refused")
    func endlessLine() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            var answer = ScriptedAnswer()
            answer.parts = Array(repeating: String(repeating: "a", count: 1 << 20), count: 5)
            return answer
        }
        let failed = await failure {
            try await client(server, anybody).watch(
                pods, .init(), since: "5", time: .seconds(30)
            ) { _ in .more }
        }
        #expect(
            failed
                == .responseTooLarge(
                    path: pods.path, limit: KubernetesLimits.watchLineBytesMax))
    }

    @Test("a page that is no list is told apart")
    func junk() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            ScriptedAnswer(200, "<html>secret-page</html>")
        }
        let failed = await failure {
            try await client(server, anybody).list(pods, .init(), limit: 1, continuation: nil)
        }
        guard case .responseMalformed = failed else {
            return #expect(Bool(false), "\(String(describing: failed))")
        }
        #expect(!"\(String(describing: failed))".contains("secret"))
    }

    @Test("an answer's own text is cut, and only shown where it quotes nothing")
    func messages() async throws {
        let long = String(repeating: "m", count: 5000)
        let status = #"{"kind":"Status","code":%,"message":"\#(long)"}"#
        let server = try await ScriptedServer(pki: LoopbackPKI()) { request, _ in
            let code = request.target.hasSuffix("a") ? 403 : 400
            return ScriptedAnswer(
                code, status.replacingOccurrences(of: "%", with: "\(code)"))
        }
        let api = try client(server, anybody)
        let forbidden = await failure { try await api.get(pods.object("a")) }
        let limit = KubernetesLimits.messageCharactersMax
        #expect(forbidden == .forbidden(message: String(repeating: "m", count: limit)))
        let bad = await failure { try await api.get(pods.object("b")) }
        #expect(bad == .badRequest(path: pods.path + "/b"))
    }
}

@Suite("Credentials") struct CredentialTests {
    /// A directory as the kubelet mounts it.
    private func mount(_ token: String) throws -> String {
        let path = NSTemporaryDirectory() + "cloudtaser-account-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        try token.write(toFile: path + "/token", atomically: true, encoding: .utf8)
        try "team\n".write(toFile: path + "/namespace", atomically: true, encoding: .utf8)
        return path
    }

    @Test("a pod's token is read again for each call")
    func inCluster() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in ScriptedAnswer() }
        let directory = try mount("first\n")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try server.pki.authority.certificatePEM.write(
            toFile: directory + "/ca.crt", atomically: true, encoding: .utf8)
        let environment = [
            "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "\(server.port)",
        ]
        let (endpoint, credentials) = try InClusterConfiguration.load(
            environment: environment, directory: directory)
        #expect(endpoint.namespace == "team")
        #expect(endpoint.server == server.address)
        let api = try KubernetesHTTP(endpoint, credentials: credentials)
        _ = try await api.get(pods.object("a"))
        try "second".write(toFile: directory + "/token", atomically: true, encoding: .utf8)
        _ = try await api.get(pods.object("a"))
        #expect(
            server.requests.map { $0.header("Authorization") } == [
                "Bearer first", "Bearer second",
            ])
        try FileManager.default.removeItem(atPath: directory + "/token")
        let failed = await failure { try await api.get(pods.object("a")) }
        #expect(failed == .credentialUnavailable(detail: "\(directory)/token cannot be read"))
    }

    @Test("outside of a cluster, or with a broken mount, it says what is missing")
    func outside() throws {
        let directory = try mount("a b")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        #expect(throws: KubernetesFailure.self) {
            _ = try InClusterConfiguration.load(environment: [:], directory: directory)
        }
        let environment = ["KUBERNETES_SERVICE_HOST": "::1", "KUBERNETES_SERVICE_PORT": "443"]
        #expect(
            throws: KubernetesFailure.credentialUnavailable(
                detail: "\(directory)/ca.crt cannot be read")
        ) {
            _ = try InClusterConfiguration.load(environment: environment, directory: directory)
        }
        try "x".write(toFile: directory + "/ca.crt", atomically: true, encoding: .utf8)
        #expect(
            throws: KubernetesFailure.credentialUnavailable(
                detail: "\(directory)/token does not hold one line of text")
        ) {
            _ = try InClusterConfiguration.load(environment: environment, directory: directory)
        }
        try "good".write(toFile: directory + "/token", atomically: true, encoding: .utf8)
        let (endpoint, _) = try InClusterConfiguration.load(
            environment: environment, directory: directory)
        #expect(endpoint.server == "https://[::1]:443")
    }

    /// Gives another token once the first was refused.
    private struct Renewing: ClusterCredentials {
        func current(isRefused: Bool) async throws(KubernetesFailure) -> ClusterCredential {
            ClusterCredential(bearerToken: isRefused ? "new" : "old")
        }
    }

    @Test("a refused credential is renewed once")
    func renewed() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { request, _ in
            request.header("Authorization") == "Bearer new"
                ? ScriptedAnswer() : ScriptedAnswer(401, "{}")
        }
        _ = try await client(server, Renewing()).get(pods.object("a"))
        #expect(server.requests.count == 2)
        // One that stays the same is not tried again.
        let failed = await failure { try await client(server, anybody).get(pods.object("a")) }
        #expect(failed == .unauthorized)
        #expect(server.requests.count == 3)
    }

    @Test("nothing says a credential's content")
    func hidden() {
        let credential = ClusterCredential(
            bearerToken: "secret-token", certificate: Array("secret".utf8),
            privateKey: Array("secret".utf8))
        #expect(!"\(credential)".contains("secret"))
        #expect(!String(reflecting: credential).contains("secret"))
        var text = ""
        dump(credential, to: &text)
        #expect(!text.contains("secret"))
    }
}
