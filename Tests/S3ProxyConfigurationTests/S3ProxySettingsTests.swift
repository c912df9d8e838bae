// SPDX-License-Identifier: Apache-2.0
import S3ProxyConfiguration
import Testing
import WrapperConfiguration

private let least = [
    "--plain-http", "--upstream-endpoint", "https://s3.example.com", "--vault-address",
    "https://vault.example.eu", "--vault-token-file", "/run/token", "--transit-key", "objects",
    "--clients-path", "secret/s3/clients", "--upstream-credentials-path", "secret/s3/upstream",
]

/// The least that is needed, without some flags and with others.
private func words(without: [String] = [], _ more: String...) -> [String] {
    var kept: [String] = []
    var index = 0
    while index < least.count {
        let count = least[index] == "--plain-http" ? 1 : 2
        if !without.contains(least[index]) { kept += least[index..<index + count] }
        index += count
    }
    return kept + more
}

private func settings(
    _ words: [String], _ variables: [(String, String)] = [], file: String? = nil
) throws(S3ProxySettingsFailure) -> S3ProxySettings {
    var sources = try S3ProxySources(
        words: words, variables: variables.map { (name: $0.0, value: $0.1) })
    if let file { try sources.read(Array(file.utf8), of: "/etc/s3.conf") }
    return try S3ProxySettings(sources)
}

private func refusal(
    _ words: [String], _ variables: [(String, String)] = [], file: String? = nil
) -> String {
    do throws(S3ProxySettingsFailure) {
        _ = try settings(words, variables, file: file)
        return "none"
    } catch { return error.text }
}

@Suite struct `Settings of the S3 proxy` {
    @Test func `have the safe values when nothing is said`() throws {
        let found = try settings(words())
        #expect(found.listen == .init(host: "0.0.0.0", port: 8443))
        #expect(found.healthListen == .init(host: "0.0.0.0", port: 8081))
        #expect(found.transport == .plain)
        #expect(found.upstream.host == "s3.example.com" && found.upstream.port == 443)
        #expect(!found.upstream.isPlain && found.upstream.style == .path)
        #expect(found.upstream.region == "us-east-1" && found.region == "us-east-1")
        #expect(found.vault.origin.host == "vault.example.eu")
        #expect(found.vault.transitMount == "transit")
        #expect(found.vault.minimumTier == .secret)
        #expect(found.keys.mode == .epoch(hours: 1) && found.keys.tenant == "default")
        #expect(found.keys.transitKey == "objects")
        #expect(found.credentials.clientsPath == "secret/s3/clients")
        #expect(found.passThrough.isEmpty && found.domains.isEmpty)
        #expect(found.objectBytesMax == 5 << 40)
    }

    @Test func `come from the command line, the environment and a file, in this order`() throws {
        let file = "# ours\n\nregion  from-file\n--tenant from-file\ndrain-seconds 7\n"
        let variables = [
            ("CLOUDTASER_S3_REGION", "from-environment"), ("CLOUDTASER_S3_TENANT", "e"),
        ]
        let found = try settings(words("--region", "from-flag"), variables, file: file)
        #expect(found.region == "from-flag")
        #expect(found.keys.tenant == "e")
        #expect(found.drainSeconds == 7)
    }

