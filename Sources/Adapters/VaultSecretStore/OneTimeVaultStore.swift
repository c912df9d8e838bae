// SPDX-License-Identifier: Apache-2.0
package import Ports
package import SecretMemory

/// A VaultSecretStore that is the process's only user of OpenSSL: forgetting it also cleans
/// OpenSSL up and gives the arena, the token's and the answer's pages back.
///
/// Where a user may lock 64 KiB in all, the arena would otherwise leave no room for the values
/// that are delivered to the program and to what it executes later.
package struct OneTimeVaultStore: SecretStore, ~Copyable {
    private var store: VaultSecretStore?
    private let onLowerTier: (MemoryTier) -> Void
    private var toldTier = MemoryTier.secret

    /// - Parameter onLowerTier: gets the weakest kind of memory that has held any part of the
    ///   exchange, as soon as it is another than `secret`, and again when it gets weaker.
    package init(
        _ store: consuming VaultSecretStore,
        onLowerTier: @escaping (MemoryTier) -> Void = { _ in }
    ) {
        self.store = consume store
        self.onLowerTier = onLowerTier
        tellTier()
    }

    private mutating func tellTier() {
        guard let tier = store?.weakestTier, tier < toldTier else { return }
        toldTier = tier
        onLowerTier(tier)
    }

    // After `forget` every call but `forget` fails with `tokenInvalid`.

    package mutating func logIn() throws(SecretStoreFailure) -> Grant {
        defer { tellTier() }
        guard let grant = try store?.logIn() else { throw .tokenInvalid }
        return grant
    }

    package mutating func read(
        _ query: SecretQuery, fields: [String], onLease: (Lease) -> Void,
        receive: (_ index: Int, _ value: RawSpan) throws(SecretStoreFailure) -> Void
    ) throws(SecretStoreFailure) -> SecretFacts {
        defer { tellTier() }
        let facts = try store?.read(query, fields: fields, onLease: onLease, receive: receive)
        guard let facts else { throw .tokenInvalid }
        return facts
    }

    package mutating func currentVersion(
        of query: SecretQuery
    ) throws(SecretStoreFailure) -> Int? {
        defer { tellTier() }
        guard store != nil else { throw .tokenInvalid }
        return try store?.currentVersion(of: query)
    }

    package mutating func renewToken() throws(SecretStoreFailure) -> Grant {
        defer { tellTier() }
        guard let grant = try store?.renewToken() else { throw .tokenInvalid }
        return grant
    }

    package mutating func renew(_ lease: LeaseID) throws(SecretStoreFailure) -> Grant {
        defer { tellTier() }
        guard let grant = try store?.renew(lease) else { throw .tokenInvalid }
        return grant
    }

    package mutating func revoke(_ lease: LeaseID) throws(SecretStoreFailure) {
        defer { tellTier() }
        guard try store?.revoke(lease) != nil else { throw .tokenInvalid }
    }

    package mutating func revokeToken() throws(SecretStoreFailure) {
        defer { tellTier() }
        guard try store?.revokeToken() != nil else { throw .tokenInvalid }
    }

    /// Zeroes and releases everything. No OpenSSL call may follow in this process. Idempotent.
    package mutating func forget() {
        guard store != nil else { return }
        store?.forget()
        tellTier()
        // The store's own OpenSSL objects go first: the clean-up leaves nothing to refer to.
        store = nil
        OpenSSLAllocator.shutDown()
    }
}
