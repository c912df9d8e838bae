// SPDX-License-Identifier: Apache-2.0
internal import NIOHTTP1
package import ObjectStorePorts
internal import RequestSignature
package import S3Format

extension S3HTTP {
    // MARK: - Deletions

    package func delete(
        _ version: ObjectVersion, _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectDeletion {
        let fields = S3Conditions(ifMatch: conditions.ifMatch).headers()
        let answer = try await perform(
            S3Call(.DELETE, version, fields: fields, fields.isEmpty ? .always : .ifWithoutEffect))
        return ObjectDeletion(
            versionID: Self.versionID(answer.headers),
            isMarker: answer.headers.first(name: "x-amz-delete-marker") == "true")
    }

    package func delete(
        _ entries: [S3DeleteRequest.Entry], in bucket: S3Bucket
    ) async throws(ObjectStoreFailure) -> [ObjectDeletionOutcome] {
        guard !entries.isEmpty else { return [] }
        guard entries.count <= S3Limits.deleteKeysMax else {
            throw .refused(code: S3ErrorCode.malformedXML.rawValue, status: 400)
        }
        let hasConditions = entries.contains { $0.tag != nil }
        let answer = try await perform(
            S3Call(
                .POST, bucket, query: [QueryItem("delete")],
                document: S3DeleteRequest(entries: entries).rendered(),
                hasConditions ? .ifWithoutEffect : .always))
        let result = try document(answer.body) { bytes throws(S3DocumentFailure) in
            try S3DeleteResult(bytes)
        }
        return outcomes(entries, result)
    }

    private struct Wanted: Hashable {
        let key: S3Key
        let versionID: String?
    }

    /// Servers answer in any order.
    private func outcomes(
        _ entries: [S3DeleteRequest.Entry], _ result: S3DeleteResult
    ) -> [ObjectDeletionOutcome] {
        var results: [Wanted: Result<ObjectDeletion, ObjectStoreFailure>] = [:]
        for entry in result.entries {
            switch entry {
            case .deleted(let key, let versionID, let isMarker, let marker):
                results[Wanted(key: key, versionID: versionID)] = .success(
                    ObjectDeletion(
                        versionID: isMarker ? marker ?? versionID : versionID, isMarker: isMarker))
            case .failed(let key, let versionID, let code, _):
                results[Wanted(key: key, versionID: versionID)] = .failure(
                    failure(.error(S3ErrorDocument(code: code, message: ""))))
            }
        }
        return entries.map { entry in
            // Some name no version, some one where none was asked for.
            let result =
                results[Wanted(key: entry.key, versionID: entry.versionID)]
                ?? results[Wanted(key: entry.key, versionID: nil)]
                ?? results.first { $0.key.key == entry.key && entry.versionID == nil }?.value
            return ObjectDeletionOutcome(
                entry: entry,
                result: result ?? .failure(.responseMalformed(detail: "a key without an outcome")))
        }
    }

    // MARK: - Copies

    package func copy(
        _ source: ObjectVersion, _ conditions: S3Conditions, to location: ObjectLocation,
        _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        var fields = Self.copySource(source, conditions)
        fields.append(S3Headers.Field("x-amz-metadata-directive", "REPLACE"))
        if write.tagging != nil {
            fields.append(S3Headers.Field("x-amz-tagging-directive", "REPLACE"))
        }
        fields += Self.fields(write) + write.conditions.headers()
        let answer = try await perform(
            S3Call(.PUT, location.latest, fields: fields, .ifWithoutEffect), isCopy: true)
        let result = try document(answer.body) { bytes throws(S3DocumentFailure) in
            try S3CopyResult(bytes)
        }
        return ObjectWritten(
            tag: Self.tag(result.tag.text), versionID: Self.versionID(answer.headers))
    }

    static func copySource(
        _ source: ObjectVersion, _ conditions: S3Conditions
    ) -> [S3Headers.Field] {
        let named = S3CopySource(
            bucket: source.location.bucket, key: source.location.key, versionID: source.id)
        return [S3Headers.Field(S3CopySource.header, named.headerValue)]
            + conditions.headers(prefix: S3Conditions.copySourcePrefix)
    }

    /// Some servers say 304 of a source's condition.
    func perform(_ call: S3Call, isCopy: Bool) async throws(ObjectStoreFailure) -> StoreAnswer {
        do throws(ObjectStoreFailure) { return try await perform(call) } catch {
            if case .notModified = error { throw .preconditionFailed }
            throw error
        }
    }

    // MARK: - Tags

    package func tags(_ version: ObjectVersion) async throws(ObjectStoreFailure) -> S3Tagging {
        let answer = try await perform(S3Call(.GET, version, query: [QueryItem("tagging")]))
        return try document(answer.body) { bytes throws(S3DocumentFailure) in
            try S3Tagging(bytes)
        }
    }

    package func setTags(
        _ version: ObjectVersion, _ tagging: S3Tagging
    ) async throws(ObjectStoreFailure) {
        _ = try await perform(
            S3Call(
                .PUT, version, query: [QueryItem("tagging")], document: tagging.rendered()))
    }

    package func removeTags(_ version: ObjectVersion) async throws(ObjectStoreFailure) {
        _ = try await perform(S3Call(.DELETE, version, query: [QueryItem("tagging")]))
    }

    // MARK: - Documents

    func document<Value>(
        _ bytes: [UInt8], _ read: ([UInt8]) throws(S3DocumentFailure) -> Value
    ) throws(ObjectStoreFailure) -> Value {
        do throws(S3DocumentFailure) { return try read(bytes) } catch { throw failure(error) }
    }
}
