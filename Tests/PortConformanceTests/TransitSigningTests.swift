// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventIntegrity
import Foundation
import LoopbackPKI
import OpenBaoServer
import Ports
import Simulation
import Testing
import VaultListener
import VaultSecretStore
import WrapperConfiguration

/// Checkpoints signed by a real vault, checked with the public key that it exports.
@Suite(.enabled(if: OpenBaoServer.binary != nil)) struct `Signatures of a vault's transit engine` {
    private static let paths = ["sign", "keys"].flatMap { action in
        ["events", "curve"].map { "transit/\(action)/\($0)" }
    }

    private let server: OpenBaoServer
    private let root: String
    private let settings: VaultSettings

    init() throws {
        server = try OpenBaoServer()
        let keys = try server.initialize()
        root = keys.rootToken
        try server.enableTransit(keys: [], token: root)
        for (name, type) in [("events", "ed25519"), ("curve", "ecdsa-p256"), ("mine", "ed25519")] {
            try server.bao(["write", "-f", "transit/keys/\(name)", "type=\(type)"], token: root)
        }
        try server.addPolicy("signer", using: Self.paths, token: root)
        let token = try server.makeToken(policy: "signer", lifetime: "10m", token: root)
        let file = try server.file("signer-token", token)
        var settings = VaultSettings(
            origin: Origin(scheme: "https", host: "127.0.0.1", port: server.port),
            auth: .token(file: file))
        settings.trustAnchorsFile = server.authorityFile
        settings.minimumTier = .ordinary
        self.settings = settings
    }

    private static func exported(_ server: OpenBaoServer, version: Int, _ root: String) throws
        -> [UInt8]
    {
        let json = try server.bao(["read", "-format=json", "transit/keys/events"], token: root)
        let document = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        let data = document?["data"] as? [String: Any]
        let keys = data?["keys"] as? [String: [String: Any]]
        let text = try #require(keys?["\(version)"]?["public_key"] as? String)
        // As an operator puts it into a file for `cloudtaser events verify`.
        return try #require(TrustedCheckpointKeys.publicKey(ofFile: Array(text.utf8)))
    }

    @Test func `are those of the exported key, of each version`() throws {
        let message = Array("cloudtaser event checkpoint v1\n".utf8)
        let first = try TransitSigning.sign(message, key: "events", settings: settings)
        #expect(first.version == 1 && first.signature.count == EventCheckpoint.signatureBytes)
        try server.bao(["write", "-f", "transit/keys/events/rotate"], token: root)
        let second = try TransitSigning.sign(message, key: "events", settings: settings)
        #expect(second.version == 2 && second.publicKey != first.publicKey)
        for made in [first, second] {
            let key = try Self.exported(server, version: made.version, root)
            #expect(made.publicKey == key)
            let trusted = TrustedCheckpointKeys(publicKeys: [key])
            let name = try #require(trusted.names.first)
            #expect(trusted.isValid(made.signature, of: message, key: name))
            #expect(!trusted.isValid(made.signature, of: message + [0], key: name))
        }
        let other = TrustedCheckpointKeys(publicKeys: [first.publicKey])
        let name = try #require(other.names.first)
        #expect(!other.isValid(second.signature, of: message, key: name))
    }

    @Test func `are not made without the right, the key or the vault, and the reason is told`()
        throws
    {
        #expect(throws: SecretStoreFailure.permissionDenied(path: "transit/sign/mine")) {
            try TransitSigning.sign([1], key: "mine", settings: settings)
        }
        // Another kind of key signs; nobody takes it for an Ed25519 signature.
        let curve = try TransitSigning.sign([1], key: "curve", settings: settings)
        #expect(TrustedCheckpointKeys(publicKeys: [curve.publicKey]).names.isEmpty)
        // SubjectPublicKeyInfo of an uncompressed point on P-256 (RFC 5480).
        #expect(curve.publicKey.count == 91 && curve.publicKey[26] == 0x04)
        var away = settings
        away.origin = Origin(scheme: "https", host: "127.0.0.1", port: 1)
        away.allowedOrigins = [away.origin]
        #expect(
            throws: SecretStoreFailure.connectionFailed(
                host: "127.0.0.1", port: 1, errorNumber: ECONNREFUSED)
        ) { try TransitSigning.sign([1], key: "events", settings: away) }
    }
}

/// The same by the simulated vault behind a TLS listener, which the VM tests sign with.
@Suite struct `Signatures of the simulated vault` {
    private let key: Ed25519Signer
    private let server: LoopbackVault
    private let settings: VaultSettings

    init() throws {
        let key = try Ed25519Signer()
        self.key = key
        var vault = SimulatedVault()
        vault.mount(.transit(["cipher": 1]), at: "transit")
        vault.addSigningKey(
            .init(publicKey: key.publicKey) { key.signature(of: $0) }, mount: "transit",
            name: "events")
        vault.addToken(
            "s.signer",
            readable: ["sign/events", "keys/events", "sign/cipher", "keys/cipher"].map {
                "transit/\($0)"
            })
        server = try LoopbackVault(vault: vault)
        var settings = VaultSettings(
            origin: Origin(scheme: "https", host: "127.0.0.1", port: server.listener.port),
            auth: .token(file: try server.file("signer-token", "s.signer")))
        settings.trustAnchorsFile = server.authorityFile
        settings.minimumTier = .ordinary
        self.settings = settings
    }

    @Test func `are those of the key that it exports`() throws {
        let message = Array("cloudtaser event checkpoint v1\n".utf8)
        let made = try TransitSigning.sign(message, key: "events", settings: settings)
        #expect(made.version == 1 && made.publicKey == key.publicKey)
        let exported = Array(SimulatedBase64.encoded(key.publicKey).utf8)
        #expect(TrustedCheckpointKeys.publicKey(ofFile: exported) == made.publicKey)
        let trusted = TrustedCheckpointKeys(publicKeys: [made.publicKey])
        let name = try #require(trusted.names.first)
        #expect(trusted.isValid(made.signature, of: message, key: name))
        #expect(!trusted.isValid(made.signature, of: message + [0], key: name))
        let other = TrustedCheckpointKeys(publicKeys: [try Ed25519Signer().publicKey])
        let otherName = try #require(other.names.first)
        #expect(!other.isValid(made.signature, of: message, key: otherName))
    }

    @Test func `are not made while it is sealed, without the right, or with a key that encrypts`() {
        #expect(throws: SecretStoreFailure.permissionDenied(path: "transit/sign/mine")) {
            try TransitSigning.sign([1], key: "mine", settings: settings)
        }
        #expect(
            throws: SecretStoreFailure.unexpectedStatus(path: "transit/sign/cipher", status: 400)
        ) { try TransitSigning.sign([1], key: "cipher", settings: settings) }
        server.listener.withVault { $0.condition = .sealed }
        #expect(throws: SecretStoreFailure.sealed(host: "127.0.0.1")) {
            try TransitSigning.sign([1], key: "events", settings: settings)
        }
        server.listener.withVault { $0.condition = .active }
        #expect(throws: Never.self) {
            try TransitSigning.sign([1], key: "events", settings: settings)
        }
    }
}
