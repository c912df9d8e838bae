// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import LoopbackPKI
import OpenBaoServer
import TestKit
import Testing
import WrapperConfiguration

/// What the simulator shows of the wrapper's life, once more with a real vault, real time and the
/// built program.
@Suite(
    "The wrapper's life with a real OpenBao", .serialized,
    .enabled(if: OpenBaoServer.binary != nil, "CLOUDTASER_OPENBAO names no binary"))
struct LifeTests {
    private func start(
        _ changes: [String: String], script: String
    ) throws -> (ShortLivedVault, RunningWrapper) {
        let vault = try ShortLivedVault.shared.get()
        let environment = try vault.login().merging(changes) { $1 }
        return (vault, try RunningWrapper(vault.server, environment, script: script))
    }

    private static let idles = "while :; do sleep 0.1; done"

    private static func database(_ role: String) -> [String: String] {
        [
            "CLOUDTASER_SECRET_PATHS": "database/creds/\(role)",
            "CLOUDTASER_ENV_MAP": "password=PASSWORD",
        ]
    }

    @Test("a lease outlives its first life, and ends with the program")
    func renewal() throws {
        let (vault, wrapper) = try start(
            Self.database("renewed"), script: "echo $PASSWORD; \(Self.idles)")
        try wrapper.wait("the password") { !wrapper.lines.isEmpty }
        // Of four seconds each; without renewal the lease is gone.
        sleep(9)
        #expect(try vault.leases("renewed").count == 1, "\(wrapper.errors)")
        wrapper.send(SIGTERM)
        #expect(wrapper.end() == 128 + SIGTERM)
        try wrapper.wait("the revocation") { try vault.leases("renewed").isEmpty }
    }

    private static let rotates = EvidenceTrait.evidence(
        "SIM-ROT-01",
        control: "the running program keeps the value it started with until it is told")

    @Test("at a lease's end the program is started anew with another password", rotates)
    func restart() throws {
        var changes = Self.database("short")
        changes["CLOUDTASER_ROTATION"] = "restart"
        let (vault, wrapper) = try start(changes, script: "echo $PASSWORD; \(Self.idles)")
        try wrapper.wait("three passwords") { wrapper.lines.count >= 3 }
        #expect(Set(wrapper.lines).count == wrapper.lines.count, "each is another")
        // Of one that is not told: the same script says its password once.
        let (_, still) = try start(
            Self.database("short"), script: "echo $PASSWORD; sleep 1; echo $PASSWORD")
        #expect(still.end() == 0, "\(still.errors)")
        Evidence.control(passed: still.lines.count == 2 && Set(still.lines).count == 1)
        Evidence.observe("under restart each start had another password, and no lease was left")
        wrapper.send(SIGTERM)
        #expect(wrapper.end() == 128 + SIGTERM, "\(wrapper.errors)")
        try wrapper.wait("the revocation") { try vault.leases("short").isEmpty }
    }

    @Test(
        "a hook runs with the new version of a secret; control: the program keeps the old one",
        rotates)
    func hook() throws {
        let hook = FileManager.default.temporaryDirectory
            .appending(path: "hook-\(UUID().uuidString)").path(percentEncoded: false)
        try Data("#!/bin/sh\necho hook $PASSWORD\n".utf8).write(to: URL(filePath: hook))
        chmod(hook, 0o755)
        defer { unlink(hook) }
        let changes = [
            "CLOUDTASER_ROTATION": "exec-hook", "CLOUDTASER_ROTATION_HOOK": hook,
            "CLOUDTASER_ROTATION_CHECK_SECONDS": "5",
        ]
        let (vault, wrapper) = try start(
            changes,
            script: "echo program $PASSWORD; trap 'echo still $PASSWORD' USR1; \(Self.idles)")
        try wrapper.wait("the program") { wrapper.lines.first?.hasPrefix("program ") ?? false }
        let before = wrapper.lines.first?.dropFirst("program ".count) ?? ""
        let version = "version-\(UInt32.random(in: 0...UInt32.max))"
        try vault.server.putSecret(
            #"{"password":"\#(version)"}"#, mount: "secret", name: "app",
            token: vault.keys.rootToken)
        try wrapper.wait("the hook") { wrapper.lines.contains("hook \(version)") }
        wrapper.send(SIGUSR1)
        try wrapper.wait("the program's word") { wrapper.lines.contains("still \(before)") }
        Evidence.control(passed: wrapper.lines.contains("still \(before)") && before != version)
        Evidence.observe("the hook got the new version")
        wrapper.send(SIGTERM)
        #expect(wrapper.end() == 128 + SIGTERM)
    }

