// SPDX-License-Identifier: Apache-2.0
import ImageFormat
import ImagePorts
import LoopbackPKI
import OCIRegistry
import ScriptedServer
import Synchronization
import Testing

@Suite struct `Redirects of registries` {
    /// Wants a user, and sends everybody elsewhere.
    private func moving(
        to location: @escaping @Sendable (_ elsewhere: String) -> String
    ) async throws -> Servers {
        try await Servers(
            registry: { request, _, elsewhere in
                if request.target.hasSuffix("/here") { return .content("here") }
                return request.header("Authorization") == nil
                    ? .challenge("Basic") : .moved(location(elsewhere))
            },
            tokens: { _, _ in .content("elsewhere") })
    }

    @Test func `are followed to another server, without the password`() async throws {
        let servers = try await moving { $0 + "/blob?signature=1" }
        #expect(await servers.manifest(try servers.client(), user).text == "elsewhere")
        let request = try #require(servers.tokens.requests.first)
        #expect(request.target == "/blob?signature=1")
        #expect(request.header("Authorization") == nil)
        // The control: its own server gets it.
        let own = try await moving { _ in "/v2/here" }
        #expect(await own.manifest(try own.client(), user).text == "here")
        #expect(own.registry.requests.last?.header("Authorization") == "Basic " + user.basic)
    }

    /// The other server wants a user too, and says whose password it would like, and where.
    @Test(arguments: [
        "Basic", #"Basic realm="registry""#, #"Bearer realm="OTHER/token",service="s""#,
    ])
    func `to a server that asks for a login end there`(_ challenge: String) async throws {
        let wanted = Mutex(challenge)
        let servers = try await Servers(
            registry: { request, _, elsewhere in
                wanted.withLock { $0 = $0.replacing("OTHER", with: elsewhere) }
                return request.header("Authorization") == nil
                    ? .challenge("Basic") : .moved(elsewhere + "/blob")
            },
            tokens: { _, number in
                number == 1 ? .content("elsewhere") : .challenge(wanted.withLock { $0 })
            })
        let client = try servers.client()
        // Before anything is known of the registry, and after that.
        #expect(await servers.manifest(client, user).reason == .unauthorized)
        #expect(await servers.manifest(client, user).text == "elsewhere")
        #expect(await servers.manifest(client, user).reason == .unauthorized)
        #expect(servers.tokens.requests.count == 3)
        #expect(servers.tokens.requests.allSatisfy { $0.header("Authorization") == nil })
        #expect(servers.tokens.requests.allSatisfy { $0.target == "/blob" })
    }

    @Test func `without a login before them lead to none either`() async throws {
        let servers = try await Servers(
            registry: { _, _, elsewhere in .moved(elsewhere + "/blob") },
            tokens: { _, _ in .challenge("Basic") })
        #expect(await servers.manifest(try servers.client(), user).reason == .unauthorized)
        #expect(servers.registry.requests.map { $0.header("Authorization") } == [nil])
        #expect(servers.tokens.requests.map { $0.header("Authorization") } == [nil])
        // The control: the same answer of the registry itself is one to log in after.
        let own = try await Servers { request, _, _ in
            request.header("Authorization") == nil ? .challenge("Basic") : .content("here")
        }
        #expect(await own.manifest(try own.client(), user).text == "here")
    }

    @Test(arguments: [
        "http://127.0.0.1:PORT/", "ftp://a/", "https://user:word@127.0.0.1:PORT/", "https://",
        "file:///etc/passwd", "",
    ])
    func `to no server with TLS are not followed`(_ location: String) async throws {
        let servers = try await moving { elsewhere in
            location.replacing("PORT", with: elsewhere.split(separator: ":").last ?? "")
        }
        switch await servers.manifest(try servers.client(), user).reason {
        case .malformed: break
        case let other: Issue.record("\(String(describing: other))")
        }
        #expect(servers.tokens.requests.isEmpty)
    }

