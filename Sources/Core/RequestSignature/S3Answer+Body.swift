// SPDX-License-Identifier: Apache-2.0

extension BodyRefusal {
    package var answer: S3Answer {
        switch self {
        case .decodedLengthMissing, .decodedLengthMalformed, .tooLarge, .chunkTooLarge,
            .chunkTooSmall:
            lengthAnswer
        case .trailerUndeclared, .trailerUnexpected, .trailerUnsupported, .trailerMalformed,
            .trailerMissing, .severalChecksums, .checksumMalformed, .checksumMismatch:
            trailerAnswer
        case .chunkSignatureMismatch:
            S3Answer(
                "SignatureDoesNotMatch", 403,
                "The signature of a chunk does not match its data. Check that nothing changes "
                    + "the body on its way.")
        case .trailerSignatureMismatch:
            S3Answer(
                "SignatureDoesNotMatch", 403,
                "The signature of the trailer does not match it. Check that nothing changes the "
                    + "body on its way.")
        case .contentHashMismatch:
            S3Answer(
                "XAmzContentSHA256Mismatch", 400,
                "The body does not have the hash that \(Payload.contentField) names. Send the "
                    + "body that was signed.")
        case .decodedLengthMismatch:
            S3Answer(
                "IncompleteBody", 400,
                "The body has more or fewer bytes than \(Payload.decodedLengthField) says. Send "
                    + "as many as announced.")
        case .truncated:
            S3Answer(
                "IncompleteBody", 400, "The body ended inside a chunk or trailer. Send it again.")
        case .framingMalformed:
            S3Answer(
                "IncompleteBody", 400, "The body is not in chunks as aws-chunked has them.")
        case .alreadyRefused:
            S3Answer("InternalError", 500, "The body was refused before. Send it again.")
        }
    }

    private var lengthAnswer: S3Answer {
        switch self {
        case .decodedLengthMalformed:
            S3Answer(
                "InvalidArgument", 400,
                "\(Payload.decodedLengthField) is not a number. Send the body's length without "
                    + "its framing.")
        case .tooLarge(let limit):
            S3Answer(
                "EntityTooLarge", 400,
                "The body is longer than \(limit) bytes. Upload it in parts.")
        case .chunkTooLarge(let limit):
            S3Answer(
                "InvalidRequest", 400,
                "A signed chunk is longer than \(limit) bytes. Use shorter chunks.")
        case .chunkTooSmall(let count):
            S3Answer(
                "InvalidChunkSizeError", 403,
                "A chunk has \(count) bytes. Only the last one may be shorter than "
                    + "\(ChunkedBodyLimits.chunkBytesMin).")
        default:
            S3Answer(
                "MissingContentLength", 411,
                "The request has no header field \(Payload.decodedLengthField). Send the body's "
                    + "length without its framing.")
        }
    }

    private var trailerAnswer: S3Answer {
        switch self {
        case .trailerUndeclared:
            S3Answer(
                "MalformedTrailerError", 400,
                "The request has no header field \(Payload.trailerField). Name the trailer.")
        case .trailerUnexpected:
            S3Answer(
                "MalformedTrailerError", 400,
                "\(Payload.trailerField) names a trailer and \(Payload.contentField) none. Use a "
                    + "value that ends with -TRAILER.")
        case .trailerUnsupported:
            S3Answer(
                "InvalidRequest", 400,
                "\(Payload.trailerField) is not supported. Name one x-amz-checksum- field of "
                    + "CRC32, CRC32C, CRC64NVME, SHA1 or SHA256.")
        case .trailerMissing:
            S3Answer(
                "MalformedTrailerError", 400,
                "The trailer that \(Payload.trailerField) names did not come. Send it.")
        case .severalChecksums:
            S3Answer(
                "InvalidRequest", 400, "The request has more than one checksum. Send only one.")
        case .checksumMalformed(let name):
            S3Answer(
                "InvalidRequest", 400,
                "The \(name) value is not base64 of the length it has to have. Send it again.")
        case .checksumMismatch(let name):
            S3Answer(
                "BadDigest", 400,
                "The \(name) of the body is not the one in the request. Send the body again.")
        default:
            S3Answer(
                "MalformedTrailerError", 400,
                "The trailer cannot be read, or is not the one that \(Payload.trailerField) "
                    + "names. Send NAME:VALUE on a line of its own.")
        }
    }
}
