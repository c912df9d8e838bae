// SPDX-License-Identifier: Apache-2.0
import Glibc
import Ports
import SecretMemory
import Simulation
import Testing
import VaultListener
import VaultSecretStore
import WrapperConfiguration

@Suite("Logging in") struct LoginTests {
    let vault: LoopbackVault

    init() throws {
        var simulated = SimulatedVault()
        simulated.put(mount: "secret", name: "app", fields: [("a", .string("b"))])
        let role = SimulatedVault.Role(credentials: ["proof\"\\1"], readable: ["secret/data/app"])
        simulated.namespaces[""]?.authBackends = [
            "approle": .appRole(["role": role]), "kubernetes": .kubernetes(["role": role]),
            "jwt": .jwt(["role": role]), "team/jwt": .jwt(["other": role]),
        ]
        vault = try LoopbackVault(vault: simulated)
    }

    private func method(_ name: String, role: String = "role", file: String) -> AuthMethod {
        switch name {
        case "approle": .appRole(roleID: role, secretIDFile: file)
        case "kubernetes": .kubernetes(role: role, tokenFile: file)
        default: .jwt(role: role, tokenFile: file)
        }
    }

    @Test(arguments: ["approle", "kubernetes", "jwt"])
    func `each method logs in once and reads with the token it got`(_ name: String) throws {
        let file = try vault.file("proof", "proof\"\\1\n")
        let settings = vault.settings(method(name, file: file))
        #expect(try vault.read("secret/app", ["a"], settings: settings, credential: nil) == ["b"])
        let log = vault.listener.withVault { $0.log }
        #expect(log.first == "POST /v1/auth/\(name)/login")
        #expect(log.count == 3)
    }

