// SPDX-License-Identifier: Apache-2.0
internal import ObjectKeyPorts
internal import ObjectServerPorts
internal import ObjectStorePorts
internal import RequestSignature
internal import S3Format
internal import SealedObject
internal import ServedHTTP

/// Why a request is not done, as far as the proxy tells apart.
enum Refusal: Error, Sendable {
    /// The client's, or of what it asked for.
    case request(S3Error)
    /// A signature or body that is refused has codes of its own.
    case signature(S3Answer)
    case store(ObjectStoreFailure)
    case key(KeyFailure)
    case sealed(SealedObjectFailure)
    /// The object was overwritten between two looks at it. Nothing was answered or changed yet.
    case overtaken
    /// Nobody is there to be answered.
    case clientGone
}

extension Refusal {
    /// Of a call that asked for the very content that was seen before.
    init(onlySame failure: ObjectStoreFailure) {
        self = failure == .preconditionFailed ? .overtaken : .store(failure)
    }

    init(_ failure: StreamFailure) {
        switch failure {
        case .tooSlow: self = .request(S3Error(.requestTimeout))
        case .malformed: self = .request(S3Error(.incompleteBody))
        case .disconnected, .cancelled: self = .clientGone
        case .answerRefused, .misused: self = .request(S3Error(.internalError))
        }
    }

    /// What the client is told. What depends on a key has one answer.
    var error: S3Error {
        switch self {
        case .request(let error): error
        case .signature: S3Error(.accessDenied)
        case .store(let failure): S3Error(failure)
        case .key(let failure): S3Error(failure)
        case .sealed(let failure): S3Error(failure)
        case .overtaken:
            S3Error(
                .serviceUnavailable,
                "The object changes faster than it can be looked at. Try again later.")
        case .clientGone: S3Error(.requestTimeout)
        }
    }
}

extension S3Error {
    static let unopened = S3Error(
        .invalidObjectState,
        "The object cannot be opened: it was changed, was stored without this proxy, or belongs to "
            + "another name or tenant. Restore it from a copy that was stored through the proxy.")

    init(_ failure: SealedObjectFailure) {
        switch failure {
        case .cipherUnavailable: self.init(.internalError)
        case .memoryExhausted:
            self.init(
                .slowDown, "The memory for keys is used up at the moment. Try again later.")
        case .userMetadata(.tooLarge(let bytes)):
            self.init(
                .metadataTooLarge,
                "The object's metadata and headers are too large to be sealed; send less.",
                details: [
                    .init("Size", String(bytes)),
                    .init(
                        "MaxSizeAllowed",
                        String(SealedObjectLimits.userMetadataPlainBytesMax)),
                ])
        case .tooLarge: self.init(.entityTooLarge)
        default: self = .unopened
        }
    }

    init(_ failure: KeyFailure) {
        switch failure {
        case .custody(.notAuthentic), .custody(.keyLengthWrong), .epochKeyMissing,
            .epochKeyMalformed:
            self = .unopened
        case .custody where failure.isGivenUp:
            self.init(
                .invalidObjectState,
                "The vault has given up the version of its key that wraps the object's. Allow that "
                    + "version again (min_decryption_version), wrap the keys anew (rewrap), and "
                    + "give it up then.")
        case .sealed(let failure): self.init(failure)
        case .table(let failure) where !failure.isTransient: self.init(failure)
        case .custody(let failure) where !failure.isTransient && failure != .cancelled:
            self.init(
                .internalError,
                "The vault refuses the proxy's key. Have the proxy's access to it looked at.")
        default:
            self.init(
                .serviceUnavailable,
                "The keys cannot be had from the vault at the moment. Try again later.")
        }
    }

    init(_ failure: ObjectStoreFailure) {
        switch failure {
        case .credentialUnavailable, .credentialRefused, .tlsFailed:
            self.init(
                .internalError,
                "The store refuses the proxy. Have its credentials and certificate looked at.")
        case .unreachable, .timedOut, .connectionLost, .cancelled, .truncated, .serverError,
            .responseTooLarge, .responseMalformed:
            self.init(
                .serviceUnavailable, "The store does not answer as it should. Try again later.")
        default: self.init(Self.code(of: failure), nil)
        }
    }

    private static func code(of failure: ObjectStoreFailure) -> S3ErrorCode {
        switch failure {
        case .noSuchBucket: .noSuchBucket
        case .noSuchKey, .deleted: .noSuchKey
        case .noSuchVersion: .noSuchVersion
        case .noSuchUpload: .noSuchUpload
        case .isDeleteMarker: .methodNotAllowed
        case .notModified, .preconditionFailed: .preconditionFailed
        case .conflict: .conditionalRequestConflict
        case .rangeUnsatisfiable: .invalidRange
        case .invalidPart: .invalidPart
        case .invalidPartOrder: .invalidPartOrder
        case .partTooSmall: .entityTooSmall
        case .tooLarge: .entityTooLarge
        case .accessDenied: .accessDenied
        case .slowDown: .slowDown
        case .refused(let code, _): S3ErrorCode(rawValue: code) ?? .invalidRequest
        case .sourceFailed, .lengthMismatch: .incompleteBody
        default: .internalError
        }
    }
}
