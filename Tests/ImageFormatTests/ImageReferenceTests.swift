// SPDX-License-Identifier: Apache-2.0
import ImageFormat
import Testing

@Suite struct `Names of images` {
    static let digest = "sha256:" + String(repeating: "0123456789abcdef", count: 4)

    @Test(arguments: [
        ("debian", "docker.io/library/debian:latest"),
        ("debian:12", "docker.io/library/debian:12"),
        ("grafana/grafana", "docker.io/grafana/grafana:latest"),
        ("docker.io/debian", "docker.io/library/debian:latest"),
        ("index.docker.io/debian:12", "docker.io/library/debian:12"),
        ("docker.io/a/b/c", "docker.io/a/b/c:latest"),
        ("localhost/a", "localhost/a:latest"),
        ("localhost:5000/a:1", "localhost:5000/a:1"),
        ("localhost:5000", "docker.io/library/localhost:5000"),
        ("registry.example.eu/a", "registry.example.eu/a:latest"),
        ("registry:5000/a__b/c--d.e_f:V1.0-x_", "registry:5000/a__b/c--d.e_f:V1.0-x_"),
        ("Registry/a", "Registry/a:latest"),
        ("10.0.0.1:443/a", "10.0.0.1:443/a:latest"),
        ("[::1]:5000/a:1", "[::1]:5000/a:1"),
        ("[2001:DB8::1]/a", "[2001:DB8::1]/a:latest"),
        ("a@" + digest, "docker.io/library/a@" + digest),
        ("registry.example.eu:5000/a:1@" + digest, "registry.example.eu:5000/a@" + digest),
        ("xn--n3h.com/myimage", "xn--n3h.com/myimage:latest"),
    ])
    func `mean what container runtimes take them for`(_ text: String, _ meaning: String) throws {
        #expect(try ImageReference(text).description == meaning)
    }

    @Test(arguments: [
        "", " ", "a ", "/a", "a/", "a//b", "A", "a/B", "-a", "a-", "a..b", "a___b", "a._b", "a:",
        "a:-1", "a: b", "a@", "a@sha256:00", "a@sha512:" + String(repeating: "0", count: 128),
        "a@sha256:" + String(repeating: "A", count: 64), "a:1@b", "registry.example.eu/",
        "registry.example.eu:0/a", "registry.example.eu:65536/a", "registry.example.eu:+1/a",
        "registry.example.eu:/a", "-registry.example.eu/a", "registry..eu/a", "[::1/a", "[]:1/a",
        "[::g]/a", "[1.2.3.4]/a", "[::1]5000/a", "user:password@registry.example.eu/a",
        "https://registry.example.eu/a", "registry.example.eu/../a", "registry.example.eu/a?b",
        "registry.example.eu/a%2fb", "registry.example.eu/a\r\nb", "regïstry.eu/a", "registry.eu/ä",
        String(repeating: "0123456789abcdef", count: 4),
    ])
    func `that nobody can look up are refused`(_ text: String) {
        #expect(throws: ImageReferenceFailure.self) { try ImageReference(text) }
    }

    @Test func `are as long as they may be, and no longer`() throws {
        let tag = String(repeating: "a", count: ImageLimits.tagBytesMax)
        #expect(try ImageReference("a:" + tag).selector == .tag(tag))
        #expect(throws: ImageReferenceFailure.self) { try ImageReference("a:a" + tag) }
        let name = "a/" + String(repeating: "b", count: ImageLimits.repositoryBytesMax - 2)
        #expect(try ImageReference(name).repository == name)
        #expect(throws: ImageReferenceFailure.self) { try ImageReference(name + "b") }
        // `library/` counts.
        let short = String(repeating: "b", count: ImageLimits.repositoryBytesMax - 8)
        #expect(try ImageReference(short).repository == "library/" + short)
        #expect(throws: ImageReferenceFailure.self) { try ImageReference(short + "b") }
        let host = String(repeating: "a.", count: 127) + "a:65535"
        #expect(host.utf8.count == 261)
        #expect(try ImageReference(host + "/a").host == host)
        #expect(throws: ImageReferenceFailure.self) { try ImageReference("a" + host + "/a") }
    }

    @Test func `a reason has nothing of the name`() {
        let failure = #expect(throws: ImageReferenceFailure.self) {
            try ImageReference("user:hunter2@registry.example.eu/a")
        }
        #expect(failure?.reason.contains("hunter2") == false)
    }
}

@Suite struct `Mirrors` {
    private func places(_ image: String, _ rules: [String]) throws -> [String] {
        try RegistryMirrors(rules).places(of: ImageReference(image)).map {
            "\($0.repository.host) \($0.repository.name) \($0.credentialHost)"
        }
    }

    @Test func `are asked in their order, then the registry itself`() throws {
        #expect(
            try places("debian", []) == ["registry-1.docker.io library/debian docker.io"])
        let rules = [
            "docker.io=https://mirror.example.eu/hub", "docker.io=https://second.example.eu:8443/",
            "other.example.eu=https://third.example.eu",
        ]
        #expect(
            try places("debian", rules) == [
                "mirror.example.eu hub/library/debian mirror.example.eu",
                "second.example.eu:8443 library/debian second.example.eu:8443",
                "registry-1.docker.io library/debian docker.io",
            ])
        #expect(
            try places("registry.example.eu:5000/a", rules) == [
                "registry.example.eu:5000 a registry.example.eu:5000"
            ])
    }

    @Test func `say by their address which have no TLS`() throws {
        let mirrors = try RegistryMirrors(["a.eu=http://b.eu:5000", "a.eu=https://c.eu"])
        #expect(mirrors.insecureHosts == ["b.eu:5000"])
    }

    @Test(arguments: [
        "", "docker.io", "docker.io=", "docker.io=mirror.eu", "docker.io=ftp://mirror.eu",
        "=https://mirror.eu", "a/b=https://mirror.eu", "docker.io=https://",
        "docker.io=https://user@mirror.eu", "docker.io=https://mirror.eu/A",
        "docker.io=https://mirror.eu/a//b", "docker.io=https://mirror.eu?x", "https://a=b",
    ])
    func `that are none are refused, with the form`(_ rule: String) {
        let failure = #expect(throws: RegistryMirrors.Failure.self) { try RegistryMirrors([rule]) }
        #expect(failure?.reason.contains("HOST=https://MIRROR") == true)
    }

    @Test func `are no more than the limit`() throws {
        let rules = (0..<ImageLimits.mirrorsMax).map { "a.eu=https://m\($0).eu" }
        #expect(try places("a.eu/b", rules).count == ImageLimits.mirrorsMax + 1)
        #expect(throws: RegistryMirrors.Failure.self) {
            try RegistryMirrors(rules + ["a.eu=https://m.eu"])
        }
    }
}
