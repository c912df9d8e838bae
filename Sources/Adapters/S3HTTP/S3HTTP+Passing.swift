// SPDX-License-Identifier: Apache-2.0
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
        return try await repeating(sent) { (_, end) async throws(ObjectStoreFailure) in
            let answer = try await self.ask(
                sent, .all(bytesMax: ObjectStoreLimits.passedBytesMax), by: end)
            // Not an answer to the client, who has signed nothing of this.
            if answer.status >= 300, let failure = self.passedFailure(answer, sent) {
                throw failure
            }
            let headers = S3Headers(answer.headers.map { S3Headers.Field($0.name, $0.value) })
            return PassedAnswer(
                status: answer.status, headers: headers.passedBack, body: answer.body)
        }
    }

    /// nil: it is the client's business.
    private func passedFailure(_ answer: StoreAnswer, _ call: S3Call) -> ObjectStoreFailure? {
        let failure = refusal(answer.status, answer.headers, answer.body, call)
        switch failure {
        case .credentialRefused, .slowDown, .serverError, .timedOut, .responseMalformed:
            return failure
        case .refused(_, 300..<400): return failure
        default: return nil
        }
    }
}
