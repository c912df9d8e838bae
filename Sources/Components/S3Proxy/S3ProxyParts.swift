// SPDX-License-Identifier: Apache-2.0
package import Checksums
package import ObjectKeyPorts
package import ObjectStorePorts
package import Ports
package import SealedObject
package import SecretMemory

/// What a proxy is built on.
package struct S3ProxyParts<Cipher: AuthenticatedCipher>: Sendable {
    /// Upstream: the store that is not trusted with content.
    package var store: any ObjectStore
    package var custodian: any KeyCustodian
    package var credentials: any ClientCredentials
    package var salts: any SaltSource
    package var clock: any TimeSource & Sendable
    package var digests: any MessageDigests
    package var cipher: Cipher
    /// For data keys, epoch keys and signing keys: 32 bytes each.
    package var keyMemory: SecretArena
    /// Gets each request's outcome, when it is over.
    package var report: @Sendable (S3ProxyReport) -> Void = { _ in }

    package init(
        store: any ObjectStore, custodian: any KeyCustodian, credentials: any ClientCredentials,
        salts: any SaltSource, clock: any TimeSource & Sendable, digests: any MessageDigests,
        cipher: Cipher, keyMemory: SecretArena
    ) {
        self.store = store
        self.custodian = custodian
        self.credentials = credentials
        self.salts = salts
        self.clock = clock
        self.digests = digests
        self.cipher = cipher
        self.keyMemory = keyMemory
    }
}
