// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import NIOHTTP1
package import ObjectStorePorts
internal import RequestSignature
internal import S3Format

extension S3HTTP {
    package func passOn(
        _ request: PassedRequest
    ) async throws(ObjectStoreFailure) -> PassedAnswer {
        guard request.operation.isPassedThrough else {
            throw .refused(code: S3ErrorCode.notImplemented.rawValue, status: 501)
        }
        guard request.body.count <= ObjectStoreLimits.passedBytesMax else { throw .tooLarge }
        let method = HTTPMethod(rawValue: request.operation.method)
        let isRead = method == .GET || method == .HEAD
        var call = S3Call(
            method, request.target.bucket, request.target.key,
            query: request.query.map { QueryItem($0.name, $0.value) }, fields: request.headers,
            document: request.body.isEmpty ? nil : request.body,
            isRead ? .always : .ifWithoutEffect)
        call.keepsRefusals = true
        let sent = call
        return try await repeating(sent) { (_) async throws(ObjectStoreFailure) in
            let response = try await self.open(sent)
            let body = try await self.collect(
                response, limit: ObjectStoreLimits.passedBytesMax)
            // Not an answer to the client, who has signed nothing of this.
            let status = Int(response.status.code)
            if status >= 300, let failure = self.passedFailure(status, response.headers, body, sent)
            {
                throw failure
            }
            let headers = S3Headers(response.headers.map { S3Headers.Field($0.name, $0.value) })
            return PassedAnswer(status: status, headers: headers.passedBack, body: body)
        }
    }

    /// nil: it is the client's business.
    private func passedFailure(
        _ status: Int, _ headers: HTTPHeaders, _ body: [UInt8], _ call: S3Call
    ) -> ObjectStoreFailure? {
        let failure = refusal(status, headers, body, call)
        switch failure {
        case .credentialRefused, .slowDown, .serverError, .timedOut, .responseMalformed:
            return failure
        case .refused(_, 300..<400): return failure
        default: return nil
        }
    }
}