    @Test("a signal tells of the new version, and what is executed then has it")
    func signal() throws {
        let changes = [
            "CLOUDTASER_ROTATION": "signal:HUP", "CLOUDTASER_ROTATION_CHECK_SECONDS": "5",
            "CLOUDTASER_DELIVERY": "splice", "CLOUDTASER_MINIMUM_TIER": "memfd_secret",
        ]
        let (vault, wrapper) = try start(
            changes, script: "trap 'printenv PASSWORD' HUP; echo runs; \(Self.idles)")
        try wrapper.wait("the program or its refusal") {
            wrapper.lines.contains("runs") || wrapper.errors.contains("error 1")
        }
        guard wrapper.lines.contains("runs") else {
            // No splice on this host: then no program either.
            let refusals = [
                WrapperExit.secretMemoryUnavailable.rawValue,
                WrapperExit.hostRefusesDelivery.rawValue,
            ]
            #expect(refusals.contains(wrapper.end()), "\(wrapper.errors)")
            return
        }
        let version = "version-\(UInt32.random(in: 0...UInt32.max))"
        try vault.server.putSecret(
            #"{"password":"\#(version)"}"#, mount: "secret", name: "app",
            token: vault.keys.rootToken)
        try wrapper.wait("the new version") { wrapper.lines.contains(version) }
        wrapper.send(SIGKILL)
        _ = wrapper.end()
    }

    @Test("a vault that is sealed for a while costs a line, not the program")
    func sealing() throws {
        let (vault, wrapper) = try start(
            Self.database("renewed"), script: "echo $PASSWORD; \(Self.idles)")
        try wrapper.wait("the password") { !wrapper.lines.isEmpty }
        try vault.server.seal(vault.keys)
        try wrapper.wait("a line about it") { wrapper.errors.contains("The vault is sealed.") }
        try vault.server.unseal(vault.keys)
        sleep(8)
        #expect(wrapper.lines.count == 1, "the program was not touched")
        wrapper.send(SIGTERM)
        #expect(wrapper.end() == 128 + SIGTERM, "\(wrapper.errors)")
        try wrapper.wait("the revocation") { try vault.leases("renewed").isEmpty }
    }

    @Test("a vault that is unsealed in time is waited for; control: one try is not enough")
    func waiting() throws {
        let vault = try ShortLivedVault.shared.get()
        let environment = try vault.login()
        try vault.server.seal(vault.keys)
        var impatient = environment
        impatient["CLOUDTASER_FETCH_SECONDS_MAX"] = "0"
        let once = try RunningWrapper(vault.server, impatient, script: "echo started")
        #expect(once.end() == WrapperExit.vaultSealed.rawValue && once.lines.isEmpty)
        let patient = try RunningWrapper(vault.server, environment, script: "echo started")
        try patient.wait("a line about it") { patient.errors.contains("trying again") }
        try vault.server.unseal(vault.keys)
        #expect(patient.end() == 0, "\(patient.errors)")
        #expect(patient.lines == ["started"])
    }

    @Test("while it waits for the vault, SIGTERM ends the wrapper")
    func interruption() throws {
        let vault = try ShortLivedVault.shared.get()
        let environment = try vault.login()
        try vault.server.seal(vault.keys)
        defer { try? vault.server.unseal(vault.keys) }
        let wrapper = try RunningWrapper(vault.server, environment, script: "echo started")
        try wrapper.wait("a line about it") { wrapper.errors.contains("trying again") }
        wrapper.send(SIGTERM)
        #expect(wrapper.end() == 128 + SIGTERM, "\(wrapper.errors)")
        #expect(wrapper.lines.isEmpty)
    }

