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

/// Whether the reading fails with a failure that `matches`.
func expectFailure(
    _ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation,
    when body: () throws -> [String], matches: (SecretStoreFailure) -> Bool
) {
    do {
        let values = try body()
        Issue.record("\(comment): read \(values.count) values", sourceLocation: sourceLocation)
    } catch let failure as SecretStoreFailure {
        #expect(matches(failure), "\(comment): \(failure)", sourceLocation: sourceLocation)
    } catch {
        Issue.record("\(comment): \(error)", sourceLocation: sourceLocation)
    }
}

@Suite("The vault's own state") struct ServerStateTests {
    @Test(arguments: [
        (SimulatedVault.Condition.sealed, SecretStoreFailure.sealed(host: "127.0.0.1")),
        (.uninitialized, .uninitialized(host: "127.0.0.1")),
        (.standby, .standby(host: "127.0.0.1")),
        (
            .rateLimited(retryAfterSeconds: 7),
            .rateLimited(host: "127.0.0.1", retryAfterSeconds: 7)
        ),
        (
            .rateLimited(retryAfterSeconds: nil),
            .rateLimited(host: "127.0.0.1", retryAfterSeconds: nil)
        ),
        (.failing(status: 500), .serverError(host: "127.0.0.1", status: 500)),
        (.failing(status: 503), .serverError(host: "127.0.0.1", status: 503)),
    ])
    func `each state is told apart, at a login as at a read`(
        _ condition: SimulatedVault.Condition, _ failure: SecretStoreFailure
    ) throws {
        let vault = try LoopbackVault(vault: stockedVault())
        vault.listener.withVault { $0.condition = condition }
        #expect(throws: failure) { try vault.read("secret/app", ["yes"]) }
        let login = vault.settings(.appRole(roleID: "role", secretIDFile: nil))
        #expect(throws: failure) { try vault.read("secret/app", ["yes"], settings: login) }
        vault.listener.withVault { $0.condition = .active }
        #expect(try vault.read("secret/app", ["yes"]) == ["true"])
    }

    @Test func `an answer that is no JSON is malformed`() throws {
        let vault = try LoopbackVault(vault: stockedVault())
        vault.listener.withVault { $0.condition = .invalidJSON }
        let failure = SecretStoreFailure.responseMalformed(
            path: "secret/app", detail: "not JSON, at byte 17")
        #expect(throws: failure) { try vault.read("secret/app", ["yes"]) }
    }
}

@Suite("Redirects") struct RedirectTests {
    let first: LoopbackVault
    let second: LoopbackVault

    init() throws {
        first = try LoopbackVault(vault: stockedVault())
        second = try LoopbackVault(
            vault: stockedVault(), identity: { [first] _ in try first.pki.server() })
        let target = second.listener.address
        first.listener.withVault { $0.condition = .redirecting(origin: target) }
    }

    @Test func `a redirect to an allowed origin is followed with the token`() throws {
        var settings = first.settings()
        settings.allowedOrigins.append(second.settings().origin)
        #expect(try first.read("secret/app", ["yes"], settings: settings) == ["true"])
    }

    @Test func `a redirect to another origin is refused, and that origin is not contacted`()
        throws
    {
        let failure = SecretStoreFailure.redirectForbidden(
            from: first.listener.address, to: second.listener.address)
        #expect(throws: failure) { try first.read("secret/app", ["yes"]) }
        #expect(second.listener.handshakes == 0)
        #expect(second.listener.withVault { $0.log }.isEmpty)
    }

    @Test(arguments: [
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("https://127.0.0.1:1", "https://127.0.0.1:1"),
        ("https://[::1]:99", "https://[::1]:99"), ("https://evil.test", "https://evil.test:443"),
    ])
    func `every other origin is foreign`(_ origin: String, _ shown: String) {
        first.listener.withVault { $0.condition = .redirecting(origin: origin) }
        let failure = SecretStoreFailure.redirectForbidden(
            from: first.listener.address, to: shown)
        #expect(throws: failure) { try first.read("secret/app", ["yes"]) }
    }