    @Test func `end`() async throws {
        func servers(_ count: Int) async throws -> Servers {
            try await Servers { request, _, _ in
                let number = Int(request.target.dropFirst(3)) ?? 0
                return number == count ? .content("end") : .moved("/n/\(number + 1)")
            }
        }
        let three = try await servers(3)
        #expect(await three.manifest(try three.client()).text == "end")
        let four = try await servers(4)
        #expect(
            await four.manifest(try four.client()).reason
                == .malformed(detail: "more than 3 redirects"))
        #expect(four.registry.requests.count == 4)
    }
}

@Suite struct `Answers of registries` {
    @Test(arguments: [
        (403, RegistryFailure.unauthorized), (404, .notFound),
        (429, .rateLimited(retryAfterSeconds: nil)), (400, .malformed(detail: "status 400")),
        (206, .malformed(detail: "status 206")),
        (500, .unavailable(detail: "status 500")), (408, .unavailable(detail: "status 408")),
    ])
    func `have a meaning, and their text is not told`(
        _ status: Int, _ failure: RegistryFailure
    ) async throws {
        let servers = try await Servers { _, _, _ in ScriptedAnswer(status, "hunter2") }
        let found = await servers.manifest(try servers.client(), user)
        #expect(found.reason == failure)
        #expect(!"\(found)".contains("hunter2"))
    }

