// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import S3Format
internal import ServedHTTP

extension S3Proxy {
    /// What has nothing to do with content, size, entity tag or key goes on as it is, signed by the
    /// proxy. The store's answer comes back as it is, its refusals too.
    func passOn(_ exchange: Exchange) async throws(Refusal) {
        let body = try await exchange.body.collected(
            bytesMax: ObjectStoreLimits.passedBytesMax)
        let answer: PassedAnswer
        do throws(ObjectStoreFailure) {
            answer = try await store.passOn(PassedRequest(exchange.request, body: body))
        } catch { throw .store(error) }
        var fields = answer.headers.map { HeaderField($0.name, $0.value) }
        // The answer to a HEAD is as long as it says, and has no body here.
        if answer.status != 204, answer.status != 304 {
            fields.append(HeaderField("Content-Length", String(answer.body.count)))
        }
        try await exchange.begin(answer.status, fields)
        try await exchange.write(answer.body)
        try await exchange.end()
    }
}
