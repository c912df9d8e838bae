// SPDX-License-Identifier: Apache-2.0

/// How a request proves who sent it.
package enum AuthorizationForm: Sendable, Equatable {
    /// The header field `Authorization`.
    case header
    /// Parameters of the query: a presigned URL.
    case query
}

/// What is wrong with the parts of an authorization.
package enum AuthorizationFault: Sendable, Equatable {
    case missing(AuthorizationPart)
    /// Not as the reference has it, or there more than once.
    case malformed(AuthorizationPart)
    /// Something that is none of the parts.
    case unknownPart
    case wrongRegion(expected: String)
    case wrongService
    case wrongTerminator
    /// The credential's date is not the request's.
    case dateMismatch
}

/// A part of an authorization, by the name that both forms share.
package enum AuthorizationPart: String, Sendable, CaseIterable {
    case algorithm = "Algorithm"
    case credential = "Credential"
    case signedHeaders = "SignedHeaders"
    case signature = "Signature"
    case date = "Date"
    case expires = "Expires"
}

/// A part of a request with a limit of its own.
package enum RequestPart: String, Sendable, CaseIterable {
    case target = "the request target, in bytes"
    case queryItems = "the number of query parameters"
    case fields = "the number of header fields"
    case fieldBytes = "all header fields together, in bytes"
}

/// Why a request is refused. Closed; `answer` says what the client is told.
package enum SignatureRefusal: Error, Sendable, Equatable {
    /// No authorization at all.
    case anonymous
    /// In the header and in the query.
    case twoMechanisms
    /// Signature version 2, asymmetric signatures, or another scheme.
    case unsupportedMechanism
    case malformed(AuthorizationFault, AuthorizationForm)
    /// Neither `x-amz-date` nor `Date` in a form that can be read.
    case dateUnreadable
    /// The request's time is too far from ours.
    case timeTooSkewed
    case notYetValid
    case expired
    case unknownAccessKey
    /// Wrong, missing, or there though the access key has none.
    case sessionTokenMismatch
    /// A header field that has to be signed and is not.
    case fieldUnsigned(name: String)
    /// A field that was signed and is not there.
    case signedFieldMissing(name: String)
    case hostMissing
    case contentHashMissing
    case contentHashMalformed
    case signatureMismatch
    case targetMalformed
    case methodMalformed
    case fieldMalformed
    case tooLarge(RequestPart, limit: Int)
    /// What the header fields say of the body.
    case body(BodyRefusal)
    /// Ours, not the client's: no signing key could be made.
    case keyUnavailable(SigningKeyFailure)
}

/// Why a body is refused. Closed; `answer` says what the client is told.
package enum BodyRefusal: Error, Sendable, Equatable {
    case decodedLengthMissing
    case decodedLengthMalformed
    case tooLarge(limitBytes: Int)
    /// `x-amz-content-sha256` announces a trailer, `x-amz-trailer` names none.
    case trailerUndeclared
    /// `x-amz-trailer` where there is no trailer.
    case trailerUnexpected
    /// Not one of the checksums.
    case trailerUnsupported
    /// The framing of chunks is broken.
    case framingMalformed
    /// The body ended inside its framing.
    case truncated
    /// A chunk with a signature, longer than is kept for its verification.
    case chunkTooLarge(limitBytes: Int)
    /// Not the last chunk, and shorter than S3 allows.
    case chunkTooSmall(byteCount: Int)
    case chunkSignatureMismatch
    /// More or fewer bytes than `x-amz-decoded-content-length` says.
    case decodedLengthMismatch
    case trailerMalformed
    /// The announced checksum did not come.
    case trailerMissing
    case trailerSignatureMismatch
    /// In a header field or a trailer: not base64, or of another length.
    case checksumMalformed(name: String)
    case checksumMismatch(name: String)
    /// More than one `x-amz-checksum-…`.
    case severalChecksums
    /// Not the body that `x-amz-content-sha256` names.
    case contentHashMismatch
    /// A refused body takes no more bytes.
    case alreadyRefused
}
