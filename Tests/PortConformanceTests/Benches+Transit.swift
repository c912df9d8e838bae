// SPDX-License-Identifier: Apache-2.0
import OpenBaoServer
import Simulation
import Testing
import VaultListener

/// How each bench handles transit keys.
extension SimulatedVault {
    mutating func addDerivedKey() -> String {
        let name = "derived-\(UInt64.random(in: 0 ... .max))"
        setTransitKey(name, mount: "transit", TransitKeySettings(isDerived: true))
        return name
    }

    mutating func exclude(versionsBelow version: Int, of key: String) {
        setTransitKey(
            key, mount: "transit", TransitKeySettings(isDerived: true, versionMin: version))
    }

    mutating func rewrap(
        _ ciphertext: String, key: String, _ fields: [String: [UInt8]]
    ) throws -> String {
        var members: [(name: String, value: SimulatedJSON)] = [
            ("ciphertext", .string(ciphertext))
        ]
        for field in fields {
            members.append((field.key, .string(SimulatedBase64.encoded(field.value))))
        }
        let answer = respond(
            to: Request(
                method: "POST", path: "/v1/transit/rewrap/\(key)",
                headers: [("X-Vault-Token", Self.rootToken)],
                body: SimulatedJSON.object(members).rendered()))
        let text = String(decoding: answer.body, as: UTF8.self)
        // Checks expect some to be refused.
        guard answer.status == 200 else { throw OpenBaoFailure(command: "rewrap", output: text) }
        let parts = text.split(separator: "\"")
        let place = try #require(parts.firstIndex(of: "ciphertext"))
        return String(parts[place + 2])
    }
}

extension SimulatedBench {
    func putDerivedKey() -> String { server.vault.addDerivedKey() }

    func rotate(key: String) { server.vault.rotateTransitKey(key, mount: "transit") }

    func exclude(versionsBelow version: Int, of key: String) {
        server.vault.exclude(versionsBelow: version, of: key)
    }

    func rewrap(_ ciphertext: String, key: String, _ fields: [String: [UInt8]]) throws -> String {
        try server.vault.rewrap(ciphertext, key: key, fields)
    }
}

extension LoopbackBench {
    func putDerivedKey() -> String { vault.listener.withVault { $0.addDerivedKey() } }

    func rotate(key: String) {
        vault.listener.withVault { $0.rotateTransitKey(key, mount: "transit") }
    }

    func exclude(versionsBelow version: Int, of key: String) {
        vault.listener.withVault { $0.exclude(versionsBelow: version, of: key) }
    }

    func rewrap(_ ciphertext: String, key: String, _ fields: [String: [UInt8]]) throws -> String {
        try vault.listener.withVault { vault in
            Result { try vault.rewrap(ciphertext, key: key, fields) }
        }.get()
    }
}

extension OpenBaoBench {
    func putDerivedKey() throws -> String {
        let name = "derived-\(UInt64.random(in: 0 ... .max))"
        try server.addTransitKey(name, isDerived: true, token: keys.rootToken)
        return name
    }

    func rotate(key: String) throws {
        try server.bao(["write", "-f", "transit/keys/\(key)/rotate"], token: keys.rootToken)
    }

    func exclude(versionsBelow version: Int, of key: String) throws {
        try server.bao(
            ["write", "transit/keys/\(key)/config", "min_decryption_version=\(version)"],
            token: keys.rootToken)
    }

    func rewrap(_ ciphertext: String, key: String, _ fields: [String: [UInt8]]) throws -> String {
        try server.rewrap(
            ciphertext, key: key, fields.mapValues { SimulatedBase64.encoded($0) },
            token: keys.rootToken)
    }
}