    @Test func `of a list are not joined with those of another place`() throws {
        let file = "domain a.example\ndomain b.example\n"
        #expect(try settings(words(), file: file).domains == ["a.example", "b.example"])
        let variables = [("CLOUDTASER_S3_DOMAIN", "c.example, D.example")]
        #expect(try settings(words(), variables, file: file).domains == ["c.example", "d.example"])
        #expect(
            try settings(words("--domain=e.example"), variables, file: file).domains
                == ["e.example"])
    }

    @Test func `use the wrapper's names and rules for the vault`() throws {
        let found = try settings(
            words(without: ["--vault-address", "--vault-token-file"]),
            [
                ("VAULT_ADDR", "https://other.example:8200/prefix"),
                ("VAULT_AUTH_METHOD", "kubernetes"), ("VAULT_AUTH_ROLE", "s3"),
                ("VAULT_CACERT", "/ca.pem"), ("CLOUDTASER_MINIMUM_TIER", "locked"),
            ])
        #expect(found.vault.origin.port == 8200 && found.vault.pathPrefix == "/prefix")
        #expect(
            found.vault.auth
                == .kubernetes(role: "s3", tokenFile: SettingsParser.serviceAccountTokenFile))
        #expect(found.vault.trustAnchorsFile == "/ca.pem" && found.vault.minimumTier == .locked)
    }

    @Test func `read every form of an endpoint`() throws {
        for (text, host, port) in [
            ("https://S3.Example.com/", "s3.example.com", 443),
            ("https://[2001:db8::1]:9000", "2001:db8::1", 9000),
            ("https://10.0.0.1:9000", "10.0.0.1", 9000),
        ] {
            let found = try settings(
                words(without: ["--upstream-endpoint"], "--upstream-endpoint", text))
            #expect(found.upstream.host == host && Int(found.upstream.port) == port)
        }
        let plain = try settings(
            words(
                without: ["--upstream-endpoint"], "--upstream-endpoint", "http://minio",
                "--allow-plain-http-upstream"))
        #expect(plain.upstream.isPlain && plain.upstream.port == 80)
    }

    @Test func `read modes, certificates and objects that pass through`() throws {
        let found = try settings(
            words(
                without: ["--plain-http"], "--tls-certificate", "/c.pem", "--tls-key", "/k.pem",
                "--mode", "epoch", "--epoch-hours", "24", "--pass-through", "logs",
                "--pass-through", "assets/public/", "--upstream-style", "virtual-host"))
        #expect(found.transport == .tls(certificateFile: "/c.pem", keyFile: "/k.pem"))
        #expect(found.keys.mode == .epoch(hours: 24))
        #expect(
            found.passThrough == [
                .init(bucket: "logs", prefix: ""), .init(bucket: "assets", prefix: "public/"),
            ])
        #expect(found.upstream.style == .virtualHost)
        #expect(try settings(words("--mode=object")).keys.mode == .object)
    }

    @Test func `leave the variables of Kubernetes' own Services alone`() throws {
        let links = [
            "PROXY_SERVICE_HOST", "PROXY_SERVICE_PORT", "PROXY_PORT", "PROXY_PORT_8443_TCP",
            "PROXY_PORT_8443_TCP_PROTO", "PROXY_PORT_8443_TCP_PORT", "PROXY_PORT_8443_TCP_ADDR",
            "PROXY_SERVICE_PORT_HTTPS",
        ].map { ("CLOUDTASER_S3_" + $0, "tcp://10.0.0.1:8443") }
        #expect(throws: Never.self) { try settings(words(), links) }
    }
}

@Suite struct `Refusals of the S3 proxy's settings` {
    @Test(arguments: [
        (
            ["--upstream-endpoint"],
            "--upstream-endpoint (CLOUDTASER_S3_UPSTREAM_ENDPOINT): is not set"
        ),
        (["--vault-address"], "--vault-address (VAULT_ADDR): is not set"),
        (["--vault-token-file"], "--vault-token-file (VAULT_TOKEN_FILE): is not set"),
        (["--transit-key"], "--transit-key (CLOUDTASER_S3_TRANSIT_KEY): is not set"),
        (["--clients-path"], "--clients-path (CLOUDTASER_S3_CLIENTS_PATH): is not set"),
        (["--plain-http"], "--tls-certificate (CLOUDTASER_S3_TLS_CERTIFICATE): is not set"),
    ])
    func `name what is missing`(_ missing: [String], _ text: String) {
        #expect(refusal(words(without: missing)).hasPrefix(text))
    }

