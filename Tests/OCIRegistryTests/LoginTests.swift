// SPDX-License-Identifier: Apache-2.0
import ImageFormat
import ImagePorts
import LoopbackPKI
import OCIRegistry
import ScriptedServer
import Synchronization
import Testing

@Suite struct `Logins at registries` {
    /// Lets in who has the last token that was given out.
    private func strict(
        _ wanted: @escaping @Sendable () -> String
    ) async throws -> Servers {
        try await Servers { request, _, tokens in
            request.header("Authorization") == wanted()
                ? .content("{}") : .bearer(tokens + "/token")
        }
    }

    @Test func `nobody logs in where nobody has to`() async throws {
        let servers = try await Servers { _, _, _ in .content("{}") }
        let found = await servers.manifest(try servers.client(), user)
        #expect(
            found == .success(RegistryManifest(bytes: [0x7B, 0x7D], contentType: manifestType)))
        #expect(servers.registry.requests.count == 1)
        let request = try #require(servers.registry.requests.first)
        #expect(request.target == "/v2/team/app/manifests/1" && request.method == "GET")
        #expect(request.header("Authorization") == nil)
        let accepted = request.headers.filter { $0.0 == "Accept" }.map(\.1)
        #expect(accepted == ImageDocument.mediaTypes)
    }

    @Test func `the password goes to the token server, the token to the registry`() async throws {
        let servers = try await strict { "Bearer token-0" }
        let client = try servers.client()
        #expect(await servers.manifest(client, user).text == "{}")
        #expect(await servers.manifest(client, user).text == "{}")
        // The token is used again.
        #expect(servers.tokens.requests.count == 1)
        let login = try #require(servers.tokens.requests.first)
        // Reading is all that is asked for, whatever is offered.
        #expect(
            login.target
                == "/token?service=the%20registry&scope=repository%3Ateam%2Fapp%3Apull")
        #expect(login.header("Authorization") == "Basic " + user.basic)
        #expect(login.header("Cookie") == nil && login.body.isEmpty)
        for request in servers.registry.requests {
            #expect(request.header("Authorization")?.contains(user.basic) != true)
        }
        #expect(servers.registry.requests.count == 3)
    }

    @Test func `a token is for one repository and one user`() async throws {
        let servers = try await Servers { request, _, tokens in
            request.header("Authorization") == nil ? .bearer(tokens + "/token") : .content("{}")
        }
        let client = try servers.client()
        let other = RegistryRepository(host: servers.host, name: "team/other")
        for _ in 0..<2 {
            _ = await servers.manifest(client, user)
            _ = await servers.manifest(client)
            _ = try await client.manifest(other, .tag("1"), user)
        }
        let logins = servers.tokens.requests
        #expect(logins.count == 3)
        #expect(logins.filter { $0.header("Authorization") == nil }.count == 1)
        #expect(logins.filter { $0.target.contains("other") }.count == 1)
    }

    @Test func `a token that is refused is renewed once`() async throws {
        let wanted = Mutex("Bearer token-0")
        let servers = try await strict { wanted.withLock { $0 } }
        let client = try servers.client()
        #expect(await servers.manifest(client, user).text == "{}")
        wanted.withLock { $0 = "Bearer token-1" }
        #expect(await servers.manifest(client, user).text == "{}")
        #expect(servers.tokens.requests.count == 2)
        // No token is good any more: one attempt, then it is told.
        wanted.withLock { $0 = "Bearer none" }
        #expect(await servers.manifest(client, user).reason == .unauthorized)
        #expect(servers.tokens.requests.count == 3)
    }

    @Test func `a token is not used in its last moments`() async throws {
        let servers = try await Servers(
            registry: { request, _, tokens in
                request.header("Authorization") == nil
                    ? .bearer(tokens + "/token") : .content("{}")
            },
            tokens: { _, number in
                // 10 s are kept in reserve.
                ScriptedAnswer(
                    200,
                    #"{"access_token": "t\#(number)", "expires_in": \#(number == 0 ? 10 : 3600)}"#)
            })
        let client = try servers.client()
        for _ in 0..<3 { #expect(await servers.manifest(client, user).text == "{}") }
        #expect(servers.tokens.requests.count == 2)
    }

    @Test func `Basic is answered when it is asked for, and not before`() async throws {
        let servers = try await Servers { request, _, _ in
            request.header("Authorization") == "Basic " + user.basic
                ? .content("{}") : .challenge(#"Basic realm="r""#)
        }
        let client = try servers.client()
        #expect(await servers.manifest(client).reason == .unauthorized)
        #expect(await servers.manifest(client, user).text == "{}")
        #expect(await servers.manifest(client, user).text == "{}")
        let wrong = RegistryCredential(user: "user", password: "wrong")
        #expect(await servers.manifest(client, wrong).reason == .unauthorized)
        let sent = servers.registry.requests.map { $0.header("Authorization") == nil ? "-" : "+" }
        #expect(sent == ["-", "-", "+", "+", "-", "+"])
        // Of both, a token.
        let both = try await Servers { request, _, tokens in
            request.header("Authorization")?.hasPrefix("Bearer") == true
                ? .content("{}")
                : .challenge(#"Basic realm="r", Bearer realm="\#(tokens)/t",service="s""#)
        }
        #expect(await both.manifest(try both.client(), user).text == "{}")
    }

    @Test(arguments: [
        (401, RegistryFailure.unauthorized), (403, .unauthorized),
        (404, .malformed(detail: "its token server has no such address")),
        (429, .rateLimited(retryAfterSeconds: nil)),
        (503, .unavailable(detail: "status 503")), (302, .malformed(detail: "status 302")),
    ])
    func `what the token server refuses is told`(
        _ status: Int, _ failure: RegistryFailure
    ) async throws {
        let servers = try await Servers(
            registry: { _, _, tokens in .bearer(tokens + "/token") },
            tokens: { _, _ in
                ScriptedAnswer(
                    status, "hunter2-of-user", headers: [("Location", "https://evil.example/")])
            })
        let found = await servers.manifest(try servers.client(), user)
        #expect(found.reason == failure)
        #expect(!"\(found)".contains("hunter2") && !"\(found)".contains("evil"))
    }

    @Test(arguments: [
        "", "{}", #"{"token": ""}"#, #"{"token": 1}"#, #"{"token": "a b"}"#,
        #"{"token": "a\r\nX: y"}"#,
        #"{"token": ""# + String(repeating: "a", count: (32 << 10) + 1) + #""}"#,
        String(repeating: " ", count: 64 << 10) + #"{"token": "a"}"#,
    ])
    func `what is no token is none`(_ body: String) async throws {
        let servers = try await Servers(
            registry: { _, _, tokens in .bearer(tokens + "/token") },
            tokens: { _, _ in ScriptedAnswer(200, body) })
        switch await servers.manifest(try servers.client(), user).reason {
        case .malformed(detail: "its token server sent no token"), .tooLarge(limit: 64 << 10): break
        case let other: Issue.record("\(String(describing: other))")
        }
    }

    @Test(arguments: [
        "http://127.0.0.1:PORT/t", "https://user:word@127.0.0.1:PORT/t",
        "https://127.0.0.1:PORT/t#a", "//127.0.0.1:PORT/t", "/t", "", "ftp://127.0.0.1:PORT/t",
        "https:///t",
    ])
    func `a token server without an https address gets nothing`(_ realm: String) async throws {
        let servers = try await Servers { _, _, tokens in
            let port = tokens.split(separator: ":").last ?? ""
            return .bearer(realm.replacing("PORT", with: port))
        }
        let found = await servers.manifest(try servers.client(), user)
        #expect(found.reason == .malformed(detail: "its token server has no https address"))
        #expect(servers.tokens.requests.isEmpty)
        // The control: the same with the right scheme.
        let control = try await Servers { request, _, tokens in
            request.header("Authorization") == nil ? .bearer(tokens + "/t?x=1") : .content("{}")
        }
        #expect(await control.manifest(try control.client(), user).text == "{}")
        #expect(control.tokens.requests.first?.target.hasPrefix("/t?x=1&service=") == true)
    }

    @Test func `a scope of another form is the server's own`() async throws {
        let servers = try await Servers { request, _, tokens in
            request.header("Authorization") == nil
                ? .bearer(tokens + "/t", scope: "aws") : .content("{}")
        }
        #expect(await servers.manifest(try servers.client(), user).text == "{}")
        #expect(servers.tokens.requests.first?.target.hasSuffix("&scope=aws") == true)
    }
}