    @Test(arguments: ["https://user@127.0.0.1", "//evil.test", "ftp:x", "https://:1", "x"])
    func `a target that cannot be read is malformed`(_ origin: String) {
        first.listener.withVault { $0.condition = .redirecting(origin: origin) }
        expectFailure("\(origin)") {
            try first.read("secret/app", ["yes"])
        } matches: { failure in
            guard case .responseMalformed = failure else { return false }
            return true
        }
    }

    @Test func `a circle of redirects ends`() {
        let own = first.listener.address
        first.listener.withVault { $0.condition = .redirecting(origin: own) }
        expectFailure("circle") {
            try first.read("secret/app", ["yes"])
        } matches: { failure in
            guard case .responseMalformed = failure else { return false }
            return true
        }
        #expect(first.listener.withVault { $0.log }.count == 4)
    }

    @Test func `an origin that is not allowed, or not https, is not contacted`() throws {
        var settings = first.settings()
        settings.allowedOrigins = [Origin(scheme: "https", host: "vault.test", port: 443)]
        let address = first.listener.address
        #expect(throws: SecretStoreFailure.originForbidden(origin: address)) {
            try first.read("secret/app", ["yes"], settings: settings)
        }
        settings = VaultSettings(
            origin: Origin(scheme: "http", host: "127.0.0.1", port: 80), auth: .token(file: nil))
        #expect(throws: SecretStoreFailure.originForbidden(origin: "http://127.0.0.1:80")) {
            try first.read("secret/app", ["yes"], settings: settings)
        }
        #expect(first.listener.handshakes == 0)
    }
}

@Suite("Answers that go wrong on the wire") struct WireTests {
    @Test(arguments: [TransportFault.truncatedBody, .shortBody])
    func `a body that ends early is truncated, with and without close_notify`(
        _ fault: TransportFault
    ) throws {
        let vault = try LoopbackVault(vault: stockedVault(), fault: fault)
        expectFailure("\(fault)") {
            try vault.read("secret/app", ["yes"])
        } matches: { failure in
            guard case .responseTruncated = failure else { return false }
            return true
        }
    }

    @Test func `a body of 10 MB is refused before it is read`() throws {
        let vault = try LoopbackVault(
            vault: stockedVault(), fault: .hugeBody(bytes: 10_000_000))
        expectFailure("10 MB") {
            try vault.read("secret/app", ["yes"])
        } matches: { failure in
            guard case .responseTooLarge(_, let limit) = failure else { return false }
            return limit < 10_000_000
        }
    }

    @Test(arguments: [TransportFault.silent, .endless])
    func `a vault that never ends its answer is given up in time`(_ fault: TransportFault) throws {
        let vault = try LoopbackVault(vault: stockedVault(), fault: fault)
        var settings = vault.settings()
        settings.requestSecondsMax = 1
        #expect(throws: SecretStoreFailure.timedOut(host: "127.0.0.1", seconds: 1)) {
            try vault.read("secret/app", ["yes"], settings: settings)
        }
    }

    @Test func `a port where nobody listens refuses the connection`() throws {
        let vault = try LoopbackVault(vault: stockedVault())
        let port = vault.listener.port
        vault.listener.stop()
        let failure = SecretStoreFailure.connectionFailed(
            host: "127.0.0.1", port: port, errorNumber: ECONNREFUSED)
        #expect(throws: failure) { try vault.read("secret/app", ["yes"]) }
    }

    @Test func `a vault that goes away between two requests does not kill the process`() throws {
        let vault = try LoopbackVault(vault: stockedVault())
        var store = try VaultSecretStore(
            settings: vault.settings(), credential: .testing(SimulatedVault.rootToken),
            openSSLMemory: .unchanged)
        _ = try store.logIn()
        try store.read(path: "secret/app", fields: ["yes"]) { _, _ in }
        vault.listener.stop()
        #expect(throws: SecretStoreFailure.self) {
            try store.read(path: "secret/app", fields: ["yes"]) { _, _ in }
        }
    }
}
