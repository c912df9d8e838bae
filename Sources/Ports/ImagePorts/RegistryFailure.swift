// SPDX-License-Identifier: Apache-2.0

/// Why a registry did not give what it was asked for. Never with a credential, a header or a text
/// of the registry's own.
package enum RegistryFailure: Error, Sendable, Hashable {
    /// 401 or 403: not for this credential, or for nobody without one.
    case unauthorized
    case notFound
    /// 429
    case rateLimited(retryAfterSeconds: Int?)
    /// No connection, or one that broke off; 5xx.
    case unavailable(detail: String)
    case timedOut
    /// Its certificate is not to be trusted.
    case tlsFailed(detail: String)
    case tooLarge(limit: Int)
    /// No answer that a registry gives.
    case malformed(detail: String)
    /// The content is not what its digest says.
    case digestMismatch
    case cancelled

    /// For whoever made the pod.
    package var shown: String {
        switch self {
        case .unauthorized: "it lets nobody in with the operator's credentials"
        case .notFound: "it has no such image"
        case .rateLimited: "it has been asked too often"
        case .unavailable(let detail): "it is not available: \(detail)"
        case .timedOut: "it does not answer in time"
        case .tlsFailed: "its certificate is not to be trusted"
        case .tooLarge(let limit): "its answer is larger than \(limit) bytes"
        case .malformed(let detail): "its answer is none of a registry: \(detail)"
        case .digestMismatch: "it sends something else than was asked for"
        case .cancelled: "the question was given up"
        }
    }

    /// Whether another credential may do better.
    package var mayDependOnCredential: Bool {
        switch self {
        // Some say of what is private that it is not there; some count by user.
        case .unauthorized, .notFound, .rateLimited: true
        default: false
        }
    }
}
