// SPDX-License-Identifier: Apache-2.0
import ImageFormat
import KubernetesFormat
import Testing

@Suite struct `Registry credentials` {
    /// A user for each registry, with the same word as password.
    private func file(_ users: [(String, String)]) -> [UInt8] {
        let members = users.map { location, user in
            JSONTree.Member(
                location, ["auth": .string(Base64.encoded(Array("\(user):\(user)".utf8)))])
        }
        return JSONTree.object([.init("auths", .object(members))]).rendered()
    }

    private func users(
        _ files: [[UInt8]], _ image: String
    ) throws -> [String] {
        let image = try ImageReference(image)
        return try RegistryKeyring(files).credentials(
            host: image.host, repository: image.repository
        ).map(\.user)
    }

    /// The kubelet's own cases, by meaning.
    @Test(arguments: [
        ("registry.eu", "registry.eu/a", true), ("https://registry.eu", "registry.eu/a", true),
        ("http://registry.eu/", "registry.eu/a", true),
        ("https://registry.eu/v1/", "registry.eu/a", true),
        ("registry.eu/v2/", "registry.eu/a", true),
        ("registry.eu/a", "registry.eu/a", true), ("registry.eu/a", "registry.eu/ab", true),
        ("registry.eu/a", "registry.eu/b", false), ("registry.eu/a/b", "registry.eu/a", false),
        ("registry.eu:5000", "registry.eu:5000/a", true),
        ("registry.eu", "registry.eu:5000/a", false), ("registry.eu:5000", "registry.eu/a", false),
        ("*.eu", "registry.eu/a", true), ("*.registry.eu", "a.registry.eu/a", true),
        ("*.registry.eu", "registry.eu/a", false), ("*.registry.eu", "a.b.registry.eu/a", false),
        ("reg*.eu:5000/a", "registry.eu:5000/a", true), ("r*i*y.eu", "registry.eu/a", true),
        ("r*x*y.eu", "registry.eu/a", false), ("*istry*.eu", "registry.eu/a", true),
        ("ab*b.eu", "ab.eu/a", false), ("*", "registry.eu/a", false),
        ("egistry.eu", "registry.eu/a", false),
        ("registry.eu.evil.example", "registry.eu/a", false),
        ("[::1]:5000", "[::1]:5000/a", true), ("[::1]", "[::1]:5000/a", false),
        ("https://index.docker.io/v1/", "debian", true), ("index.docker.io", "a/b", true),
        ("docker.io", "debian", true), ("docker.io/library", "debian", true),
        ("docker.io/a", "debian", false), ("https://index.docker.io/v1/", "registry.eu/a", false),
    ])
    func `match by host and path`(_ location: String, _ image: String, _ matches: Bool) throws {
        let found = try users([file([(location, "u")])], image)
        #expect(found == (matches ? ["u"] : []))
    }

