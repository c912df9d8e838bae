// SPDX-License-Identifier: Apache-2.0
import Foundation
import Kubeconfig
import KubernetesHTTP
import KubernetesPorts
import LoopbackPKI
import ScriptedServer
import Synchronization
import Testing

private let pods = ResourceCollection(
    group: "", version: "v1", resource: "pods", namespace: "default")

/// A client of a scripted server, with short pauses, and with more time than a busy machine takes:
/// when the time of a call is over, its last failure comes through.
private func client(
    _ server: ScriptedServer, trusting pki: LoopbackPKI? = nil,
    credentials: any ClusterCredentials = FixedCredentials(
        ClusterCredential(bearerToken: "secret-token")),
    serverName: String? = nil, change: (inout KubernetesHTTPSettings) -> Void = { _ in }
) throws -> KubernetesHTTP {
    var settings = KubernetesHTTPSettings()
    settings.requestTime = .seconds(3000)
    settings.connectTime = .seconds(3000)
    settings.firstPause = .milliseconds(10)
    settings.pauseMax = .milliseconds(50)
    change(&settings)
    let authority = (pki ?? server.pki).authority.certificatePEM
    return try KubernetesHTTP(
        ClusterEndpoint(
            server: server.address, authorities: Array(authority.utf8), serverName: serverName),
        credentials: credentials, settings: settings)
}

private func failure(_ call: () async throws -> some Any) async -> KubernetesFailure? {
    do {
        _ = try await call()
        return nil
    } catch { return error as? KubernetesFailure }
}

@Suite("The client sends") struct RequestTests {
    @Test("paths, queries, types and the token as the API has them")
    func forms() async throws {
        let list = #"{"metadata":{"resourceVersion":"1"},"items":[]}"#
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            ScriptedAnswer(200, list)
        }
        let api = try client(server)
        _ = try await api.list(
            pods, .init(labels: "app=web,tier!=db", fields: "metadata.name=a"), limit: 7,
            continuation: "a/b+c=")
        let leases = ResourceCollection(
            group: "coordination.k8s.io", version: "v1", resource: "leases", namespace: "n")
        _ = try await api.patch(
            leases.object("l").status, .apply(manager: "cloudtaser", isForced: true),
            Array("{}".utf8), WriteOptions(isDryRun: true))
        _ = try await api.patch(leases.object("l"), .json, Array("[]".utf8), WriteOptions())
        _ = try await api.patch(leases.object("l"), .merge, Array("{}".utf8), WriteOptions())
        try await api.delete(
            leases.object("l"), .init(uid: "u"), WriteOptions(isDryRun: true))
        let seen = server.requests
        #expect(
            seen.map { "\($0.method) \($0.target)" } == [
                "GET /api/v1/namespaces/default/pods?labelSelector=app%3Dweb%2Ctier%21%3Ddb"
                    + "&fieldSelector=metadata.name%3Da&limit=7&continue=a%2Fb%2Bc%3D",
                "PATCH /apis/coordination.k8s.io/v1/namespaces/n/leases/l/status"
                    + "?dryRun=All&fieldManager=cloudtaser&force=true",
                "PATCH /apis/coordination.k8s.io/v1/namespaces/n/leases/l",
                "PATCH /apis/coordination.k8s.io/v1/namespaces/n/leases/l",
                "DELETE /apis/coordination.k8s.io/v1/namespaces/n/leases/l",
            ])
        #expect(seen.allSatisfy { $0.header("Authorization") == "Bearer secret-token" })
        #expect(
            seen.dropFirst().prefix(3).map { $0.header("Content-Type") } == [
                "application/apply-patch+yaml", "application/json-patch+json",
                "application/merge-patch+json",
            ])
        #expect(
            String(decoding: try #require(seen.last).body, as: UTF8.self)
                == #"{"kind":"DeleteOptions","apiVersion":"v1","preconditions":{"uid":"u"},"#
                + #""dryRun":["All"]}"#)
    }

    @Test(
        "a name that would lead elsewhere is not sent", arguments: ["..", "a/b", "a?b", "", "a b"])
    func names(_ name: String) async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in ScriptedAnswer() }
        let api = try client(server)
        let failed = await failure { try await api.get(pods.object(name)) }
        guard case .configurationInvalid = failed else {
            return #expect(Bool(false), "\(String(describing: failed))")
        }
        #expect(server.requests.isEmpty)
        // Control: an ordinary name is.
        _ = try await api.get(pods.object("a.b-c"))
        #expect(server.requests.count == 1)
    }

    @Test("a redirect is not followed: it would carry the token away")
    func redirect() async throws {
        let other = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in ScriptedAnswer() }
        let address = other.address
        let server = try await ScriptedServer(pki: other.pki) { _, _ in
            ScriptedAnswer(307, "", headers: [("Location", address + "/api/v1")])
        }
        let failed = await failure { try await client(server).get(pods.object("a")) }
        #expect(failed == .unexpectedStatus(path: pods.path + "/a", status: 307))
        #expect(other.requests.isEmpty)
    }
}

