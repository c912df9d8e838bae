// SPDX-License-Identifier: Apache-2.0
import Glibc
internal import HTTPFormat
package import Ports
package import SecretMemory
package import WrapperConfiguration

/// `SecretStore` and `TransitEngine` over the HTTP API of OpenBao and HashiCorp Vault, TLS by
/// OpenSSL.
///
/// Requests, answers, tokens and credentials stay in secret memory; TLS records and keys in
/// OpenSSL's arena. Nothing is retried here; a kept connection that the server has closed
/// meanwhile is replaced before anything is sent.
package struct VaultSecretStore: SecretStore, TransitEngine, ~Copyable {
    /// Longest token accepted (bytes).
    package static let tokenBytesMax = 4000

    let settings: VaultSettings
    let memory: ExchangeMemory
    let transport: VaultTransport
    let requests: VaultRequest
    /// The wall clock (POSIX seconds).
    let secondsSince1970: () -> Int64
    /// Empty until `logIn`.
    var token: SecretBuffer
    /// As it was handed over.
    var credential: SecretBuffer?
    /// The secret id that a wrapping token stood for.
    var unwrappedSecretID: SecretBuffer?

    /// Reads trust anchors and the client certificate; connects to nothing yet.
    ///
    /// - Parameters:
    ///   - credential: the token, secret id or wrapping token, for methods whose settings name
    ///     no file.
    ///   - openSSLMemory: where OpenSSL keeps what it works on.
    ///   - resolver: how host names become addresses.
    ///   - interruptDescriptor: every wait ends with `interrupted` once this can be read from;
    ///     it is not read here. -1: nothing interrupts.
    ///   - secondsSince1970: the wall clock, for certificates' ends.
    package init(
        settings: VaultSettings, credential: consuming SecretBuffer?,
        openSSLMemory: OpenSSLMemory = .arena(), resolver: NameResolver = NameResolver(),
        interruptDescriptor: Int32 = -1,
        secondsSince1970: @escaping () -> Int64 = { Int64(time(nil)) }
    ) throws(SecretStoreFailure) {
        guard settings.origin.scheme == "https",
            settings.allowedOrigins.contains(settings.origin)
        else { throw .originForbidden(origin: settings.origin.description) }
        // A value type that owns memory is made in one step: everything that may fail comes first.
        let tier = settings.minimumTier.tier
        try openSSLMemory.prepare(minimumTier: tier)
        let memory = ExchangeMemory(minimumTier: tier)
        let transport = try VaultTransport(
            settings: settings, resolver: resolver, memory: memory,
            interruptDescriptor: interruptDescriptor)
        let token = try memory.buffer(capacity: Self.tokenBytesMax)
        if let given = credential?.tier { memory.note(given) }
        self.init(
            settings: settings, memory: memory, transport: transport,
            secondsSince1970: secondsSince1970, token: token, credential: credential)
    }

    private init(
        settings: VaultSettings, memory: ExchangeMemory, transport: VaultTransport,
        secondsSince1970: @escaping () -> Int64, token: consuming SecretBuffer,
        credential: consuming SecretBuffer?
    ) {
        self.settings = settings
        self.memory = memory
        self.transport = transport
        self.secondsSince1970 = secondsSince1970
        requests = VaultRequest(settings: settings, memory: memory)
        self.token = token
        self.credential = credential
        unwrappedSecretID = nil
    }

    /// The weakest kind of memory that has held any part of the exchange, OpenSSL's arena
    /// included.
    package var weakestTier: MemoryTier {
        min(memory.weakestTier, OpenSSLAllocator.report?.weakestTier ?? .secret)
    }

    package mutating func forget() {
        token.zero()
        credential = nil
        unwrappedSecretID = nil
        transport.close()
    }

    // MARK: - Requests with the token

    /// Starts a call that needs a token.
    func beginWithToken() throws(SecretStoreFailure) {
        guard token.count > 0 else { throw .tokenInvalid }
        transport.beginCall()
    }

    func get(_ path: String) throws(SecretStoreFailure) -> HTTPResponse {
        let requests = requests
        return try transport.perform(path: path) { origin, target throws(SecretStoreFailure) in
            try requests.get(target, at: origin, token: token)
        }
    }

    func post(
        _ path: String,
        members: (inout JSONMembers) throws(SecretMemoryFailure) -> Void = { _ in }
    ) throws(SecretStoreFailure) -> HTTPResponse {
        let requests = requests
        return try transport.perform(path: path) { origin, target throws(SecretStoreFailure) in
            try requests.post(target, at: origin, token: token, members: members)
        }
    }
}
