// SPDX-License-Identifier: Apache-2.0
package import ImageFormat

/// What a registry sent.
package struct RegistryManifest: Sendable, Equatable {
    package let bytes: [UInt8]
    /// As it was sent; nil: none.
    package let contentType: String?

    package init(bytes: [UInt8], contentType: String?) {
        self.bytes = bytes
        self.contentType = contentType
    }
}

/// Servers that speak the API of registries
/// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md).
///
/// Contract:
/// - Content comes byte for byte as it was stored. Nobody has compared it with a digest: the caller
///   does.
/// - A credential is for this call's server, and for the token server that this server names;
///   nobody else gets it, whatever is redirected. nil: nobody logs in.
/// - Each call ends within its limit of time, each answer stays within its limit of size.
/// - A token that has expired is renewed once. What the server says is too much is asked again
///   when it says when, and that is soon; otherwise it is `rateLimited`.
/// - Cancelling the task ends any call with `cancelled`.
package protocol ImageRegistry: Sendable {
    /// At most `ImageLimits.manifestBytesMax`.
    func manifest(
        _ repository: RegistryRepository, _ selector: ImageReference.Selector,
        _ credential: RegistryCredential?
    ) async throws(RegistryFailure) -> RegistryManifest

    /// An image's config: at most `ImageLimits.configBytesMax`.
    func config(
        _ repository: RegistryRepository, _ digest: ImageDigest, _ credential: RegistryCredential?
    ) async throws(RegistryFailure) -> [UInt8]
}

/// Where credentials for registries come from. They may change at any time.
package protocol RegistryKeyringSource: Sendable {
    var keyring: RegistryKeyring { get }
}