@Suite("The client repeats") struct RetryTests {
    /// Fails so often with a status, then succeeds.
    private func server(
        failing count: Int, _ status: Int, headers: [(String, String)] = []
    ) async throws -> ScriptedServer {
        try await ScriptedServer(pki: LoopbackPKI()) { _, number in
            number < count ? ScriptedAnswer(status, "busy", headers: headers) : ScriptedAnswer()
        }
    }

    @Test("reads, and writes that may be done twice", arguments: [429, 500, 503, 504])
    func repeats(_ status: Int) async throws {
        let server = try await server(failing: 2, status)
        _ = try await client(server).get(pods.object("a"))
        #expect(server.requests.count == 3)
        let other = try await self.server(failing: 2, status)
        _ = try await client(other).replace(
            pods.object("a"), with: Array("{}".utf8), WriteOptions())
        #expect(other.requests.count == 3)
    }

    @Test("no create, unless the server did not begin it")
    func creates() async throws {
        let body = Array("{}".utf8)
        let server = try await server(failing: 1, 500)
        let failed = await failure {
            try await client(server).create(body, in: pods, WriteOptions())
        }
        #expect(failed == .serverError(status: 500, retryAfterSeconds: nil))
        #expect(server.requests.count == 1)
        let busy = try await self.server(failing: 1, 429)
        _ = try await client(busy).create(body, in: pods, WriteOptions())
        #expect(busy.requests.count == 2)
    }

    @Test("a delete only with preconditions")
    func deletes() async throws {
        let server = try await server(failing: 1, 503)
        let failed = await failure {
            try await client(server).delete(pods.object("a"), .init(), WriteOptions())
        }
        #expect(failed == .serverError(status: 503, retryAfterSeconds: nil))
        let other = try await self.server(failing: 1, 503)
        try await client(other).delete(pods.object("a"), .init(uid: "u"), WriteOptions())
        #expect(other.requests.count == 2)
    }

    @Test("nothing that will not pass", arguments: [400, 403, 404, 409, 410, 422])
    func finalAnswers(_ status: Int) async throws {
        let server = try await server(failing: 9, status)
        _ = await failure { try await client(server).get(pods.object("a")) }
        #expect(server.requests.count == 1)
    }

    @Test("after as long as the server says, and not beyond its own time")
    func retryAfter() async throws {
        let server = try await server(failing: 1, 429, headers: [("Retry-After", "1")])
        let start = ContinuousClock().now
        _ = try await client(server).get(pods.object("a"))
        #expect(ContinuousClock().now - start >= .seconds(1))
        let long = try await self.server(failing: 9, 429, headers: [("Retry-After", "3600")])
        let failed = await failure { try await client(long).get(pods.object("a")) }
        #expect(failed == .tooManyRequests(retryAfterSeconds: 3600))
        #expect(long.requests.count == 1)
    }

    @Test("not at all when it is told so")
    func off() async throws {
        let server = try await server(failing: 1, 503)
        let failed = await failure {
            try await client(server) { $0.isRetrying = false }.get(pods.object("a"))
        }
        #expect(failed == .serverError(status: 503, retryAfterSeconds: nil))
    }

