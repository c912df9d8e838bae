// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import ObjectStorePorts
internal import S3Format

// MARK: - Below HTTP

extension S3HTTP {
    private static let detailCharactersMax = 256

    /// What went wrong below HTTP. No text of an error that could quote a header gets through.
    func failure(_ error: any Error) -> ObjectStoreFailure {
        if let failure = error as? ObjectStoreFailure { return failure }
        if error is CancellationError { return .cancelled }
        if let error = error as? HTTPClientError { return failure(error) }
        if let error = error as? NIOSSLError, case .uncleanShutdown = error { return lost }
        if error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError {
            return .tlsFailed(
                host: endpoint.host, detail: String("\(error)".prefix(Self.detailCharactersMax)))
        }
        if let error = error as? NIOConnectionError {
            return unreachable(
                error.connectionErrors.isEmpty ? "its name is not known" : "cannot connect")
        }
        if error is HTTPParserError { return .responseMalformed(detail: "is no HTTP") }
        if let error = error as? IOError {
            let isBefore = [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL, EMFILE]
                .contains(error.errnoCode)
            return isBefore ? unreachable("error \(error.errnoCode)") : lost
        }
        return lost
    }

    private func failure(_ error: HTTPClientError) -> ObjectStoreFailure {
        switch error {
        case .cancelled: .cancelled
        case .deadlineExceeded, .readTimeout, .writeTimeout: .timedOut(host: endpoint.host)
        // The request has not left.
        case .connectTimeout: unreachable("it does not answer")
        case .tlsHandshakeTimeout: unreachable("TLS does not come to an end")
        case .getConnectionFromPoolTimeout: unreachable("no connection became free")
        default: lost
        }
    }

    private var lost: ObjectStoreFailure { .connectionLost(host: endpoint.host) }

    private func unreachable(_ detail: String) -> ObjectStoreFailure {
        .unreachable(host: endpoint.host, detail: detail)
    }
}

// MARK: - Answers

extension S3HTTP {
    /// What an answer that is no success means.
    func refusal(
        _ status: Int, _ headers: HTTPHeaders, _ body: [UInt8], _ call: S3Call
    ) -> ObjectStoreFailure {
        let document = try? S3ErrorDocument(body)
        let code = Self.code(document?.code)
        let isMarker = headers.first(name: "x-amz-delete-marker") == "true"
        switch (status, code) {
        case (304, _):
            return .notModified(tag: headers.first(name: "etag").map(Self.tag))
        case (404, "NoSuchKey"), (404, ""):
            if isMarker {
                return .deleted(markerVersionID: headers.first(name: "x-amz-version-id"))
            }
            return code.isEmpty ? absent(call) : .noSuchKey
        case (405, _) where isMarker: return .isDeleteMarker
        case (416, "InvalidRange"), (416, ""):
            return .rangeUnsatisfiable(size: Self.size(headers, document))
        default: break
        }
        let retryAfter = headers.first(name: "retry-after").flatMap { Int($0) }
        return meaning(code, status: status, retryAfter: retryAfter)
            ?? meaning(ofStatus: status, code: code, retryAfter: retryAfter)
    }

    /// What an `Error` means that stands where a result should.
    func failure(_ error: S3DocumentFailure) -> ObjectStoreFailure {
        switch error {
        case .malformed(let detail): return .responseMalformed(detail: detail)
        case .error(let document):
            let code = Self.code(document.code)
            // Without a status of its own; what is not known is refused.
            let status = document.known?.status ?? 400
            return meaning(code, status: status, retryAfter: nil)
                ?? meaning(ofStatus: status, code: code, retryAfter: nil)
        }
    }

    /// By S3's code; nil: it says no more than the status.
    func meaning(_ code: String, status: Int, retryAfter: Int?) -> ObjectStoreFailure? {
        switch code {
        case "NoSuchBucket": .noSuchBucket
        case "NoSuchKey": .noSuchKey
        case "NoSuchVersion": .noSuchVersion
        case "NoSuchUpload": .noSuchUpload
        case "PreconditionFailed": .preconditionFailed
        case "OperationAborted", "ConditionalRequestConflict": .conflict
        case "InvalidPart": .invalidPart
        case "InvalidPartOrder": .invalidPartOrder
        case "EntityTooSmall": .partTooSmall
        case "EntityTooLarge": .tooLarge
        case "AccessDenied", "AllAccessDisabled": .accessDenied
        case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
            "RequestTimeTooSkewed", "RequestExpired", "TokenRefreshRequired", "InvalidSecurity",
            "AuthorizationHeaderMalformed", "MissingSecurityHeader", "NotSignedUp",
            "AccountProblem":
            .credentialRefused(code: code)
        case "SlowDown", "ServiceUnavailable", "RequestLimitExceeded", "TooManyRequests",
            "Throttling", "ThrottlingException":
            .slowDown(retryAfterSeconds: retryAfter)
        // The body did not come in time, or not whole as the server sees it.
        case "RequestTimeout": .timedOut(host: endpoint.host)
        case "InternalError": .serverError(status: max(status, 500))
        // 501: to ask again is of no use.
        case "NotImplemented": .refused(code: code, status: status)
        default: nil
        }
    }

    private func meaning(
        ofStatus status: Int, code: String, retryAfter: Int?
    ) -> ObjectStoreFailure {
        switch status {
        case 401: .credentialRefused(code: code)
        case 403: .accessDenied
        case 408: .timedOut(host: endpoint.host)
        case 409 where code.isEmpty: .conflict
        case 412: .preconditionFailed
        case 413: .tooLarge
        case 429: .slowDown(retryAfterSeconds: retryAfter)
        case 501: .refused(code: code, status: status)
        case 500...599: .serverError(status: status)
        // Redirects too: nobody is followed.
        case 300...499: .refused(code: code, status: status)
        default: .responseMalformed(detail: "status \(status)")
        }
    }

    /// 404 without a document.
    private func absent(_ call: S3Call) -> ObjectStoreFailure {
        if call.asks("uploadId") { return .noSuchUpload }
        guard call.key != nil else { return .noSuchBucket }
        return call.asks("versionId") ? .noSuchVersion : .noSuchKey
    }

    /// Letters and digits; empty: none, or something else.
    private static func code(_ text: String?) -> String {
        guard let text, text.utf8.count <= 64,
            text.utf8.allSatisfy({ byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                    || (0x61...0x7A).contains(byte)
            })
        else { return "" }
        return text
    }

    /// Of an object that does not have the range: from the document, or from `bytes */10`.
    private static func size(_ headers: HTTPHeaders, _ document: S3ErrorDocument?) -> Int64? {
        let detail = document?.details.first { $0.name == "ActualObjectSize" }
        if let size = detail.flatMap({ Int64($0.value) }) { return size }
        let range = headers.first(name: "content-range")
        return range?.split(separator: "/").last.flatMap { Int64($0) }
    }
}