    @Test(arguments: [("approle", 400), ("kubernetes", 400), ("jwt", 400)])
    func `a wrong role is refused`(_ name: String, _ status: Int) throws {
        let file = try vault.file("proof", "proof\"\\1")
        let settings = vault.settings(method(name, role: "stranger", file: file))
        let failure = SecretStoreFailure.loginRefused(
            method: name, role: "stranger", status: status)
        #expect(throws: failure) {
            try vault.read("secret/app", ["a"], settings: settings, credential: nil)
        }
    }

    @Test(arguments: [("approle", 400), ("kubernetes", 403), ("jwt", 400)])
    func `a wrong credential is refused`(_ name: String, _ status: Int) throws {
        let file = try vault.file("proof", "another")
        let failure = SecretStoreFailure.loginRefused(method: name, role: "role", status: status)
        #expect(throws: failure) {
            try vault.read(
                "secret/app", ["a"], settings: vault.settings(method(name, file: file)),
                credential: nil)
        }
    }

    @Test func `the mount of the method can be another`() throws {
        let file = try vault.file("proof", "proof\"\\1")
        var settings = vault.settings(method("jwt", role: "other", file: file))
        settings.authMount = "team/jwt"
        #expect(try vault.read("secret/app", ["a"], settings: settings, credential: nil) == ["b"])
        settings.authMount = "nowhere"
        #expect(throws: SecretStoreFailure.loginRefused(method: "jwt", role: "other", status: 403))
        {
            try vault.read("secret/app", ["a"], settings: settings, credential: nil)
        }
    }

    @Test func `a secret id or token can be handed over instead of a file`() throws {
        let settings = vault.settings(.appRole(roleID: "role", secretIDFile: nil))
        let values = try vault.read(
            "secret/app", ["a"], settings: settings, credential: "proof\"\\1")
        #expect(values == ["b"])
        #expect(throws: SecretStoreFailure.credentialMissing(method: "approle")) {
            try vault.read("secret/app", ["a"], settings: settings, credential: nil)
        }
        #expect(throws: SecretStoreFailure.credentialMissing(method: "token")) {
            try vault.read("secret/app", ["a"], credential: nil)
        }
        #expect(throws: SecretStoreFailure.credentialMissing(method: "token")) {
            try vault.read("secret/app", ["a"], credential: "")
        }
    }

    @Test func `a token file is read without its line end`() throws {
        let file = try vault.file("token", SimulatedVault.rootToken + "\r\n")
        let settings = vault.settings(.token(file: file))
        #expect(try vault.read("secret/app", ["a"], settings: settings, credential: nil) == ["b"])
    }

    @Test func `a credential file that is missing, empty or too large is named`() throws {
        let missing = vault.directory + "/none"
        #expect(
            throws: SecretStoreFailure.credentialUnreadable(path: missing, errorNumber: ENOENT)
        ) {
            try vault.read(
                "secret/app", ["a"], settings: vault.settings(.token(file: missing)),
                credential: nil)
        }
        let empty = try vault.file("empty", "\n")
        #expect(throws: SecretStoreFailure.credentialMissing(method: "token")) {
            try vault.read(
                "secret/app", ["a"], settings: vault.settings(.token(file: empty)),
                credential: nil)
        }
        let large = try vault.file("large", String(repeating: "x", count: (64 << 10) + 1))
        #expect(throws: SecretStoreFailure.credentialUnreadable(path: large, errorNumber: EFBIG)) {
            try vault.read(
                "secret/app", ["a"], settings: vault.settings(.token(file: large)),
                credential: nil)
        }
    }

    @Test(arguments: ["kubernetes", "jwt"])
    func `a token that the kubelet has replaced is read anew at the next login`(
        _ name: String
    ) throws {
        // As in a projected volume: the file is a link through `..data`, which is exchanged.
        let volume = vault.directory + "/token-volume"
        for part in ["", "/one", "/two"] { mkdir(volume + part, 0o755) }
        _ = try vault.file("token-volume/one/token", "proof\"\\1")
        _ = try vault.file("token-volume/two/token", "another")
        symlink("one", volume + "/..data")
        symlink("..data/token", volume + "/token")
        var store = try VaultSecretStore(
            settings: vault.settings(method(name, file: volume + "/token")), credential: nil,
            openSSLMemory: .unchanged)
        _ = try store.logIn()
        symlink("two", volume + "/..new")
        try #require(rename(volume + "/..new", volume + "/..data") == 0)
        // The former one would still be taken: the new one, which the vault does not know, is sent.
        #expect(throws: SecretStoreFailure.self) { try store.logIn() }
        vault.listener.withVault { vault in
            let role = SimulatedVault.Role(
                credentials: ["another"], readable: ["secret/data/app"])
            vault.namespaces[""]?.authBackends[name] =
                name == "jwt" ? .jwt(["role": role]) : .kubernetes(["role": role])
        }
        _ = try store.logIn()
        try store.read(path: "secret/app", fields: ["a"]) { _, _ in }
    }

    @Test func `a JWT of 8 KiB is sent whole`() throws {
        let long = String(repeating: "j", count: 8192)
        vault.listener.withVault { vault in
            let role = SimulatedVault.Role(credentials: [long])
            vault.namespaces[""]?.authBackends["jwt"] = .jwt(["long": role])
        }
        let settings = vault.settings(
            .jwt(role: "long", tokenFile: try vault.file("long", long)))
        #expect(try vault.read("secret/app", ["a"], settings: settings, credential: nil) == ["b"])
    }

    @Test func `forgetting zeroes the token, so that a later read is refused`() throws {
        var store = try VaultSecretStore(
            settings: vault.settings(), credential: .testing(SimulatedVault.rootToken),
            openSSLMemory: .unchanged)
        _ = try store.logIn()
        try store.read(path: "secret/app", fields: ["a"]) { _, _ in }
        store.forget()
        store.forget()
        #expect(throws: SecretStoreFailure.tokenInvalid) {
            try store.read(path: "secret/app", fields: ["a"]) { _, _ in }
        }
    }
}