    @Test func `are all tried, the most specific first, then in the order of their files`() throws {
        let files = [
            file([("registry.eu", "wrong"), ("registry.eu/team/a", "exact"), ("b.eu", "other")]),
            file([("registry.eu", "right"), ("registry.eu/team", "team"), ("*.eu", "any")]),
            // The same again is not tried twice.
            file([("https://registry.eu", "wrong")]),
        ]
        #expect(
            try users(files, "registry.eu/team/a:1") == ["exact", "team", "wrong", "right", "any"])
        // Those of Docker Hub by its former name only when nothing else matches.
        let hub = file([("index.docker.io", "former"), ("docker.io", "now")])
        #expect(try users([hub], "debian") == ["now"])
    }

    @Test(arguments: [
        (#"{"auth": "dTpwOnE="}"#, "u", "p:q"), (#"{"auth": "dTpwOnE"}"#, "u", "p:q"),
        (#"{"auth": "dTpwAA=="}"#, "u", "p"),
        (#"{"username": "u", "password": "p:q", "email": "x"}"#, "u", "p:q"),
        (#"{"auth": "dTpw", "username": "x", "password": "y"}"#, "u", "p"),
    ])
    func `are read as the kubelet reads them`(
        _ entry: String, _ user: String, _ password: String
    ) throws {
        let keyring = try RegistryKeyring([Array(#"{"auths": {"a.eu": \#(entry)}}"#.utf8)])
        #expect(
            keyring.credentials(host: "a.eu", repository: "b")
                == [RegistryCredential(user: user, password: password)])
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"auths": []}"#, #"{"auths": {"a.eu": {}}}"#,
        #"{"auths": {"a.eu": {"auth": "*hunter2*"}}}"#,
        #"{"auths": {"a.eu": {"auth": "aHVudGVyMg=="}}}"#,
        #"{"auths": {"a.eu": {"username": "hunter2"}}}"#, #"{"auths": {"": {"auth": "dTpw"}}}"#,
        #"{"auths": {"a.eu": {"auth": "dTpw"}, "a.eu": {"auth": "dTpw"}}}"#,
        #"{"auths": {"a.eu": {"identitytoken": "hunter2"}}}"#,
    ])
    func `that cannot be read are refused without being told`(_ text: String) {
        let failure = #expect(throws: RegistryKeyringFailure.self) {
            try RegistryKeyring([Array(text.utf8)])
        }
        #expect(failure?.reason.contains("hunter2") == false)
    }

    @Test func `are never described`() {
        let credential = RegistryCredential(user: "u", password: "hunter2")
        var dumped = ""
        dump(credential, to: &dumped)
        #expect(!"\(credential) \(String(reflecting: credential)) \(dumped)".contains("hunter2"))
        #expect(credential.basic == "dTpodW50ZXIy")
    }

    @Test func `are as many and as large as they may be`() throws {
        let users = (0..<ImageLimits.credentialEntriesMax).map { ("r\($0).eu", "u\($0)") }
        #expect(try self.users([file(users)], "r1023.eu/a") == ["u1023"])
        #expect(throws: RegistryKeyringFailure.self) {
            try RegistryKeyring([file(users + [("x.eu", "x")])])
        }
        let one = file([("r.eu", "u")])
        let room = [UInt8](
            repeating: 0x20, count: ImageLimits.credentialBytesMax - one.count)
        #expect(try self.users([one + room], "r.eu/a") == ["u"])
        #expect(throws: RegistryKeyringFailure.self) { try RegistryKeyring([one + room + [0x20]]) }
    }
}

@Suite struct `Challenges` {
    @Test func `are read with all that they may have`() {
        let docker =
            #"Bearer realm="https://auth.docker.io/token",service="registry.docker.io","#
            + #"scope="repository:samalba/my-app:pull,push",error="a\"b\\""#
        #expect(
            AuthenticationChallenge.parse(docker) == [
                .init(
                    scheme: "bearer",
                    parameters: [
                        "realm": "https://auth.docker.io/token", "service": "registry.docker.io",
                        "scope": "repository:samalba/my-app:pull,push", "error": #"a"b\"#,
                    ])
            ])
        #expect(
            AuthenticationChallenge.parse(#"BASIC Realm = "a, b" , bearer , X a=b,c="d", Basic"#)
                == [
                    .init(scheme: "basic", parameters: ["realm": "a, b"]),
                    .init(scheme: "bearer", parameters: [:]),
                    .init(scheme: "x", parameters: ["a": "b", "c": "d"]),
                    .init(scheme: "basic", parameters: [:]),
                ])
        // Of two alike the first.
        #expect(
            AuthenticationChallenge.parse(#"Bearer realm="a",realm="b""#).first?.parameters
                == ["realm": "a"])
    }

    @Test(arguments: ["", " ,, ", "=", #""a""#, "\u{0}"])
    func `that are none are none`(_ text: String) {
        #expect(AuthenticationChallenge.parse(text).isEmpty)
    }

    @Test func `never hang, whatever is sent`() {
        var generator = SystemRandomNumberGenerator()
        let parts = ["Bearer", "Basic", " ", ",", "=", "\"", "\\", "realm", "a", "\t", "ü", "/"]
        for _ in 0..<5000 {
            let count = Int.random(in: 0...24, using: &generator)
            let text = (0..<count).map { _ in parts.randomElement(using: &generator) ?? "" }
                .joined()
            // Each takes at least a byte.
            #expect(AuthenticationChallenge.parse(text).count <= text.utf8.count)
        }
    }

    @Test func `are as long as they may be`() {
        let text = "Bearer realm=\"" + String(repeating: "a", count: 100) + "\""
        let room = String(repeating: " ", count: ImageLimits.challengeBytesMax - text.utf8.count)
        #expect(AuthenticationChallenge.parse(text + room).count == 1)
        #expect(AuthenticationChallenge.parse(text + room + " ").isEmpty)
    }
}
