// SPDX-License-Identifier: Apache-2.0
internal import NIOHTTP1
package import ObjectStorePorts
internal import RequestSignature
package import S3Format

extension S3HTTP {
    package func createUpload(
        _ location: ObjectLocation, _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectUpload {
        let answer = try await perform(
            S3Call(
                .POST, location.latest, query: [QueryItem("uploads")],
                fields: Self.fields(write), .ifWithoutEffect))
        let created = try document(answer.body) { bytes throws(S3DocumentFailure) in
            try S3CreatedUpload(bytes)
        }
        return ObjectUpload(location, id: created.uploadID)
    }

    package func copyPart(
        _ upload: ObjectUpload, _ number: Int, from source: ObjectVersion, _ range: Range<Int64>?,
        _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> S3EntityTag {
        var fields = Self.copySource(source, conditions)
        if let range {
            guard !range.isEmpty else {
                throw .refused(code: S3ErrorCode.invalidArgument.rawValue, status: 400)
            }
            fields.append(
                S3Headers.Field(
                    "x-amz-copy-source-range",
                    S3ByteRange.from(range.lowerBound, through: range.upperBound - 1).header))
        }
        let answer = try await perform(
            S3Call(
                .PUT, upload, query: [QueryItem("partNumber", String(number))], fields: fields,
                .always), isCopy: true)
        let result = try document(answer.body) { bytes throws(S3DocumentFailure) in
            try S3CopyResult(bytes, isPart: true)
        }
        return Self.tag(result.tag.text)
    }

    package func completeUpload(
        _ upload: ObjectUpload, _ parts: [S3NamedPart], _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        let answer = try await perform(
            S3Call(
                .POST, upload, fields: conditions.headers(),
                document: S3CompleteRequest(parts: parts).rendered(), .ifWithoutEffect))
        let completed = try document(answer.body) { bytes throws(S3DocumentFailure) in
            try S3CompletedUpload(bytes)
        }
        return ObjectWritten(
            tag: Self.tag(completed.tag.text), versionID: Self.versionID(answer.headers))
    }

    package func abortUpload(_ upload: ObjectUpload) async throws(ObjectStoreFailure) {
        let call = S3Call(.DELETE, upload, .always)
        _ = try await repeating(call) { mayBeDone, end async throws(ObjectStoreFailure) in
            do throws(ObjectStoreFailure) {
                _ = try await self.ask(call, .document(bytesMax: Self.errorBytesMax), by: end)
            } catch {
                // An attempt before may have been what made it go.
                guard mayBeDone, error == .noSuchUpload else { throw error }
            }
        }
    }
}
