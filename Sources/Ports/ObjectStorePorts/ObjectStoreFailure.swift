// SPDX-License-Identifier: Apache-2.0
package import S3Format

/// What a failed call may have done.
package enum ObjectStoreEffect: Sendable, Hashable {
    /// The store is as if the call had never been made.
    case none
    /// The store did all of it or nothing of it, and nobody knows which.
    case unknown
}

/// Why a call to an object store failed. Texts carry hosts and codes, never a credential, a
/// header, a key or content.
package enum ObjectStoreFailure: Error, Sendable, Hashable {
    // Reaching the server
    /// No connection, or one that broke before the request was out.
    case unreachable(host: String, detail: String)
    /// Its certificate is not to be trusted.
    case tlsFailed(host: String, detail: String)
    case credentialUnavailable(detail: String)
    case timedOut(host: String)
    /// The connection broke when the request was on its way.
    case connectionLost(host: String)
    case cancelled
    // Bodies
    /// The caller's source failed, or gave an empty or too large chunk.
    case sourceFailed
    case lengthMismatch(declared: Int64, received: Int64)
    /// A read that ended before its length.
    case truncated(expected: Int64, received: Int64)
    // The server's answer
    /// 403, for this key, bucket or operation.
    case accessDenied
    /// 403 or 400: not these credentials. `code` is S3's.
    case credentialRefused(code: String)
    case noSuchBucket
    case noSuchKey
    case noSuchVersion
    case noSuchUpload
    /// 404: the latest version is the mark that it was deleted.
    case deleted(markerVersionID: String?)
    /// 405: the version that was asked for is such a mark.
    case isDeleteMarker
    /// 304
    case notModified(tag: S3EntityTag?)
    /// 412
    case preconditionFailed
    /// 409: somebody else is changing the same thing.
    case conflict
    /// 416
    case rangeUnsatisfiable(size: Int64?)
    case invalidPart
    case invalidPartOrder
    case partTooSmall
    case tooLarge
    /// 503 with S3's code: the request was not looked at.
    case slowDown(retryAfterSeconds: Int?)
    /// Another 5xx.
    case serverError(status: Int)
    /// Another 4xx. `code` is S3's.
    case refused(code: String, status: Int)
    case responseTooLarge(limit: Int)
    case responseMalformed(detail: String)

    /// What a write that failed so may have done.
    package var effect: ObjectStoreEffect {
        switch self {
        case .timedOut, .connectionLost, .cancelled, .serverError, .responseTooLarge,
            .responseMalformed:
            .unknown
        default: .none
        }
    }

    /// Whether the same call may succeed a little later without anything being changed.
    package var isTransient: Bool {
        switch self {
        case .unreachable, .timedOut, .connectionLost, .truncated, .conflict, .slowDown,
            .serverError:
            true
        default: false
        }
    }
}