    @Test("a server that never answers costs the time of one call")
    func silence() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            var answer = ScriptedAnswer()
            answer.isSilent = true
            return answer
        }
        let first = try client(server) { $0.requestTime = .seconds(1) }
        let second = try client(server)
        await withTaskGroup(of: (isFirst: Bool, KubernetesFailure?).self) { group in
            group.addTask { (true, await failure { try await first.get(pods.object("a")) }) }
            // With 3000 s: it is still waiting then.
            group.addTask { (false, await failure { try await second.get(pods.object("b")) }) }
            let ended = await group.next()
            #expect(ended?.isFirst == true)
            #expect(ended?.1 == .timedOut(host: "127.0.0.1"))
            group.cancelAll()
            #expect(await group.next()?.1 == .cancelled)
        }
    }

    @Test("and failures that pass are told when the time of a call is over")
    func outOfTime() async throws {
        let server = try await server(failing: .max, 503)
        let failed = await failure {
            try await client(server) {
                $0.requestTime = .seconds(60)
                $0.firstPause = .seconds(600)
            }.get(pods.object("a"))
        }
        #expect(failed == .serverError(status: 503, retryAfterSeconds: nil))
        #expect(server.requests.count == 1)
    }

    @Test("a port where nobody listens is unreachable")
    func refused() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in ScriptedAnswer() }
        let authority = Array(server.pki.authority.certificatePEM.utf8)
        var settings = KubernetesHTTPSettings()
        settings.isRetrying = false
        let api = try KubernetesHTTP(
            ClusterEndpoint(server: "https://127.0.0.1:1", authorities: authority),
            credentials: FixedCredentials(ClusterCredential()), settings: settings)
        let failed = await failure { try await api.get(pods.object("a")) }
        guard case .unreachable(let host, _) = failed else {
            return #expect(Bool(false), "\(String(describing: failed))")
        }
        #expect(host == "127.0.0.1")
    }
}

@Suite("The client trusts") struct TrustTests {
    @Test("the right server only")
    func server() async throws {
        let pki = try LoopbackPKI()
        func attempt(_ identity: Identity, trusting: LoopbackPKI) async throws
            -> KubernetesFailure?
        {
            let server = try await ScriptedServer(pki: pki, identity: identity) { _, _ in
                ScriptedAnswer()
            }
            let api = try client(server, trusting: trusting) { $0.isRetrying = false }
            let failed = await failure { try await api.get(pods.object("a")) }
            #expect(server.requests.isEmpty == (failed != nil), "no token goes to a stranger")
            return failed
        }
        #expect(try await attempt(pki.server(), trusting: pki) == nil, "control")
        for (identity, trusted) in [
            (try pki.expiredServer(), pki), (try pki.otherHostServer(), pki),
            (try pki.server(), try LoopbackPKI(commonName: "Another CA")),
        ] {
            guard case .tlsFailed = try await attempt(identity, trusting: trusted) else {
                Issue.record("a stranger was trusted")
                continue
            }
        }
    }

    @Test("a certificate for another name, when the configuration names it")
    func serverName() async throws {
        let pki = try LoopbackPKI()
        let server = try await ScriptedServer(pki: pki, identity: pki.otherHostServer()) { _, _ in
            ScriptedAnswer()
        }
        _ = try await client(server, serverName: "other.test").get(pods.object("a"))
        #expect(server.requests.count == 1)
    }

    @Test("and shows its certificate to who asks for one")
    func clientCertificate() async throws {
        let pki = try LoopbackPKI()
        let server = try await ScriptedServer(pki: pki, wantsClientCertificate: true) { _, _ in
            ScriptedAnswer()
        }
        let good = try pki.client()
        func credentials(_ identity: Identity) -> FixedCredentials {
            FixedCredentials(
                ClusterCredential(
                    certificate: Array(identity.certificatePEM.utf8),
                    privateKey: Array(identity.keyPEM.utf8)))
        }
        _ = try await client(server, credentials: credentials(good)).get(pods.object("a"))
        let stranger = try LoopbackPKI(commonName: "Another CA").client()
        for other in [credentials(stranger), FixedCredentials(ClusterCredential())] {
            let api = try client(server, credentials: other) { $0.isRetrying = false }
            #expect(await failure { try await api.get(pods.object("a")) } != nil)
        }
        #expect(server.requests.count == 1)
    }

    @Test(
        "no address but https", arguments: ["http://a:1", "a:1", "https://", "https://a@b", ""])
    func addresses(_ address: String) throws {
        #expect(throws: KubernetesFailure.self) {
            try KubernetesHTTP(
                ClusterEndpoint(server: address, authorities: nil),
                credentials: FixedCredentials(ClusterCredential()))
        }
    }

    @Test("authorities that are none are refused", arguments: ["", "no PEM"])
    func authorities(_ text: String) throws {
        #expect(throws: KubernetesFailure.self) {
            try KubernetesHTTP(
                ClusterEndpoint(server: "https://a", authorities: Array(text.utf8)),
                credentials: FixedCredentials(ClusterCredential()))
        }
    }
}
