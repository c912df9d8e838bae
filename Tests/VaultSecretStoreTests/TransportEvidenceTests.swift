// SPDX-License-Identifier: Apache-2.0
import LoopbackPKI
import Ports
import Simulation
import TestKit
import Testing
import VaultListener
import VaultSecretStore
import WrapperConfiguration

/// What the catalogue says of the way to the vault; `CertificateTests` has each case by itself.
@Suite("The way to the vault") struct TransportEvidenceTests {
    /// A server's certificate that must be refused, and why.
    private static func refused() -> [(String, (LoopbackPKI) throws -> Identity)] {
        let names = LoopbackPKI.serverNames
        var client = LoopbackPKI.Request(commonName: "vault.test", alternativeNames: names)
        client.usage = "clientAuth"
        var future = LoopbackPKI.Request(commonName: "vault.test", alternativeNames: names)
        future.validFrom = 86_400
        return [
            ("another authority", { _ in try LoopbackPKI().server() }),
            ("another host", { try $0.otherHostServer() }),
            ("a time that is over", { try $0.expiredServer() }),
            ("a time to come", { [future] in try $0.issue(future) }),
            ("a client's usage", { [client] in try $0.issue(client) }),
        ]
    }

    /// Whether the reading fails; anything but a failure of the store is this test's own mistake.
    private static func fails(_ body: () throws -> [String]) throws -> Bool {
        do {
            return try body().isEmpty
        } catch is SecretStoreFailure {
            return true
        }
    }

    @Test(
        "is refused when it is not the vault's",
        .evidence(
            "SIM-TLS-01",
            control:
                "the right certificate is accepted by address and by name, and so is the right "
                + "client certificate"))
    func transport() throws {
        for (what, identity) in Self.refused() {
            let vault = try LoopbackVault(vault: stockedVault(), identity: identity)
            #expect(try Self.fails { try vault.read("secret/app", ["yes"]) }, "\(what)")
            #expect(vault.listener.withVault { $0.log }.isEmpty, "\(what): it was asked")
        }
        let old = try LoopbackVault(vault: stockedVault(), fault: .onlyTLS11)
        #expect(try Self.fails { try old.read("secret/app", ["yes"]) }, "TLS 1.1")

        let mutual = try LoopbackVault(vault: stockedVault(), requireClientCertificate: true)
        let stranger = try LoopbackPKI(commonName: "Another CA").client()
        let own = try mutual.pki.client()
        let files = [
            nil,
            try mutual.file("stranger.pem", stranger.certificatePEM + stranger.keyPEM),
            try mutual.file("own.pem", own.certificatePEM + own.keyPEM),
        ]
        let refusals = try files.map { file in
            var settings = mutual.settings()
            settings.clientCertificateFile = file
            return try Self.fails {
                try mutual.read("secret/app", ["yes"], settings: settings)
            }
        }
        #expect(refusals == [true, true, false])

        let right = try LoopbackVault(vault: stockedVault())
        let values = try ["127.0.0.1", "localhost"].map { host in
            try right.read("secret/app", ["yes"], settings: right.settings(host: host))
        }
        Evidence.control(passed: values == [["true"], ["true"]] && refusals.last == false)
        let refused = Self.refused().map(\.0).joined(separator: ", ")
        Evidence.observe(
            "Refused before anything was asked: \(refused). Refused too: TLS 1.1, a missing and a "
                + "stranger's client certificate.")
    }
}
