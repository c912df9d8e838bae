// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing
import WrapperConfiguration

/// A refusal: what is wrong, what the message says about it, and the code it ends with.
struct Refusal: Sendable, CustomTestStringConvertible {
    let title: String
    let exit: WrapperExit
    /// Part of the message that names the cause.
    let naming: String
    var script = ""
    /// Changes to a complete environment; nil removes. `{folder}` is the test's own folder.
    var environment: [String: String?] = [:]
    /// Files to make in the test's own folder.
    var files: [String: String] = [:]

    var testDescription: String { title }

    static let ofTheVault: [Refusal] = [
        Refusal(
            title: "version deleted", exit: .versionDeleted, naming: "secret/app",
            script: "kv2-deleted secret app"),
        Refusal(
            title: "version destroyed", exit: .versionDestroyed, naming: "secret/app",
            script: "kv2-destroyed secret app"),
        Refusal(
            title: "missing field", exit: .fieldMissing, naming: "'user'",
            environment: ["CLOUDTASER_ENV_MAP": "user=DB_USER"]),
        Refusal(
            title: "missing secret", exit: .secretNotFound, naming: "secret/none",
            environment: ["CLOUDTASER_SECRET_PATHS": "secret/none"]),
        Refusal(
            title: "no engine there", exit: .secretNotFound, naming: "no secrets engine",
            environment: ["CLOUDTASER_SECRET_PATHS": "nowhere/app"]),
        Refusal(
            title: "wrong role", exit: .loginRefused, naming: "role 'other'",
            script: "approle role id",
            environment: [
                "VAULT_AUTH_METHOD": "approle", "VAULT_AUTH_ROLE": "other",
                "VAULT_SECRET_ID": "id", "VAULT_TOKEN": nil,
            ]),
        Refusal(
            title: "expired token", exit: .tokenInvalid, naming: "expired",
            script: "expired-token old", environment: ["VAULT_TOKEN": "old"]),
        Refusal(
            title: "sealed", exit: .vaultSealed, naming: "127.0.0.1", script: "condition sealed"),
        Refusal(
            title: "not initialised", exit: .vaultUninitialized, naming: "127.0.0.1",
            script: "condition uninitialized"),
        Refusal(
            title: "standby", exit: .vaultStandby, naming: "127.0.0.1",
            script: "condition standby"),
        Refusal(
            title: "429 with Retry-After", exit: .rateLimited, naming: "retry after 17 s",
            script: "condition rate-limited:17"),
        Refusal(
            title: "5xx", exit: .vaultError, naming: "status 502", script: "condition failing:502"),
        Refusal(
            title: "redirect to a foreign origin", exit: .redirectForbidden,
            naming: "https://elsewhere.example:443",
            script: "condition redirecting:https://elsewhere.example"),
    ]

    static let ofTheWire: [Refusal] = [
        Refusal(
            title: "certificate of another host", exit: .certificateNameMismatch,
            naming: "127.0.0.1", script: "certificate other-host"),
        Refusal(
            title: "expired certificate", exit: .certificateExpired, naming: "127.0.0.1",
            script: "certificate expired"),
        Refusal(
            title: "wrong CA", exit: .certificateUntrusted, naming: "127.0.0.1",
            script: "certificate other-authority"),
        Refusal(
            title: "TLS 1.1 only", exit: .tlsFailed, naming: "127.0.0.1",
            script: "fault only-tls11"),
        Refusal(
            title: "truncated body", exit: .responseTruncated, naming: "auth/token/lookup-self",
            script: "fault truncated-body"),
        Refusal(
            title: "body of 10 MB", exit: .responseTooLarge, naming: "auth/token/lookup-self",
            script: "fault huge-body:10000000"),
        Refusal(
            title: "invalid JSON", exit: .responseMalformed, naming: "secret/app",
            script: "condition invalid-json"),
        Refusal(
            title: "NUL in a value", exit: .valueContainsNUL, naming: "'nul'",
            script: #"kv2 secret app nul=a\0b"#,
            environment: ["CLOUDTASER_ENV_MAP": "nul=NUL"]),
        Refusal(
            title: "value above the limit", exit: .valueTooLarge, naming: "'long'",
            script: "filled secret big long 1048577",
            environment: [
                "CLOUDTASER_SECRET_PATHS": "secret/big", "CLOUDTASER_ENV_MAP": "long=LONG",
            ]),
        Refusal(
            title: "value that execve cannot carry", exit: .valueTooLarge, naming: "execve",
            script: "filled secret big long 200000",
            environment: [
                "CLOUDTASER_SECRET_PATHS": "secret/big", "CLOUDTASER_ENV_MAP": "long=LONG",
            ]),
        Refusal(
            title: "nothing listens there", exit: .vaultUnreachable,
            naming: "127.0.0.1:1 (errno 111, connection refused)",
            environment: ["VAULT_ADDR": "https://127.0.0.1:1"]),
        Refusal(
            title: "unknown host", exit: .vaultUnreachable, naming: "nosuch.invalid",
            environment: ["VAULT_ADDR": "https://nosuch.invalid"]),
        Refusal(
            title: "unreadable trust anchors", exit: .credentialUnreadable, naming: "/nowhere",
            environment: ["VAULT_CACERT": "/nowhere/ca.pem"]),
    ]

