// SPDX-License-Identifier: Apache-2.0
import LoopbackPKI
import ObjectStorePorts
import S3Format
import S3HTTP
import ScriptedServer
import Testing

@Suite struct `Connections to S3` {
    private static func list(_ store: S3HTTP) async -> Result<ObjectListPage, ObjectStoreFailure> {
        await outcome { () async throws(ObjectStoreFailure) in
            try await store.list(try bucketOrFail("bucket"), ObjectQuery())
        }
    }

    @Test func `are believed by the authorities that were named`() async throws {
        let pki = try LoopbackPKI()
        let server = try await ScriptedServer(pki: pki) { _, _ in .emptyList }
        let store = try store(server.address, authorities: pki)
        #expect(try await Self.list(store).get().objects.isEmpty)
        for other in [try LoopbackPKI(), nil] {
            let store = try S3HTTPTests.store(server.address, authorities: other)
            guard case .failure(.tlsFailed(let host, _)) = await Self.list(store) else {
                Issue.record("an unknown authority was believed")
                continue
            }
            #expect(host == "127.0.0.1")
        }
        #expect(server.requests.count == 1)
    }

    @Test func `are not believed for another host, or after their time`() async throws {
        let pki = try LoopbackPKI()
        for identity in [try pki.otherHostServer(), try pki.expiredServer()] {
            let server = try await ScriptedServer(pki: pki, identity: identity) { _, _ in
                .emptyList
            }
            guard
                case .failure(.tlsFailed) = await Self.list(
                    try store(server.address, authorities: pki))
            else {
                Issue.record("a wrong certificate was believed")
                continue
            }
            #expect(server.requests.isEmpty)
        }
    }

    @Test func `to nobody fail without effect`() async throws {
        let server = try await PlainServer { _, _ in .emptyList }
        let port = server.port
        let store = try store("http://127.0.0.1:\(port)") { $0.attemptsMax = 2 }
        _ = try await Self.list(store).get()
        let nobody = try S3HTTPTests.store("http://127.0.0.1:1") { $0.attemptsMax = 2 }
        guard case .failure(let failure) = await Self.list(nobody),
            case .unreachable("127.0.0.1", _) = failure
        else {
            Issue.record("somebody answered on port 1")
            return
        }
        #expect(failure.effect == .none)
        let written = await reason { () async throws(ObjectStoreFailure) in
            try await nobody.put(body("a"))
        }
        guard case .unreachable = written else {
            Issue.record("\(String(describing: written))")
            return
        }
    }

    @Test func `that break before an answer are lost`() async throws {
        let scripted = try await Scripted({ $0.attemptsMax = 3 }) { _, _ in
            var answer = ScriptedAnswer.emptyList
            answer.parts = []
            answer.breaksOff = true
            return answer
        }
        let found = await Self.list(scripted.store)
        guard case .failure(let failure) = found else {
            Issue.record("\(found)")
            return
        }
        #expect(failure.effect == .unknown)
        #expect(scripted.server.requests.count >= 1)
    }

    @Test func `that say nothing end in the time of a call`() async throws {
        let scripted = try await Scripted({ $0.callTime = .seconds(2) }) { _, _ in
            var answer = ScriptedAnswer.emptyList
            answer.isSilent = true
            return answer
        }
        #expect(await Self.list(scripted.store) == .failure(.timedOut(host: "127.0.0.1")))
        #expect(scripted.server.requests.count <= 1)
    }

    @Test func `end with their calls when those are cancelled`() async throws {
        let scripted = try await Scripted { _, _ in
            var answer = ScriptedAnswer.emptyList
            answer.isSilent = true
            return answer
        }
        let store = scripted.store
        let task = Task { await Self.list(store) }
        while scripted.server.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        task.cancel()
        #expect(await task.value == .failure(.cancelled))
    }

    @Test(arguments: [301, 302, 303, 307, 308])
    func `go nowhere else`(_ status: Int) async throws {
        let other = try await PlainServer { _, _ in .emptyList }
        let address = "http://127.0.0.1:\(other.port)/bucket"
        let scripted = try await Scripted(
            ScriptedAnswer(status, "", headers: [("Location", address)]))
        #expect(await Self.list(scripted.store) == .failure(.refused(code: "", status: status)))
        #expect(other.requests.isEmpty)
        // The control: somebody is there.
        _ = try await Self.list(try store("http://127.0.0.1:\(other.port)")).get()
    }

    @Test func `leave no secret in failures`() async throws {
        let pki = try LoopbackPKI()
        let server = try await ScriptedServer(pki: pki) { _, _ in .emptyList }
        var texts: [String] = []
        for endpoint in [server.address, "http://127.0.0.1:1", "http://host.invalid"] {
            texts.append("\(await Self.list(try store(endpoint) { $0.attemptsMax = 1 }))")
        }
        #expect(texts.allSatisfy { $0.contains("failure") })
        for secret in [secretText, accessKeyID, "Authorization", "bucket"] {
            #expect(!texts.contains { $0.contains(secret) }, "\(texts)")
        }
    }
}