    @Test(arguments: [
        (["--nope"], "unknown flag '--nope'"), (["nope"], "unknown flag 'nope'"),
        (["--tenant"], "needs a value"), (["--tenant", ""], "is empty"),
        (["--tenant=a", "--tenant=b"], "is there twice"),
        (["--tenant", "a/b"], "'a/b' is not of letters"),
        (["--tenant", ".."], "is not of letters"),
        (["--mode", "both"], "is not one of epoch, object"),
        (["--mode=object", "--epoch-hours=2"], "needs --mode epoch"),
        (["--requests-max", "0"], "no number from 1 to 65536"),
        (["--requests-max", "+5"], "no number"), (["--requests-max", "1e3"], "no number"),
        (["--listen", "8443"], "is not ADDRESS:PORT"),
        (["--listen", "a:b"], "is not ADDRESS:PORT"),
        (["--listen", "::1:80"], "is not ADDRESS:PORT"),
        (["--tls-key", "/k.pem"], "needs --tls-key, and the other way round"),
        (["--tls-key", "/k", "--tls-certificate", "/c"], "remove one of the two"),
        (["--upstream-ca", "ca.pem"], "is no absolute path"),
        (["--pass-through", "Not_A_Bucket/x"], "is no bucket and prefix"),
        (["--domain", "a..b"], "is no domain"), (["--region", "a b"], "is no region"),
        (["--allow-plain-http-upstream=maybe"], "neither true nor false"),
        (["--transit-mount", "/transit"], "is no path"),
        (["--transit-mount", "a/../b"], "is no path"),
    ])
    func `name the flag and what to do`(_ more: [String], _ text: String) {
        let found = refusal(words() + more)
        #expect(found.contains(text), "\(found)")
    }

    @Test(arguments: [
        ("http://s3.example.com", "is plain http"), ("s3.example.com", "begins with neither"),
        ("https://s3.example.com/prefix", "without a path"), ("https://", "without a path"),
        ("https://a b", "without a path"), ("https://h:0", "without a path"),
        ("https://user@host", "without a path"), ("https://h:99999", "without a path"),
    ])
    func `take no endpoint that is none`(_ endpoint: String, _ text: String) {
        let found = refusal(
            words(without: ["--upstream-endpoint"], "--upstream-endpoint", endpoint))
        #expect(found.contains(text), "\(found)")
    }

    @Test func `name unknown variables and lines`() {
        #expect(
            refusal(words(), [("CLOUDTASER_S3_REGOIN", "x")])
                == "CLOUDTASER_S3_REGOIN: no setting is called so; see --help")
        #expect(
            refusal(words(), file: "tenant a\n\nregoin x\n")
                == "/etc/s3.conf, line 3: unknown setting 'regoin'; write NAME VALUE, see --help")
        #expect(refusal(words(), file: "config /other\n").contains("cannot name another one"))
        #expect(refusal(words(), file: "tenant\n").contains("line 1: 'tenant' needs a value"))
        #expect(refusal(words(), file: "tenant a\ntenant b\n").contains("line 2: --tenant"))
    }

    @Test func `take a path of the vault with a mount only`() {
        let found = refusal(words(without: ["--clients-path"], "--clients-path", "clients"))
        #expect(found.contains("is not mount and path"))
    }

    @Test func `are those of the wrapper for the vault, under the flag's name`() {
        let found = refusal(
            words(without: ["--vault-address"], "--vault-address", "http://vault.example"))
        #expect(found.hasPrefix("--vault-address (VAULT_ADDR): is not https://"), "\(found)")
    }

    @Test func `show no value of a file's path that may be a credential`() {
        let found = refusal(
            words(without: ["--vault-token-file"], "--vault-token-file", "hvs.not-a-path"))
        #expect(found.contains("is not the path of a file") && !found.contains("hvs"), "\(found)")
    }
}

@Suite struct `The help of the S3 proxy` {
    @Test func `tells every setting once, in lines of a terminal`() {
        let text = S3ProxyHelp.text
        for setting in S3ProxySetting.allCases {
            #expect(text.contains("[\(setting.variable)]"), "\(setting)")
            let mentions = text.split(separator: "\n").filter {
                $0.hasPrefix("  \(setting.flag) ") || $0 == "  \(setting.flag)"
            }
            #expect(mentions.count == 1, "\(setting)")
        }
        let lines = text.split(separator: "\n")
        #expect(lines.allSatisfy { $0.count <= 100 }, "\(lines.filter { $0.count > 100 })")
    }
}
