// SPDX-License-Identifier: Apache-2.0
import Testing
import WrapperConfiguration

@Suite struct `Settings of a run's life` {
    typealias Parser = `Settings from the environment`

    @Test func `nothing is rotated and failed fetches get a minute unless told otherwise`() throws {
        let life = try Parser.parse().get().life
        #expect(life == LifeSettings())
        #expect(life.rotation == .none && life.fetchSecondsMax == 60 && life.checkSeconds == 300)
        #expect(life.terminationMessageFile == "/dev/termination-log")
    }

    @Test(
        arguments: [
            ("none", nil, RotationStrategy.none), ("restart", nil, .restart),
            ("signal:HUP", nil, .signal(1)), ("signal:SIGUSR2", nil, .signal(12)),
            ("exec-hook", "/bin/reload --now  web", .execHook(["/bin/reload", "--now", "web"])),
        ] as [(String, String?, RotationStrategy)])
    func `strategies are understood`(
        text: String, hook: String?, expected: RotationStrategy
    ) throws {
        let life = try Parser.parse([.rotation: text, .rotationHook: hook]).get().life
        #expect(life.rotation == expected)
    }

    @Test(
        arguments: [
            ("reload", nil), ("signal:", nil), ("signal:KILL", nil), ("signal:hup", nil),
            ("exec-hook", nil), ("exec-hook", "  "), ("restart", "/bin/reload"),
            (nil, "/bin/reload"),
        ] as [(String?, String?)])
    func `strategies that cannot be are refused`(text: String?, hook: String?) {
        #expect(throws: ConfigurationFailure.self) {
            try Parser.parse([.rotation: text, .rotationHook: hook]).get()
        }
    }

    @Test func `a hook's words are limited at the edge`() throws {
        func parse(_ words: Int) -> Result<WrapperSettings, ConfigurationFailure> {
            let hook = Array(repeating: "w", count: words).joined(separator: " ")
            return Parser.parse([.rotation: "exec-hook", .rotationHook: hook])
        }
        _ = try parse(SettingsParser.hookWordsMax).get()
        #expect(throws: ConfigurationFailure.self) {
            try parse(SettingsParser.hookWordsMax + 1).get()
        }
    }

    @Test(arguments: [("0", 0), ("90", 90), ("90s", 90), ("5m", 300), ("24h", 86_400)])
    func `times have units`(text: String, seconds: Int) throws {
        #expect(try Parser.parse([.fetchSecondsMax: text]).get().life.fetchSecondsMax == seconds)
        #expect(try Parser.parse([.stopSeconds: text]).get().life.stopSeconds == seconds)
    }

    @Test(arguments: [("0", 30), ("1s", 1), ("29s", 29), ("30s", 30), ("31s", 30), ("1h", 30)])
    func `no call takes longer than the whole fetch may`(text: String, seconds: Int) throws {
        let settings = try Parser.parse([.fetchSecondsMax: text]).get()
        #expect(settings.vault.requestSecondsMax == seconds)
    }

    @Test(arguments: ["-1", "1.5", "s", "1d", "86401", "25h", "999999999999", " 5"])
    func `times that are none are refused`(text: String) {
        #expect(throws: ConfigurationFailure.self) {
            try Parser.parse([.fetchSecondsMax: text]).get()
        }
    }

    @Test func `versions are not looked at more often than every five seconds`() throws {
        _ = try Parser.parse([.rotationCheckSeconds: "5"]).get()
        #expect(throws: ConfigurationFailure.self) {
            try Parser.parse([.rotationCheckSeconds: "4"]).get()
        }
    }

    @Test func `a path may carry parameters`() throws {
        let request = try Parser.parse([
            .secretPaths: "pki/issue/web?common_name=app.example&ttl=24h",
            .environmentMap: "certificate=CERT,private_key=KEY",
        ]).get().requests[0]
        #expect(request.path == "pki/issue/web")
        #expect(
            request.parameters == [
                .init(name: "common_name", value: "app.example"), .init(name: "ttl", value: "24h"),
            ])
    }

    @Test func `the same path may be asked for twice with other parameters`() throws {
        let requests = try Parser.parse([
            .secretPaths: "pki/issue/web?common_name=a,pki/issue/web?common_name=b",
            .environmentMap: "certificate=A;certificate=B",
        ]).get().requests
        #expect(requests.count == 2)
    }

    @Test func `parameters are limited at the edge`() throws {
        func parse(_ count: Int) -> Result<WrapperSettings, ConfigurationFailure> {
            let list = (0..<count).map { "n\($0)=v" }.joined(separator: "&")
            return Parser.parse([.secretPaths: "pki/issue/web?\(list)"])
        }
        _ = try parse(SettingsParser.parameterCountMax).get()
        #expect(throws: ConfigurationFailure.self) {
            try parse(SettingsParser.parameterCountMax + 1).get()
        }
    }

    @Test(arguments: ["a/b?", "a/b?x", "a/b?=x", "a/b?x=1&", "a/b?x=1&x=2", "a/b?x=a b"])
    func `parameters that are none are refused`(path: String) {
        #expect(throws: ConfigurationFailure.self) {
            try Parser.parse([.secretPaths: path]).get()
        }
    }
}

@Suite struct `Settings of further logins` {
    typealias Parser = `Settings from the environment`

    @Test func `a client certificate may be the login`() throws {
        let files: [ControlVariable: String?] = [
            .authMethod: "cert", .clientCertificate: "/run/c.pem", .clientKey: "/run/k.pem",
        ]
        let vault = try Parser.parse(files).get().vault
        #expect(vault.auth == .certificate(name: nil) && vault.authMount == "cert")
        let named = files.merging([.authRole: "web"]) { $1 }
        #expect(try Parser.parse(named).get().vault.auth == .certificate(name: "web"))
        #expect(throws: ConfigurationFailure.self) {
            try Parser.parse([.authMethod: "cert"]).get()
        }
    }

    @Test func `a secret id may be wrapped, and nothing else may`() throws {
        let settings: [ControlVariable: String?] = [
            .authMethod: "approle", .authRole: "id", .secretIDFile: "/run/id",
            .secretIDWrapped: "true",
        ]
        #expect(try Parser.parse(settings).get().vault.isSecretIDWrapped)
        #expect(throws: ConfigurationFailure.self) {
            try Parser.parse([.secretIDWrapped: "true"]).get()
        }
    }
}
