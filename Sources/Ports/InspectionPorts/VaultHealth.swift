// SPDX-License-Identifier: Apache-2.0

/// Asks a vault how it is, as anybody may: without a token.
///
/// Contract:
/// - One question is one `GET …/v1/sys/health`. Nothing is sent that says who asks, and no redirect
///   is followed.
/// - Whoever answers is believed by a certificate for the vault's name, or not at all.
/// - It ends within the adapter's limit of time and reads at most `VaultHealthLimits.bodyBytesMax`.
/// - Cancelling the task ends the call.
package protocol VaultHealth: Sendable {
    /// - Parameter address: `https://host:port`, with a path at most.
    func state(of address: String) async throws(VaultSurveyFailure) -> VaultObservation.State
}

package enum VaultHealthLimits {
    package static let bodyBytesMax = 64 << 10
}
