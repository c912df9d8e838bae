// SPDX-License-Identifier: Apache-2.0
import CurlHTTP
import Foundation
import Kubeconfig
import KubernetesPorts
import LoopbackPKI
import ScriptedServer
import Synchronization
import Testing

private let pods = ResourceCollection(
    group: "", version: "v1", resource: "pods", namespace: "default")
private let list = #"{"metadata":{"resourceVersion":"1","continue":"c"},"items":[{"a":1}]}"#

private func reader(
    _ server: ScriptedServer, trusting pki: LoopbackPKI? = nil, serverName: String? = nil,
    credentials: any ClusterCredentials = FixedCredentials(
        ClusterCredential(bearerToken: "secret-token")),
    time: Duration = .seconds(3000)
) throws -> CurlClusterReader {
    let authority = (pki ?? server.pki).authority.certificatePEM
    return try CurlClusterReader(
        ClusterEndpoint(
            server: server.address, authorities: Array(authority.utf8), serverName: serverName),
        credentials: credentials, time: time)
}

private func failure(_ call: () async throws -> some Any) async -> KubernetesFailure? {
    do {
        _ = try await call()
        return nil
    } catch { return error as? KubernetesFailure }
}

@Suite("The reader by libcurl") struct CurlClusterReaderTests {
    @Test func `sends paths, queries and the token, on one connection`() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            ScriptedAnswer(200, list)
        }
        let api = try reader(server)
        let page = try await api.list(
            pods, .init(labels: "app=web,tier!=db"), limit: 7, continuation: "a/b+c=")
        #expect(page.items.map { String(decoding: $0, as: UTF8.self) } == [#"{"a":1}"#])
        #expect(page.continuation == "c")
        _ = try await api.get(pods.object("a"))
        #expect(
            server.requests.map(\.target) == [
                "/api/v1/namespaces/default/pods?labelSelector=app%3Dweb%2Ctier%21%3Ddb"
                    + "&limit=7&continue=a%2Fb%2Bc%3D",
                "/api/v1/namespaces/default/pods/a",
            ])
        #expect(
            server.requests.allSatisfy { $0.header("Authorization") == "Bearer secret-token" })
        #expect(server.connectionCount == 1)
    }

    @Test func `believes the authorities that it was given, and the name`() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in ScriptedAnswer() }
        let stranger = try LoopbackPKI(commonName: "Another CA")
        for (api, isGood) in [
            (try reader(server), true), (try reader(server, trusting: stranger), false),
            (try reader(server, serverName: "wrong.test"), false),
        ] {
            let failed = await failure { try await api.get(pods.object("a")) }
            guard isGood else {
                guard case .tlsFailed = failed else {
                    Issue.record("\(String(describing: failed))")
                    continue
                }
                continue
            }
            #expect(failed == nil)
        }
        #expect(server.requests.count == 1)
    }

    @Test func `shows its certificate to who asks for one`() async throws {
        let pki = try LoopbackPKI()
        let server = try await ScriptedServer(pki: pki, wantsClientCertificate: true) { _, _ in
            ScriptedAnswer()
        }
        let identity = try pki.client()
        let good = FixedCredentials(
            ClusterCredential(
                certificate: Array(identity.certificatePEM.utf8),
                privateKey: Array(identity.keyPEM.utf8)))
        _ = try await reader(server, credentials: good).get(pods.object("a"))
        let api = try reader(server, time: .seconds(1))
        #expect(await failure { try await api.get(pods.object("a")) } != nil)
        let broken = FixedCredentials(
            ClusterCredential(certificate: Array("x".utf8), privateKey: Array("y".utf8)))
        let unusable = try reader(server, credentials: broken)
        guard
            case .credentialUnavailable = await failure({
                try await unusable.get(pods.object("a"))
            })
        else {
            Issue.record("a certificate that is none was taken")
            return
        }
        #expect(server.requests.count == 1)
    }

    @Test func `tries again what passes, and tells what does not`() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, number in
            switch number {
            case 0: ScriptedAnswer(503, "busy")
            case 1: ScriptedAnswer(200, list)
            case 2: ScriptedAnswer(403, #"{"kind":"Status","code":403,"message":"no rights"}"#)
            default: ScriptedAnswer(302, "", headers: [("Location", "https://elsewhere.test/")])
            }
        }
        let api = try reader(server)
        _ = try await api.list(pods, .init(), limit: 1, continuation: nil)
        #expect(
            await failure { try await api.get(pods.object("a")) }
                == .forbidden(message: "no rights"))
        #expect(
            await failure { try await api.get(pods.object("a")) }
                == .unexpectedStatus(path: "/api/v1/namespaces/default/pods/a", status: 302))
        #expect(server.requests.count == 4)
    }

    @Test func `an answer that is too large is none`() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            var answer = ScriptedAnswer()
            answer.parts = Array(
                repeating: String(repeating: " ", count: 1 << 20),
                count: KubernetesLimits.responseBytesMax >> 20)
            answer.parts.append("{}")
            return answer
        }
        let api = try reader(server)
        #expect(
            await failure { try await api.get(pods.object("a")) }
                == .responseTooLarge(
                    path: "/api/v1/namespaces/default/pods/a",
                    limit: KubernetesLimits.responseBytesMax))
    }

    @Test func `ends with its time, and when it is given up`() async throws {
        let server = try await ScriptedServer(pki: LoopbackPKI()) { _, _ in
            var answer = ScriptedAnswer()
            answer.isSilent = true
            return answer
        }
        let api = try reader(server, time: .milliseconds(300))
        #expect(
            await failure { try await api.get(pods.object("a")) } == .timedOut(host: "127.0.0.1"))
        let patient = try reader(server)
        let task = Task { await failure { try await patient.get(pods.object("a")) } }
        while server.requests.count < 2 { try await Task.sleep(for: .milliseconds(10)) }
        task.cancel()
        #expect(await task.value == .cancelled)
    }

    @Test func `where nobody listens it is tried a few times, and told`() async throws {
        let credentials = CountingCredentials()
        let api = try CurlClusterReader(
            ClusterEndpoint(server: "https://127.0.0.1:1", authorities: nil),
            credentials: credentials, time: .seconds(20))
        guard case .unreachable = await failure({ try await api.get(pods.object("a")) }) else {
            Issue.record("something answered at port 1")
            return
        }
        #expect(credentials.count == CurlClusterReader.unreachableMax)
    }
}

/// Asked once for each attempt.
private final class CountingCredentials: ClusterCredentials {
    private let asked = Mutex(0)

    var count: Int { asked.withLock { $0 } }

    func current(isRefused: Bool) -> ClusterCredential {
        asked.withLock { $0 += 1 }
        return ClusterCredential()
    }
}