    @Test("a wrapped secret id is good for one start, and the second one is an alarm")
    func wrapping() throws {
        let vault = try ShortLivedVault.shared.get()
        let token = try vault.server.wrapSecretID(lifetime: "5m", token: vault.keys.rootToken)
        let changes = [
            "VAULT_AUTH_METHOD": "approle", "VAULT_AUTH_ROLE": vault.roleID,
            "VAULT_SECRET_ID": token, "VAULT_SECRET_ID_WRAPPED": "true",
        ]
        let first = try RunningWrapper(vault.server, changes, script: "echo started")
        #expect(first.end() == 0 && first.lines == ["started"], "\(first.errors)")
        let second = try RunningWrapper(vault.server, changes, script: "echo started")
        #expect(second.end() == WrapperExit.wrappingTokenInvalid.rawValue)
        #expect(second.lines.isEmpty && second.errors.contains("Find out who unwrapped it"))
        #expect(!second.errors.contains(token))
    }

    @Test("a client certificate is a login; control: without one there is none")
    func certificate() throws {
        let vault = try ShortLivedVault.shared.get()
        let client = try vault.server.pki.client()
        let changes = [
            "VAULT_AUTH_METHOD": "cert",
            "VAULT_CLIENT_CERT": try vault.server.file("client.pem", client.certificatePEM),
            "VAULT_CLIENT_KEY": try vault.server.file("client-key.pem", client.keyPEM),
        ]
        let wrapper = try RunningWrapper(vault.server, changes, script: "echo ${PASSWORD:+there}")
        #expect(wrapper.end() == 0 && wrapper.lines == ["there"], "\(wrapper.errors)")
        let without = try RunningWrapper(
            vault.server, ["VAULT_AUTH_METHOD": "cert"], script: "echo started")
        #expect(without.end() == WrapperExit.configurationInvalid.rawValue)
    }

    @Test("a certificate and its key are issued for the name that was asked for")
    func certificateIssue() throws {
        let (_, wrapper) = try start(
            [
                "CLOUDTASER_SECRET_PATHS": "pki/issue/web?common_name=app.example&ttl=60s",
                "CLOUDTASER_ENV_MAP": "certificate=CERTIFICATE,private_key=KEY",
            ],
            script: """
                echo "$CERTIFICATE" | openssl x509 -noout -subject -nameopt RFC2253
                echo "$CERTIFICATE" | openssl x509 -noout -pubkey | md5sum
                echo "$KEY" | openssl pkey -pubout | md5sum
                """)
        #expect(wrapper.end() == 0, "\(wrapper.errors)")
        #expect(wrapper.lines.first == "subject=CN=app.example", "\(wrapper.output)")
        #expect(Set(wrapper.lines.dropFirst()).count == 1, "the key is the certificate's")
    }

    @Test("nothing to keep alive: the token is revoked before the program starts")
    func release() throws {
        let vault = try ShortLivedVault.shared.get()
        func tokens() throws -> Int {
            try vault.server.bao(["list", "auth/token/accessors"], token: vault.keys.rootToken)
                .split(separator: "\n").count
        }
        let before = try tokens()
        let wrapper = try RunningWrapper(
            vault.server, try vault.login(), script: "echo runs; \(Self.idles)")
        try wrapper.wait("the program") { wrapper.lines == ["runs"] }
        #expect(try tokens() == before)
        wrapper.send(SIGTERM)
        #expect(wrapper.end() == 128 + SIGTERM)
        // Control: with a lease to keep, the token is there as long as the program runs.
        let keeping = try RunningWrapper(
            vault.server, try vault.login().merging(Self.database("renewed")) { $1 },
            script: "echo runs; \(Self.idles)")
        try keeping.wait("the program") { keeping.lines == ["runs"] }
        #expect(try tokens() == before + 1)
        keeping.send(SIGTERM)
        #expect(keeping.end() == 128 + SIGTERM)
        #expect(try tokens() == before)
    }

    @Test("the termination message names the cause, and no credential")
    func terminationMessage() throws {
        let vault = try ShortLivedVault.shared.get()
        let file = try vault.server.file("message-\(UUID().uuidString)", "")
        var changes = try vault.login()
        changes["VAULT_SECRET_ID"] = "not-the-secret-id"
        changes["CLOUDTASER_TERMINATION_MESSAGE"] = file
        let wrapper = try RunningWrapper(vault.server, changes, script: "echo started")
        #expect(wrapper.end() == WrapperExit.loginRefused.rawValue)
        let message = try String(contentsOfFile: file, encoding: .utf8)
        #expect(message.contains("The vault refuses the login") && message.contains("approle"))
        #expect(!message.contains("not-the-secret-id"))
    }
}
