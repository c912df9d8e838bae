// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
package import S3Format
internal import SealedObject

/// What became of a request, for logs. Holds no name of an object, no header, no secret.
package struct S3ProxyReport: Sendable {
    /// As the client got it in `x-amz-request-id`.
    package let requestID: String
    /// IP address and port.
    package let remoteAddress: String
    /// nil: it was refused before that was known.
    package let operation: S3Operation?
    /// S3's error code; nil: it went well.
    package let code: String?
    /// What the client is not told: which side failed, and how.
    package let cause: String?
    package let took: Duration

    /// Somebody who runs the proxy has to look at it.
    package let isOurs: Bool

    init(
        _ requestID: String, _ remoteAddress: String, _ operation: S3Operation?,
        _ refusal: Refusal?, took: Duration
    ) {
        self.requestID = requestID
        self.remoteAddress = remoteAddress
        self.operation = operation
        self.took = took
        code = refusal?.code
        (cause, isOurs) = refusal.map(Self.cause) ?? (nil, false)
    }

    private static func cause(_ refusal: Refusal) -> (String?, isOurs: Bool) {
        switch refusal {
        case .request, .signature, .clientGone, .overtaken: (nil, false)
        case .store(let failure): ("store: \(failure)", isOfStore(failure))
        case .key(let failure): ("key: \(failure)", true)
        case .sealed(.userMetadata(.tooLarge)): (nil, false)
        case .sealed(let failure): ("object: \(failure.text)", true)
        }
    }

    private static func isOfStore(_ failure: ObjectStoreFailure) -> Bool {
        switch failure {
        case .unreachable, .tlsFailed, .credentialUnavailable, .timedOut, .connectionLost,
            .truncated, .accessDenied, .credentialRefused, .slowDown, .serverError,
            .responseTooLarge, .responseMalformed:
            true
        default: false
        }
    }
}