    static let ofTheConfiguration: [Refusal] = [
        Refusal(
            title: "no address", exit: .configurationInvalid, naming: "VAULT_ADDR",
            environment: ["VAULT_ADDR": nil]),
        Refusal(
            title: "plain http", exit: .configurationInvalid, naming: "plain http is refused",
            environment: ["VAULT_ADDR": "http://127.0.0.1:8200"]),
        Refusal(
            title: "origin not allowed", exit: .originForbidden, naming: "127.0.0.1",
            environment: ["CLOUDTASER_ALLOWED_ORIGINS": "https://vault.example.eu"]),
        Refusal(
            title: "token file missing", exit: .credentialUnreadable, naming: "/nowhere/token",
            environment: ["VAULT_TOKEN_FILE": "/nowhere/token"]),
        Refusal(
            title: "empty value where policy forbids it", exit: .valueEmpty, naming: "secret/empty",
            script: "kv2 secret empty nothing=",
            environment: [
                "CLOUDTASER_SECRET_PATHS": "secret/empty",
                "CLOUDTASER_ENV_MAP": "nothing=NOTHING", "CLOUDTASER_EMPTY_VALUES": "refuse",
            ]),
    ]
}

@Suite("Every refusal") struct RefusalTests {
    @Test(arguments: Refusal.ofTheVault + Refusal.ofTheWire + Refusal.ofTheConfiguration)
    func `has its own code and message, and starts no program`(_ refusal: Refusal) throws {
        let wrapper = try WrapperProgram(refusal.script)
        for (name, value) in refusal.environment { wrapper.environment[name] = value }
        let run = try wrapper.run()
        #expect(run.status == refusal.exit.rawValue)
        #expect(run.errors.contains("error \(refusal.exit.rawValue): \(refusal.exit.cause)"))
        #expect(run.errors.contains(refusal.naming))
        #expect(run.errors.contains(refusal.exit.remedy))
        #expect(!run.errors.contains("hunter2"))
        #expect(run.output.isEmpty)
        #expect(!wrapper.wasStarted())
    }

    @Test func `would have started it: the same configuration without the fault does`() throws {
        let wrapper = try WrapperProgram()
        #expect(try wrapper.run().status == 0)
        #expect(wrapper.wasStarted())
    }

    @Test(arguments: [[], ["run"], ["run", "--"], ["run", "sh"], ["walk"], ["--verbose"]])
    func `of the command line is a usage error`(_ arguments: [String]) throws {
        let run = try ProgramRun("cloudtaser-wrapper", arguments, environment: [:])
        #expect(run.status == WrapperExit.usage.rawValue)
        #expect(run.errors.contains("cloudtaser-wrapper --help"))
    }

    @Test(arguments: ["help", "--help", "-h"])
    func `is avoidable: help names every variable`(_ argument: String) throws {
        let run = try ProgramRun("cloudtaser-wrapper", [argument], environment: [:])
        #expect(run.status == 0)
        for variable in ControlVariable.allCases {
            #expect(run.output.contains(variable.rawValue))
        }
    }
}
