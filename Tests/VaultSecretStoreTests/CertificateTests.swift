// SPDX-License-Identifier: Apache-2.0
import Glibc
import LoopbackPKI
import Ports
import SecretMemory
import Simulation
import Testing
import VaultListener
import VaultSecretStore
import WrapperConfiguration

@Suite("Certificates") struct CertificateTests {
    @Test(arguments: ["127.0.0.1", "localhost", "localhost."])
    func `a certificate is matched by address as by name`(_ host: String) throws {
        let vault = try LoopbackVault(vault: stockedVault())
        let settings = vault.settings(host: host)
        #expect(try vault.read("secret/app", ["yes"], settings: settings) == ["true"])
    }

    @Test(arguments: ["127.0.0.1", "localhost"])
    func `a certificate of another host is refused`(_ host: String) throws {
        let vault = try LoopbackVault(
            vault: stockedVault(), identity: { try $0.otherHostServer() })
        #expect(throws: SecretStoreFailure.certificateNameMismatch(host: host)) {
            try vault.read("secret/app", ["yes"], settings: vault.settings(host: host))
        }
        #expect(vault.listener.withVault { $0.log }.isEmpty)
    }

    @Test func `a name in the subject alone, or a partial wildcard, does not count`() throws {
        let requests = [
            LoopbackPKI.Request(commonName: "localhost"),
            LoopbackPKI.Request(commonName: "x", alternativeNames: ["DNS:local*"]),
            LoopbackPKI.Request(commonName: "x", alternativeNames: ["DNS:*"]),
        ]
        for request in requests {
            let vault = try LoopbackVault(
                vault: stockedVault(), identity: { try $0.issue(request) })
            #expect(throws: SecretStoreFailure.certificateNameMismatch(host: "localhost")) {
                try vault.read(
                    "secret/app", ["yes"], settings: vault.settings(host: "localhost"))
            }
        }
    }

    @Test func `an expired certificate, and one of the future, are refused`() throws {
        var future = LoopbackPKI.Request(
            commonName: "vault.test", alternativeNames: LoopbackPKI.serverNames)
        future.validFrom = 86_400
        let makers: [(LoopbackPKI) throws -> Identity] = [
            { try $0.expiredServer() }, { [future] in try $0.issue(future) },
        ]
        for make in makers {
            let vault = try LoopbackVault(vault: stockedVault(), identity: make)
            expectFailure("time") {
                try vault.read("secret/app", ["yes"])
            } matches: { failure in
                guard case .certificateExpired("127.0.0.1", _) = failure else { return false }
                return true
            }
        }
    }

    @Test func `a certificate of another authority is refused`() throws {
        let vault = try LoopbackVault(
            vault: stockedVault(), identity: { _ in try LoopbackPKI().server() })
        expectFailure("other authority") {
            try vault.read("secret/app", ["yes"])
        } matches: { failure in
            guard case .certificateUntrusted("127.0.0.1", _) = failure else { return false }
            return true
        }
    }

    @Test func `a client's certificate does not serve as a server's`() throws {
        var request = LoopbackPKI.Request(
            commonName: "vault.test", alternativeNames: LoopbackPKI.serverNames)
        request.usage = "clientAuth"
        let vault = try LoopbackVault(
            vault: stockedVault(), identity: { [request] in try $0.issue(request) })
        expectFailure("usage") {
            try vault.read("secret/app", ["yes"])
        } matches: { failure in
            guard case .certificateUntrusted = failure else { return false }
            return true
        }
    }

    @Test func `a server that speaks TLS 1.1 at most is refused`() throws {
        let vault = try LoopbackVault(vault: stockedVault(), fault: .onlyTLS11)
        expectFailure("TLS 1.1") {
            try vault.read("secret/app", ["yes"])
        } matches: { failure in
            guard case .tlsFailed("127.0.0.1", let detail) = failure else { return false }
            return detail.contains("version") || detail.contains("protocol")
        }
    }

    @Test func `a server that wants a client certificate gets it`() throws {
        let vault = try LoopbackVault(vault: stockedVault(), requireClientCertificate: true)
        let client = try vault.pki.client()
        var settings = vault.settings()
        settings.clientCertificateFile = try vault.file("client.pem", client.certificatePEM)
        settings.clientKeyFile = try vault.file("client-key.pem", client.keyPEM)
        #expect(try vault.read("secret/app", ["yes"], settings: settings) == ["true"])
        settings.clientCertificateFile = try vault.file(
            "both.pem", client.certificatePEM + client.keyPEM)
        settings.clientKeyFile = nil
        #expect(try vault.read("secret/app", ["yes"], settings: settings) == ["true"])
    }

    @Test func `a client without the certificate, or with a stranger's, is told so`() throws {
        let vault = try LoopbackVault(vault: stockedVault(), requireClientCertificate: true)
        let stranger = try LoopbackPKI(commonName: "Another CA").client()
        let file = try vault.file("stranger.pem", stranger.certificatePEM + stranger.keyPEM)
        for certificate in [nil, file] {
            var settings = vault.settings()
            settings.clientCertificateFile = certificate
            expectFailure("\(certificate ?? "none")") {
                try vault.read("secret/app", ["yes"], settings: settings)
            } matches: { failure in
                guard case .clientCertificateRejected = failure else { return false }
                return true
            }
        }
    }

    @Test func `files that hold no certificate or key are named`() throws {
        let vault = try LoopbackVault(vault: stockedVault())
        var settings = vault.settings()
        settings.trustAnchorsFile = vault.directory + "/none"
        let missing = vault.directory + "/none"
        #expect(throws: SecretStoreFailure.trustAnchorsUnreadable(path: missing)) {
            try vault.read("secret/app", ["yes"], settings: settings)
        }
        let junk = try vault.file("junk", "junk\n")
        settings.trustAnchorsFile = junk
        #expect(throws: SecretStoreFailure.trustAnchorsUnreadable(path: junk)) {
            try vault.read("secret/app", ["yes"], settings: settings)
        }
        settings = vault.settings()
        let client = try vault.pki.client()
        let certificate = try vault.file("client.pem", client.certificatePEM)
        let other = try vault.file("other-key.pem", try vault.pki.client().keyPEM)
        for (chain, key, named) in [
            (junk, other, junk), (certificate, junk, junk), (certificate, other, other),
        ] {
            settings.clientCertificateFile = chain
            settings.clientKeyFile = key
            expectFailure("\(chain) \(key)") {
                try vault.read("secret/app", ["yes"], settings: settings)
            } matches: { failure in
                guard case .clientCertificateRejected(named, _) = failure else { return false }
                return true
            }
        }
    }

    @Test func `the system's bundle does not vouch for the loopback authority`() throws {
        let vault = try LoopbackVault(vault: stockedVault())
        var settings = vault.settings()
        settings.trustAnchorsFile = nil
        expectFailure("system bundle") {
            try vault.read("secret/app", ["yes"], settings: settings)
        } matches: { failure in
            switch failure {
            // Where there is no bundle at all, that is what the user is told.
            case .certificateUntrusted, .trustAnchorsUnreadable: true
            default: false
            }
        }
    }
}
