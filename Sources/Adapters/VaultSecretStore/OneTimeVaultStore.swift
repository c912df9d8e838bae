// SPDX-License-Identifier: Apache-2.0
package import Ports
package import SecretMemory

/// A VaultSecretStore that is the process's only user of OpenSSL: forgetting it also cleans
/// OpenSSL up and gives the arena, the token's and the answer's pages back.
///
/// Where a user may lock 64 KiB in all, the arena would otherwise leave no room for the values
/// that are delivered to the program and to what it executes later.
package struct OneTimeVaultStore: LegacySecretStore, ~Copyable {
    private var store: VaultSecretStore?
    private let onForget: (MemoryTier) -> Void

    /// - Parameter onForget: gets the weakest kind of memory that held any part of the exchange.
    package init(
        _ store: consuming VaultSecretStore, onForget: @escaping (MemoryTier) -> Void = { _ in }
    ) {
        self.store = consume store
        self.onForget = onForget
    }

    /// After `forget`: `tokenInvalid`.
    package mutating func logIn() throws(SecretStoreFailure) {
        guard store != nil else { throw .tokenInvalid }
        try store?.logIn()
    }

    /// After `forget`: `tokenInvalid`.
    package mutating func read(
        path: String, fields: [String],
        receive: (_ index: Int, _ value: RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure) {
        guard store != nil else { throw .tokenInvalid }
        try store?.read(path: path, fields: fields, receive: receive)
    }

    /// Zeroes and releases everything. No OpenSSL call may follow in this process. Idempotent.
    package mutating func forget() {
        guard store != nil else { return }
        store?.forget()
        if let report = OpenSSLAllocator.report { onForget(report.weakestTier) }
        // The store's own OpenSSL objects go first: the clean-up leaves nothing to refer to.
        store = nil
        OpenSSLAllocator.shutDown()
    }
}