    @Test func `that are refused without a known way to log in say so`() async throws {
        for header in ["", "Digest realm=\"a\"", "Bearer service=\"a\"", "Negotiate"] {
            let servers = try await Servers { _, _, _ in .challenge(header) }
            let reason = await servers.manifest(try servers.client(), user).reason
            let isBearer = header.hasPrefix("Bearer")
            #expect(
                reason
                    == (isBearer
                        ? .malformed(detail: "its token server has no https address")
                        : .unauthorized))
        }
    }

    @Test func `that fail in passing are asked for once more`() async throws {
        func servers(_ failures: Int, _ status: Int, _ headers: [(String, String)] = [])
            async throws -> Servers
        {
            try await Servers { _, number, _ in
                number < failures
                    ? ScriptedAnswer(status, "", headers: headers) : .content("late")
            }
        }
        let one = try await servers(1, 503)
        #expect(await one.manifest(try one.client()).text == "late")
        let two = try await servers(2, 503)
        #expect(
            await two.manifest(try two.client()).reason == .unavailable(detail: "status 503"))
        #expect(two.registry.requests.count == 2)
        // As soon as it may be asked again, if that is soon.
        let soon = try await servers(1, 429, [("Retry-After", "1")])
        #expect(await soon.manifest(try soon.client()).text == "late")
        for wait in ["2", "86400", "99999999999999999999", "Fri, 27 Nov 2026 00:00:00 GMT"] {
            let late = try await servers(1, 429, [("Retry-After", wait)])
            #expect(
                await late.manifest(try late.client()).reason
                    == .rateLimited(retryAfterSeconds: Int(wait)))
            #expect(late.registry.requests.count == 1)
        }
    }

    @Test func `take from one budget while they come in, and give it back`() async throws {
        let body = String(repeating: "a", count: 1000)
        func servers() async throws -> Servers {
            try await Servers { request, _, _ in
                request.target.hasSuffix("/other")
                    ? ScriptedAnswer(404, body) : .content(body)
            }
        }
        let exact = try await servers()
        let client = try exact.client { $0.bodyBytesMax = 1000 }
        for _ in 0..<3 {
            #expect(await exact.manifest(client).text == body)
            _ = try? await client.manifest(exact.repository, .tag("other"), nil)
        }
        let little = try await servers()
        let small = try little.client { $0.bodyBytesMax = 999 }
        for _ in 0..<2 {
            #expect(
                await little.manifest(small).reason
                    == .unavailable(detail: "too many answers come in at once"))
        }
    }

    @Test func `that break off give back what they took`() async throws {
        let count = Mutex(0)
        let servers = try await Servers { _, _, _ in
            var answer = ScriptedAnswer.content(String(repeating: "a", count: 600))
            answer.breaksOff = count.withLock { count in
                count += 1
                return count <= 2
            }
            return answer
        }
        let client = try servers.client { $0.bodyBytesMax = 1000 }
        #expect(await servers.manifest(client).text == nil)
        #expect(await servers.manifest(client).text?.utf8.count == 600)
    }

    @Test func `may be as large as the limit`() async throws {
        let text = String(repeating: "a", count: ImageLimits.configBytesMax - 1)
        let digest = try #require(ImageDigest("sha256:" + String(repeating: "0", count: 64)))
        func config(_ parts: [String], length: Int? = nil) async throws -> Result<
            Int, RegistryFailure
        > {
            let servers = try await Servers { request, _, _ in
                #expect(request.target == "/v2/team/app/blobs/\(digest)")
                var answer = ScriptedAnswer.content("")
                answer.parts = parts
                return answer
            }
            let client = try servers.client()
            do throws(RegistryFailure) {
                return .success(
                    try await client.config(servers.repository, digest, nil).count)
            } catch { return .failure(error) }
        }
        #expect(try await config([text, "b"]) == .success(ImageLimits.configBytesMax))
        #expect(
            try await config([text, "b", "c"])
                == .failure(.tooLarge(limit: ImageLimits.configBytesMax)))
    }

    @Test func `that break off or never come are told`() async throws {
        let broken = try await Servers { _, _, _ in
            var answer = ScriptedAnswer.content("half")
            answer.breaksOff = true
            return answer
        }
        guard case .unavailable = await broken.manifest(try broken.client()).reason else {
            Issue.record("taken for whole")
            return
        }
        let silent = try await Servers { _, _, _ in
            var answer = ScriptedAnswer()
            answer.isSilent = true
            return answer
        }
        let client = try silent.client { $0.requestTime = .milliseconds(200) }
        #expect(await silent.manifest(client).reason == .timedOut)
        let before = silent.registry.requests.count
        let patient = try silent.client()
        let waiting = Task { await silent.manifest(patient).reason }
        while silent.registry.requests.count == before {
            try await Task.sleep(for: .milliseconds(5))
        }
        waiting.cancel()
        #expect(await waiting.value == .cancelled)
    }

    @Test func `of nobody, or of somebody else, are none`() async throws {
        let servers = try await Servers { _, _, _ in .content("{}") }
        let down = RegistryRepository(host: "127.0.0.1:1", name: "a")
        let trusting = try servers.client()
        do throws(RegistryFailure) {
            _ = try await trusting.manifest(down, .tag("1"), nil)
            Issue.record("nobody answered")
        } catch {
            #expect(error == .unavailable(detail: "cannot connect"))
        }
        let stranger = try LoopbackPKI(commonName: "Another CA")
        let client = try servers.client {
            $0.authorities = Array(stranger.authority.certificatePEM.utf8)
        }
        guard case .tlsFailed = await servers.manifest(client, user).reason else {
            Issue.record("believed a stranger")
            return
        }
        // Without TLS nobody is spoken to who was not named.
        let plain = try servers.client { $0.insecureHosts = ["127.0.0.1"] }
        #expect(await servers.manifest(plain).text == "{}")
        let insecure = try servers.client { $0.insecureHosts = [servers.host] }
        #expect(await servers.manifest(insecure, user).text == nil)
    }

    @Test func `are for names that are parsed, nothing else`() async throws {
        let servers = try await Servers { _, _, _ in .content("{}") }
        let client = try servers.client()
        for name in ["../a", "a/../b", "a?b", "", "A", "a b", "a#b"] {
            let repository = RegistryRepository(host: servers.host, name: name)
            await #expect(throws: RegistryFailure.self) {
                try await client.manifest(repository, .tag("1"), nil)
            }
        }
        #expect(servers.registry.requests.isEmpty)
    }

    @Test func `authorities that are none are refused`() {
        var settings = OCIRegistrySettings()
        settings.authorities = Array("no PEM".utf8)
        #expect(throws: OCIRegistry.SettingsInvalid.self) { try OCIRegistry(settings) }
    }
}
