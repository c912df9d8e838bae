// SPDX-License-Identifier: Apache-2.0
import Ports
import SecretMemory
import Simulation
import Testing
import VaultListener
import VaultSecretStore
import WrapperConfiguration

extension LoopbackVault {
    /// Settings of a client of this vault.
    func settings(_ auth: AuthMethod = .token(file: nil), host: String = "127.0.0.1")
        -> VaultSettings
    {
        var settings = VaultSettings(
            origin: Origin(scheme: "https", host: host, port: listener.port), auth: auth)
        settings.trustAnchorsFile = authorityFile
        settings.minimumTier = .ordinary
        settings.requestSecondsMax = 20
        return settings
    }

    /// Logs in and reads; the values as text. Without settings, with the root token.
    func read(
        _ path: String, _ fields: [String], settings given: VaultSettings? = nil,
        credential: String? = SimulatedVault.rootToken
    ) throws -> [String] {
        let settings = given ?? self.settings()
        var handed: SecretBuffer?
        if let credential { handed = try .testing(credential) }
        var store = try VaultSecretStore(
            settings: settings, credential: handed, openSSLMemory: .unchanged)
        _ = try store.logIn()
        var values: [String] = []
        try store.read(path: path, fields: fields) { index, value in
            #expect(index == values.count)
            values.append(value.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
        }
        store.forget()
        return values
    }
}

extension SecretBuffer {
    /// For tests only: the text of a test's own secret.
    static func testing(_ text: String) throws -> SecretBuffer {
        var buffer = try SecretBuffer(
            capacity: max(text.utf8.count, 1), minimumTier: .ordinary)
        try buffer.append(text: text)
        return buffer
    }
}
