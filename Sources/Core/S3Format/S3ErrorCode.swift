// SPDX-License-Identifier: Apache-2.0

/// The codes that a client may be answered with
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
package enum S3ErrorCode: String, Sendable, Hashable, CaseIterable {
    case accessDenied = "AccessDenied"
    case authorizationHeaderMalformed = "AuthorizationHeaderMalformed"
    case authorizationQueryParametersError = "AuthorizationQueryParametersError"
    case badDigest = "BadDigest"
    case badRequest = "BadRequest"
    case bucketAlreadyExists = "BucketAlreadyExists"
    case bucketAlreadyOwnedByYou = "BucketAlreadyOwnedByYou"
    case bucketNotEmpty = "BucketNotEmpty"
    case conditionalRequestConflict = "ConditionalRequestConflict"
    case entityTooLarge = "EntityTooLarge"
    case entityTooSmall = "EntityTooSmall"
    case expiredToken = "ExpiredToken"
    case illegalLocationConstraint = "IllegalLocationConstraintException"
    case incompleteBody = "IncompleteBody"
    case internalError = "InternalError"
    case invalidAccessKeyID = "InvalidAccessKeyId"
    case invalidArgument = "InvalidArgument"
    case invalidBucketName = "InvalidBucketName"
    case invalidBucketState = "InvalidBucketState"
    case invalidChunkSize = "InvalidChunkSizeError"
    case invalidDigest = "InvalidDigest"
    case invalidObjectState = "InvalidObjectState"
    case invalidPart = "InvalidPart"
    case invalidPartNumber = "InvalidPartNumber"
    case invalidPartOrder = "InvalidPartOrder"
    case invalidRange = "InvalidRange"
    case invalidRequest = "InvalidRequest"
    case invalidStorageClass = "InvalidStorageClass"
    case invalidTag = "InvalidTag"
    case invalidToken = "InvalidToken"
    case invalidURI = "InvalidURI"
    case keyTooLong = "KeyTooLongError"
    case malformedTrailer = "MalformedTrailerError"
    case malformedXML = "MalformedXML"
    case metadataTooLarge = "MetadataTooLarge"
    case methodNotAllowed = "MethodNotAllowed"
    case missingContentLength = "MissingContentLength"
    case missingRequestBody = "MissingRequestBodyError"
    case missingSecurityHeader = "MissingSecurityHeader"
    case noSuchBucket = "NoSuchBucket"
    case noSuchKey = "NoSuchKey"
    case noSuchUpload = "NoSuchUpload"
    case noSuchVersion = "NoSuchVersion"
    case notImplemented = "NotImplemented"
    case operationAborted = "OperationAborted"
    case preconditionFailed = "PreconditionFailed"
    case requestTimeTooSkewed = "RequestTimeTooSkewed"
    case requestTimeout = "RequestTimeout"
    case serviceUnavailable = "ServiceUnavailable"
    case signatureDoesNotMatch = "SignatureDoesNotMatch"
    case slowDown = "SlowDown"
    case contentHashMismatch = "XAmzContentSHA256Mismatch"
}

extension S3ErrorCode {
    /// Of the answer's status line.
    package var status: Int {
        switch self {
        case .accessDenied, .invalidAccessKeyID, .invalidObjectState, .requestTimeTooSkewed,
            .signatureDoesNotMatch:
            403
        case .noSuchBucket, .noSuchKey, .noSuchUpload, .noSuchVersion: 404
        case .methodNotAllowed: 405
        case .bucketAlreadyExists, .bucketAlreadyOwnedByYou, .bucketNotEmpty,
            .conditionalRequestConflict, .invalidBucketState, .operationAborted:
            409
        case .missingContentLength: 411
        case .preconditionFailed: 412
        case .invalidRange, .invalidPartNumber: 416
        case .internalError: 500
        case .notImplemented: 501
        case .serviceUnavailable, .slowDown: 503
        default: 400
        }
    }

    /// What is said when nothing better is known.
    package var message: String {
        switch self {
        case .accessDenied: "Access Denied"
        case .authorizationHeaderMalformed: "The authorization header is malformed."
        case .authorizationQueryParametersError:
            "The query parameters of the signature are malformed."
        case .badDigest: "The checksum that was sent does not match what was received."
        case .badRequest: "Bad Request"
        case .bucketAlreadyExists: "A bucket of this name exists already."
        case .bucketAlreadyOwnedByYou: "You own a bucket of this name already."
        case .bucketNotEmpty: "The bucket is not empty."
        case .conditionalRequestConflict:
            "Another request for this key was in progress; try again."
        case .entityTooLarge: "The upload is larger than is allowed."
        case .entityTooSmall: "A part that is not the last is smaller than is allowed."
        case .expiredToken: "The session token has expired."
        case .illegalLocationConstraint: "The location does not fit this endpoint."
        case .incompleteBody: "The body is shorter than the Content-Length says."
        case .internalError: "We encountered an internal error. Please try again."
        case .invalidAccessKeyID: "The access key id is not known."
        case .invalidArgument: "Invalid Argument"
        case .invalidBucketName: "The specified bucket is not valid."
        case .invalidBucketState: "The bucket is not in a state for this request."
        case .invalidChunkSize: "A chunk of the body has a size that is not allowed."
        case .invalidDigest: "The checksum that was sent is not valid."
        case .invalidObjectState: "The object is in a storage class that cannot be read at once."
        case .invalidPart: "A part was not found, or its entity tag does not match."
        case .invalidPartNumber: "The object has no part of this number."
        case .invalidPartOrder: "The parts are not in ascending order."
        default: laterMessage
        }
    }

    /// The second half of `message`, so that a function fits a page.
    private var laterMessage: String {
        switch self {
        case .invalidRange: "The requested range is not satisfiable"
        case .invalidRequest: "Invalid Request"
        case .invalidStorageClass: "The storage class is not valid."
        case .invalidTag: "A tag is not valid."
        case .invalidToken: "The session token is malformed."
        case .invalidURI: "Couldn't parse the specified URI."
        case .keyTooLong: "Your key is too long"
        case .malformedTrailer: "The trailer of the body is malformed."
        case .malformedXML: "The XML is not well-formed or not of the form that is expected."
        case .metadataTooLarge: "The metadata headers are larger than is allowed."
        case .methodNotAllowed: "The specified method is not allowed against this resource."
        case .missingContentLength: "You must provide the Content-Length HTTP header."
        case .missingRequestBody: "Request body is empty."
        case .missingSecurityHeader: "The request misses a header that it needs."
        case .noSuchBucket: "The specified bucket does not exist"
        case .noSuchKey: "The specified key does not exist."
        case .noSuchUpload: "The upload does not exist: it may have been aborted or completed."
        case .noSuchVersion: "The specified version does not exist."
        case .notImplemented:
            "A header or parameter you provided implies functionality that is not implemented"
        case .operationAborted: "A conflicting operation is in progress; try again."
        case .preconditionFailed: "A condition of the request does not hold."
        case .requestTimeTooSkewed: "The request's time differs too much from the server's."
        case .requestTimeout: "The body did not arrive in time."
        case .serviceUnavailable: "Please reduce your request rate."
        case .signatureDoesNotMatch:
            "The request signature we calculated does not match the signature you provided."
        case .slowDown: "Please reduce your request rate."
        case .contentHashMismatch: "x-amz-content-sha256 does not match the body's hash."
        default: rawValue
        }
    }
}
