// SPDX-License-Identifier: Apache-2.0

/// An error as S3 answers it
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). Holds no secret and
/// nothing that was computed with one.
package struct S3Answer: Sendable, Equatable {
    package let code: String
    /// HTTP's.
    package let status: Int
    /// What happened, why, and what to do. Not yet escaped for XML.
    package let message: String

    init(_ code: String, _ status: Int, _ message: String) {
        self.code = code
        self.status = status
        self.message = message
    }
}

extension SignatureRefusal {
    package var answer: S3Answer {
        switch self {
        case .anonymous, .dateUnreadable, .timeTooSkewed, .notYetValid, .expired,
            .unknownAccessKey, .sessionTokenMismatch, .fieldUnsigned, .signedFieldMissing,
            .signatureMismatch:
            credentialAnswer
        case .malformed(let fault, .header):
            S3Answer(
                "AuthorizationHeaderMalformed", 400,
                "The Authorization header is malformed: \(fault.text(.header)).")
        case .malformed(let fault, .query):
            S3Answer(
                "AuthorizationQueryParametersError", 400,
                "The authorization in the query is malformed: \(fault.text(.query)).")
        case .body(let refusal): refusal.answer
        case .twoMechanisms, .unsupportedMechanism, .hostMissing, .contentHashMissing,
            .contentHashMalformed, .targetMalformed, .methodMalformed, .fieldMalformed,
            .tooLarge, .keyUnavailable:
            requestAnswer
        }
    }

    private var credentialAnswer: S3Answer {
        switch self {
        case .dateUnreadable:
            S3Answer(
                "AccessDenied", 403,
                "The request has no time that can be read. Send x-amz-date as "
                    + "yyyyMMdd'T'HHmmss'Z'.")
        case .timeTooSkewed:
            S3Answer(
                "RequestTimeTooSkewed", 403,
                "The request's time differs from the server's by more than "
                    + "\(RequestLimits.skewSecondsMax) seconds. Set the client's clock.")
        case .notYetValid:
            S3Answer(
                "AccessDenied", 403,
                "The presigned request is not valid yet. Set the clock of whoever signed it.")
        case .expired:
            S3Answer(
                "AccessDenied", 403, "The presigned request has expired. Sign a new one.")
        case .unknownAccessKey:
            S3Answer(
                "InvalidAccessKeyId", 403,
                "No such access key ID is known here. Check the client's credentials.")
        case .sessionTokenMismatch:
            S3Answer(
                "InvalidToken", 400,
                "The session token does not belong to the access key ID. Take both from one set "
                    + "of credentials, and no token where there is none.")
        case .fieldUnsigned(let name):
            S3Answer(
                "AccessDenied", 403,
                "The header field \(name) is in the request and was not signed. Sign host and "
                    + "every x-amz- field.")
        case .signedFieldMissing(let name):
            S3Answer(
                "SignatureDoesNotMatch", 403,
                "The signed header field \(name) is not in the request. Sign only what is sent, "
                    + "and look for a proxy that removes it.")
        case .signatureMismatch:
            S3Answer(
                "SignatureDoesNotMatch", 403,
                "The signature does not match the request. Check the secret access key, and that "
                    + "nothing changes the request on its way.")
        default:
            S3Answer(
                "AccessDenied", 403,
                "The request is not signed. Sign it with AWS Signature Version 4.")
        }
    }

    private var requestAnswer: S3Answer {
        switch self {
        case .twoMechanisms:
            S3Answer(
                "InvalidArgument", 400,
                "The request has an Authorization header and one in its query. Send only one.")
        case .unsupportedMechanism:
            S3Answer(
                "InvalidRequest", 400,
                "The authorization mechanism is not supported. Use \(SigningText.algorithm).")
        case .hostMissing:
            S3Answer(
                "MissingSecurityHeader", 400,
                "The request has no header field host. Send it and sign it.")
        case .contentHashMissing:
            S3Answer(
                "InvalidRequest", 400,
                "The request has no header field \(Payload.contentField). Send it and sign it.")
        case .contentHashMalformed:
            S3Answer(
                "InvalidArgument", 400,
                "\(Payload.contentField) is none of \(Payload.unsignedText), "
                    + "\(Payload.signedChunksText), \(Payload.signedChunksTrailerText), "
                    + "\(Payload.unsignedChunksText), or SHA-256 in lower case. Send one of them.")
        case .methodMalformed:
            S3Answer(
                "MethodNotAllowed", 405, "The method is not in capital letters. Use one of S3's.")
        case .fieldMalformed:
            S3Answer(
                "InvalidRequest", 400,
                "A header field holds a character that no field may hold. Encode it.")
        case .tooLarge(let part, let limit):
            S3Answer(
                "RequestHeaderSectionTooLarge", 400,
                "The request is too large: \(part.rawValue), may be \(limit). Send less.")
        case .keyUnavailable(.memoryExhausted):
            S3Answer(
                "SlowDown", 503,
                "The memory for signing keys is used up at the moment. Try again later.")
        case .keyUnavailable(.secretLength):
            S3Answer(
                "InternalError", 500,
                "The secret of this access key ID has a length that is not supported. Have it "
                    + "replaced by one of 1 to \(RequestLimits.secretBytesMax) bytes.")
        default:
            S3Answer(
                "InvalidURI", 400,
                "The request target cannot be read. Send a path that starts with / and encode "
                    + "everything but unreserved characters.")
        }
    }
}

extension AuthorizationFault {
    fileprivate func text(_ form: AuthorizationForm) -> String {
        switch self {
        case .missing(let part): "\(part.name(form)) is missing, send it"
        case .malformed(let part): "\(part.name(form)) must be once and \(part.shape)"
        case .unknownPart:
            "it has a part that is none of Credential, SignedHeaders and Signature, leave it out"
        case .wrongRegion(let expected): "the region is wrong, use '\(expected)'"
        case .wrongService: "the service is wrong, use '\(SigningScope.s3)'"
        case .wrongTerminator: "the credential must end with '\(SigningScope.terminator)'"
        case .dateMismatch: "the credential's date must be the request's"
        }
    }
}

extension AuthorizationPart {
    fileprivate func name(_ form: AuthorizationForm) -> String {
        form == .query ? "X-Amz-" + rawValue : rawValue
    }

    fileprivate var shape: String {
        switch self {
        case .algorithm: SigningText.algorithm
        case .credential: "ACCESS-KEY-ID/yyyyMMdd/REGION/s3/aws4_request"
        case .signedHeaders: "names in lower case, sorted, with a semicolon between them"
        case .signature: "64 hexadecimal digits in lower case"
        case .date: "yyyyMMdd'T'HHmmss'Z'"
        case .expires: "a number of seconds from 1 to 604800"
        }
    }
}
