// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import S3Format
internal import SealedObject
internal import ServedHTTP

extension S3Proxy {
    /// What has nothing to do with content, size, entity tag or key goes on as it is, signed by the
    /// proxy. The store's answer comes back as it is, its refusals too.
    func passOn(_ exchange: Exchange) async throws(Refusal) {
        let body = try await exchange.body.collected(
            bytesMax: ObjectStoreLimits.passedBytesMax)
        let request = PassedRequest(exchange.request, body: body)
        let isDeletion = exchange.request.operation == .deleteBucket
        let answer: PassedAnswer
        do throws(ObjectStoreFailure) {
            let first = try await store.passOn(request)
            let isNotEmpty = isDeletion && first.status == S3ErrorCode.bucketNotEmpty.status
            answer = isNotEmpty ? try await emptied(exchange, request) ?? first : first
        } catch { throw .store(error) }
        if isDeletion, let bucket = exchange.request.target.bucket { keys.forget(bucket) }
        var fields = answer.headers.map { HeaderField($0.name, $0.value) }
        // The answer to a HEAD is as long as it says, and has no body here.
        if answer.status != 204, answer.status != 304 {
            fields.append(HeaderField("Content-Length", String(answer.body.count)))
        }
        try await exchange.begin(answer.status, fields)
        try await exchange.write(answer.body)
        try await exchange.end()
    }

    /// Tables of keys that are cleared away with their bucket.
    private static var tableEntriesMax: Int { S3Limits.deleteKeysMax }

    /// A bucket that clients have emptied still has its table of keys, which they cannot delete. It
    /// is deleted when nothing else is there, and put back when the bucket is not empty after all:
    /// somebody may have written in between.
    ///
    /// - Returns: nil: the bucket has other objects.
    private func emptied(
        _ exchange: Exchange, _ request: PassedRequest
    ) async throws(ObjectStoreFailure) -> PassedAnswer? {
        guard let bucket = exchange.request.target.bucket else { return nil }
        let page = try await store.list(bucket, ObjectQuery())
        let isOwn = page.objects.allSatisfy { settings.rules.isReserved($0.key) }
        guard isOwn, page.next == nil, !page.objects.isEmpty,
            page.objects.count <= Self.tableEntriesMax
        else { return nil }
        var entries: [(ObjectLocation, [UInt8])] = []
        for object in page.objects {
            let location = ObjectLocation(bucket, object.key)
            entries.append(
                (
                    location,
                    try await store.smallObject(
                        location, bytesMax: SealedObjectLimits.envelopeTextBytesMax)
                ))
        }
        _ = try await store.delete(
            page.objects.map { S3DeleteRequest.Entry(key: $0.key) }, in: bucket)
        let answer = try await store.passOn(request)
        guard answer.status >= 300 else { return answer }
        for (location, bytes) in entries {
            try await store.putSmall(bytes, at: location)
        }
        return answer
    }
}
