// SPDX-License-Identifier: Apache-2.0
package import ObjectStorePorts
package import S3Format

/// A store that does a few things in its own way and passes the rest on.
package protocol ForwardingObjectStore: ObjectStore {
    var store: any ObjectStore { get }
}

extension ForwardingObjectStore {
    package func put(
        _ location: ObjectLocation, _ body: ObjectBody, _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        try await store.put(location, body, write)
    }

    package func read<Outcome: Sendable>(
        _ version: ObjectVersion, _ range: S3ByteRange?, _ conditions: S3Conditions,
        _ receive: (ObjectAnswer, any ObjectStream) async throws(ObjectStoreFailure) -> Outcome
    ) async throws(ObjectStoreFailure) -> Outcome {
        try await store.read(version, range, conditions, receive)
    }

    package func head(
        _ version: ObjectVersion, _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectHead {
        try await store.head(version, conditions)
    }

    package func delete(
        _ version: ObjectVersion, _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectDeletion {
        try await store.delete(version, conditions)
    }

    package func delete(
        _ entries: [S3DeleteRequest.Entry], in bucket: S3Bucket
    ) async throws(ObjectStoreFailure) -> [ObjectDeletionOutcome] {
        try await store.delete(entries, in: bucket)
    }

    package func copy(
        _ source: ObjectVersion, _ conditions: S3Conditions, to location: ObjectLocation,
        _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        try await store.copy(source, conditions, to: location, write)
    }

    package func list(
        _ bucket: S3Bucket, _ query: ObjectQuery
    ) async throws(ObjectStoreFailure) -> ObjectListPage {
        try await store.list(bucket, query)
    }

    package func listVersions(
        _ bucket: S3Bucket, _ query: ObjectMarkerQuery
    ) async throws(ObjectStoreFailure) -> ObjectVersionPage {
        try await store.listVersions(bucket, query)
    }

    package func createUpload(
        _ location: ObjectLocation, _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectUpload {
        try await store.createUpload(location, write)
    }

    package func uploadPart(
        _ upload: ObjectUpload, _ number: Int, _ body: ObjectBody
    ) async throws(ObjectStoreFailure) -> S3EntityTag {
        try await store.uploadPart(upload, number, body)
    }

    package func copyPart(
        _ upload: ObjectUpload, _ number: Int, from source: ObjectVersion, _ range: Range<Int64>?,
        _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> S3EntityTag {
        try await store.copyPart(upload, number, from: source, range, conditions)
    }

    package func listParts(
        _ upload: ObjectUpload, after number: Int, entriesMax: Int
    ) async throws(ObjectStoreFailure) -> ObjectPartPage {
        try await store.listParts(upload, after: number, entriesMax: entriesMax)
    }

    package func completeUpload(
        _ upload: ObjectUpload, _ parts: [S3NamedPart], _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        try await store.completeUpload(upload, parts, conditions)
    }

    package func abortUpload(_ upload: ObjectUpload) async throws(ObjectStoreFailure) {
        try await store.abortUpload(upload)
    }

    package func listUploads(
        _ bucket: S3Bucket, _ query: ObjectMarkerQuery
    ) async throws(ObjectStoreFailure) -> ObjectUploadPage {
        try await store.listUploads(bucket, query)
    }

    package func tags(_ version: ObjectVersion) async throws(ObjectStoreFailure) -> S3Tagging {
        try await store.tags(version)
    }

    package func setTags(
        _ version: ObjectVersion, _ tagging: S3Tagging
    ) async throws(ObjectStoreFailure) {
        try await store.setTags(version, tagging)
    }

    package func removeTags(_ version: ObjectVersion) async throws(ObjectStoreFailure) {
        try await store.removeTags(version)
    }

    package func passOn(
        _ request: PassedRequest
    ) async throws(ObjectStoreFailure) -> PassedAnswer {
        try await store.passOn(request)
    }
}
