// SPDX-License-Identifier: Apache-2.0

/// The access keys that clients of the proxy sign with. They come from the vault and are none that
/// the upstream store knows.
///
/// Contract:
/// - Secrets live in secret memory; `lend` gives them out in place and never waits.
/// - An unknown access key: `lend` is not called.
package protocol ClientCredentials: Sendable {
    /// - Parameter lend: called at most once, with the secret access key and, for temporary
    ///   credentials, their session token. The spans may not leave it.
    func lend(
        _ accessKeyID: String, _ lend: (_ secret: RawSpan, _ sessionToken: RawSpan?) -> Void)
}
