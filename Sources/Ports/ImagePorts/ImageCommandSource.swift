// SPDX-License-Identifier: Apache-2.0
package import Injection

/// Tells what images start.
///
/// Contract:
/// - Every image of the question has an answer. What cannot be known is `failed`, with a reason
///   that may be shown to whoever made the pod: no credential, no answer of a registry.
/// - Cancelling the task ends the call soon; what is not known by then is `failed`.
package protocol ImageCommandSource: Sendable {
    /// - Parameter namespace: of the pod, for its pull secrets.
    func answers(
        to question: ImageQuestion, namespace: String
    ) async -> [String: ImageAnswer]
}
