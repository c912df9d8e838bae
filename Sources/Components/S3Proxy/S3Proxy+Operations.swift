// SPDX-License-Identifier: Apache-2.0
internal import S3Format
internal import SealedObject

extension S3Proxy {
    /// How often an object is looked at that is overwritten between two looks.
    private static var looksMax: Int { 4 }

    func perform(_ exchange: Exchange) async throws(Refusal) {
        for _ in 1..<Self.looksMax {
            do throws(Refusal) { return try await performOnce(exchange) } catch {
                // A client that set no condition is not told that one failed.
                guard case .overtaken = error else { throw error }
            }
        }
        try await performOnce(exchange)
    }

    /// What a store of the simple dialect knows among what is passed on.
    private static var simpleOperations: Set<S3Operation> {
        [.listBuckets, .headBucket, .createBucket, .deleteBucket]
    }

    /// Those that hand such a header on, among what is done here.
    private static var ownerOperations: Set<S3Operation> {
        [.putObject, .copyObject, .createMultipartUpload]
    }

    private func performOnce(_ exchange: Exchange) async throws(Refusal) {
        let operation = exchange.request.operation
        if settings.dialect == .simple {
            let isKnown =
                !operation.isPassedThrough || Self.simpleOperations.contains(operation)
            guard isKnown, exchange.request.versionID == nil else {
                throw .request(S3Error(.notImplemented))
            }
        }
        // What protects from the wrong bucket must not be left out silently.
        let owner = exchange.request.headers["x-amz-expected-bucket-owner"]
        guard owner == nil || operation.isPassedThrough || Self.ownerOperations.contains(operation)
        else { throw .request(S3Error(.notImplemented)) }
        switch exchange.request.operation {
        case .getObject: try await getObject(exchange)
        case .headObject: try await headObject(exchange)
        case .putObject: try await putObject(exchange)
        case .copyObject: try await copyObject(exchange)
        case .deleteObject: try await deleteObject(exchange)
        case .deleteObjects: try await deleteObjects(exchange)
        case .getObjectAttributes: try await getObjectAttributes(exchange)
        case .listObjects, .listObjectsV2: try await listObjects(exchange)
        case .listObjectVersions: try await listVersions(exchange)
        case .getObjectTagging: try await getTagging(exchange)
        case .putObjectTagging: try await putTagging(exchange)
        case .deleteObjectTagging: try await deleteTagging(exchange)
        case .createMultipartUpload: try await createUpload(exchange)
        case .uploadPart: try await uploadPart(exchange)
        case .uploadPartCopy: try await uploadPartCopy(exchange)
        case .listParts: try await listParts(exchange)
        case .listMultipartUploads: try await listUploads(exchange)
        case .completeMultipartUpload: try await completeUpload(exchange)
        case .abortMultipartUpload: try await abortUpload(exchange)
        case let operation where operation.isPassedThrough: try await passOn(exchange)
        default: throw .request(S3Error(.notImplemented))
        }
    }
}
