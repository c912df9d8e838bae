// SPDX-License-Identifier: Apache-2.0
import Delivery
import Testing
import WrapperConfiguration

@Suite struct `Settings from the environment` {
    static let complete: [ControlVariable: String] = [
        .address: "https://vault.example.eu:8200",
        .tokenFile: "/run/token",
        .secretPaths: "secret/app",
        .environmentMap: "password=DB_PASSWORD",
    ]

    static func parse(
        _ changes: [ControlVariable: String?] = [:], credentials: Set<ControlVariable> = []
    ) -> Result<WrapperSettings, ConfigurationFailure> {
        var variables = complete
        for (variable, value) in changes { variables[variable] = value }
        let parser = SettingsParser(
            defaultFollow: .attached, hasCredential: { credentials.contains($0) },
            lookUp: { variables[$0] })
        do throws(ConfigurationFailure) {
            return .success(try parser.parse())
        } catch { return .failure(error) }
    }

    @Test func `the smallest complete environment is understood`() throws {
        let settings = try Self.parse().get()
        #expect(
            settings.vault.origin == Origin(scheme: "https", host: "vault.example.eu", port: 8200))
        #expect(settings.vault.auth == .token(file: "/run/token"))
        #expect(
            settings.requests == [
                SecretRequest(
                    path: "secret/app",
                    mappings: [SecretRequest.Mapping(field: "password", name: "DB_PASSWORD")])
            ])
        #expect(settings.delivery == .splice)
        #expect(settings.vault.minimumTier == .secret)
        #expect(settings.vault.allowedOrigins == [settings.vault.origin])
    }

    @Test(arguments: [ControlVariable.address, .tokenFile, .secretPaths, .environmentMap])
    func `a missing required variable is named`(variable: ControlVariable) {
        guard case .failure(let failure) = Self.parse([variable: String?.none]) else {
            Issue.record("accepted")
            return
        }
        #expect(failure.variable == variable.rawValue)
    }

    @Test(arguments: [
        "http://vault:8200", "vault:8200", "https://", "https://a b", "https://v:0",
        "https://v:65536", "https://v:8x", "https://user@v", "https://v/a?b", "https://v/../x",
        "https://[::1", "https://v\u{0}", "https://v%41", "https://v?x", "https://v#x",
    ])
    func `an address that is not a plain https origin is refused`(address: String) {
        #expect(throws: ConfigurationFailure.self) {
            try Self.parse([.address: address]).get()
        }
    }

    @Test(arguments: [
        ("https://v", "https://v:443", ""), ("https://V.Example/", "https://v.example:443", ""),
        ("https://[::1]:8200", "https://[::1]:8200", ""),
        ("https://v/bao/", "https://v:443", "/bao"), ("HTTPS://v:1", "https://v:1", ""),
    ])
    func `an address is split into origin and prefix`(
        address: String, origin: String, prefix: String
    ) throws {
        let vault = try Self.parse([.address: address]).get().vault
        #expect(vault.origin.description == origin)
        #expect(vault.pathPrefix == prefix)
    }

    @Test func `groups follow the order of the paths`() throws {
        let settings = try Self.parse([
            .secretPaths: " secret/app , kv/db ",
            .environmentMap: "a=A, b.c=B ;d=D;",
        ]).get()
        #expect(settings.requests.map(\.path) == ["secret/app", "kv/db"])
        #expect(settings.requests.map { $0.mappings.map(\.name) } == [["A", "B"], ["D"]])
        #expect(settings.requests[0].mappings[1].field == "b.c")
    }

    @Test(arguments: [
        ("secret/app", "a=A;b=B"), ("secret/app,kv/db", "a=A"), ("secret/app", "a"),
        ("secret/app", "=A"), ("secret/app", "a="), ("secret/app", "a=1A"),
        ("secret/app", "a=A,b=A"), ("secret/app", "a=VAULT_TOKEN"), ("secret", "a=A"),
        ("/secret/app", "a=A"), ("secret//app", "a=A"), ("secret/../app", "a=A"),
        ("secret/app,secret/app", "a=A;b=B"), ("secret/a?b", "a=A"), ("secret/app", "a=A,"),
        ("secret/a b", "a=A"), ("secret/app", "a=CLOUDTASER_X"),
    ])
    func `paths and map that do not fit are refused`(paths: String, map: String) {
        #expect(throws: ConfigurationFailure.self) {
            try Self.parse([.secretPaths: paths, .environmentMap: map]).get()
        }
    }

    @Test func `the number of paths is limited at the edge`() throws {
        func settings(_ count: Int) -> Result<WrapperSettings, ConfigurationFailure> {
            Self.parse([
                .secretPaths: (0..<count).map { "s/p\($0)" }.joined(separator: ","),
                .environmentMap: (0..<count).map { "f=N\($0)" }.joined(separator: ";"),
            ])
        }
        #expect(try settings(SettingsParser.pathCountMax).get().requests.count == 64)
        #expect(throws: ConfigurationFailure.self) {
            try settings(SettingsParser.pathCountMax + 1).get()
        }
    }

    @Test func `the number of entries is limited at the edge`() throws {
        func settings(_ count: Int) -> Result<WrapperSettings, ConfigurationFailure> {
            Self.parse([.environmentMap: (0..<count).map { "f=N\($0)" }.joined(separator: ",")])
        }
        #expect(
            try settings(SettingsParser.mappingCountMax).get().requests[0].mappings.count == 256)
        #expect(throws: ConfigurationFailure.self) {
            try settings(SettingsParser.mappingCountMax + 1).get()
        }
    }

    @Test func `a value above the limit is refused before it is read`() {
        let long = String(repeating: "a", count: SettingsParser.valueBytesMax + 1)
        #expect(throws: ConfigurationFailure.self) { try Self.parse([.namespace: long]).get() }
    }

    @Test func `switches have their defaults and both their values`() throws {
        let standard = try Self.parse().get()
        #expect(!standard.undumpable && !standard.readOnlyValues && !standard.dropCapabilities)
        #expect(standard.restrictSystemCalls && !standard.denySendmmsg)
        let other = try Self.parse([
            .undumpable: "true", .readOnlyValues: "1", .dropCapabilities: "true",
            .restrictSystemCalls: "false", .denySendmmsg: "true",
        ]).get()
        #expect(other.undumpable && other.readOnlyValues && other.dropCapabilities)
        #expect(!other.restrictSystemCalls && other.denySendmmsg)
    }

    @Test func `each auth method finds its variables`() throws {
        #expect(
            try Self.parse([.tokenFile: String?.none], credentials: [.token]).get().vault.auth
                == .token(file: nil))
        #expect(
            try Self.parse([.authMethod: "approle", .authRole: "r", .secretIDFile: "/s"]).get()
                .vault.auth == .appRole(roleID: "r", secretIDFile: "/s"))
        #expect(
            try Self.parse([.authMethod: "approle", .authRole: "r"], credentials: [.secretID])
                .get().vault.auth == .appRole(roleID: "r", secretIDFile: nil))
        #expect(
            try Self.parse([.authMethod: "kubernetes", .authRole: "r"]).get().vault.auth
                == .kubernetes(
                    role: "r", tokenFile: SettingsParser.serviceAccountTokenFile))
        let jwt = try Self.parse([
            .authMethod: "jwt", .authRole: "r", .jwtFile: "/j", .authMount: "auth/oidc/",
        ]).get()
        #expect(jwt.vault.auth == .jwt(role: "r", tokenFile: "/j"))
        #expect(jwt.vault.authMount == "oidc")
    }

    @Test(arguments: [
        [ControlVariable.authMethod: "ldap"], [.authMethod: "approle"],
        [.authMethod: "approle", .authRole: "r"], [.authMethod: "kubernetes"],
        [.authMethod: "jwt", .authRole: "r"], [.authMount: "../x"], [.namespace: "a//b"],
        [.clientCertificate: "/c"], [.clientKey: "/k"], [.delivery: "files"],
        [.follow: "sometimes"], [.minimumTier: "best"], [.undumpable: "yes"],
        [.allowedOrigins: "https://v/path"], [.allowedOrigins: "http://v"],
        [.emptyValues: "maybe"],
    ])
    func `a value outside its set is refused`(changes: [ControlVariable: String]) {
        #expect(throws: ConfigurationFailure.self) {
            try Self.parse(changes.mapValues { Optional($0) }).get()
        }
    }

    @Test(
        arguments: [
            ([:], ControlVariable.tokenFile),
            ([.authMethod: "approle", .authRole: "r"], .secretIDFile),
            ([.authMethod: "jwt", .authRole: "r"], .jwtFile),
            ([.authMethod: "kubernetes", .authRole: "r"], .jwtFile),
            ([.clientCertificate: "/c"], .clientKey),
        ] as [([ControlVariable: String], ControlVariable)])
    func `a credential in place of its file's path is refused and not repeated`(
        others: [ControlVariable: String], variable: ControlVariable
    ) throws {
        for text in ["hvs.credential", "-----BEGIN PRIVATE KEY-----\ncredential/=="] {
            var changes = others.mapValues { Optional($0) }
            changes[variable] = text
            guard case .failure(let failure) = Self.parse(changes) else {
                Issue.record("\(variable) was taken")
                continue
            }
            #expect(failure.variable == variable.rawValue)
            #expect(!failure.message.contains("credential"))
            changes[variable] = "./hvs.credential"
            // Control: the same as a path.
            #expect(throws: Never.self) { try Self.parse(changes).get() }
        }
    }

    @Test func `every control variable is kept from the program`() {
        for variable in ControlVariable.allCases {
            #expect(ControlVariable.isControl(variable.rawValue))
        }
        #expect(ControlVariable.isControl("VAULT_SKIP_VERIFY"))
        #expect(!ControlVariable.isControl("VAULTX"))
        #expect(!ControlVariable.isControl("PATH"))
    }
}

@Suite struct `Exit codes` {
    @Test func `stay clear of programs, shells and signals`() {
        for exit in WrapperExit.allCases where exit != .usage {
            #expect((80...127).contains(exit.rawValue))
            #expect(!(118...125).contains(exit.rawValue))
        }
    }

    @Test func `each have a cause and a remedy of their own`() {
        let causes = Set(WrapperExit.allCases.map(\.cause))
        #expect(causes.count == WrapperExit.allCases.count)
        #expect(WrapperExit.allCases.allSatisfy { $0.remedy.hasSuffix(".") })
    }
}
