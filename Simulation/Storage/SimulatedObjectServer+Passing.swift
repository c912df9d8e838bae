// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import S3Format

/// A few of the operations that the proxy only passes on. The others are not implemented, and say
/// so.
extension SimulatedObjectServer {
    static let region = "eu-test-1"

    mutating func passOn(
        _ request: PassedRequest, now: Int64
    ) throws(ObjectStoreFailure) -> PassedAnswer {
        guard request.operation.isPassedThrough else {
            throw .refused(code: S3ErrorCode.notImplemented.rawValue, status: 501)
        }
        guard request.body.count <= ObjectStoreLimits.passedBytesMax else { throw .tooLarge }
        switch (request.operation, request.target.bucket) {
        case (.listBuckets, nil): return listBuckets()
        case (.createBucket, let name?):
            guard buckets[name] == nil else { return Self.refusal(.bucketAlreadyOwnedByYou) }
            addBucket(name, hasVersions: false)
            return PassedAnswer(
                status: 200, headers: [S3Headers.Field("location", "/\(name)")], body: [])
        case (let operation, let name?):
            guard let bucket = buckets[name] else {
                // HEAD has no document.
                return Self.refusal(.noSuchBucket, hasBody: operation != .headBucket)
            }
            return passOn(request, name, bucket)
        default: return Self.refusal(.notImplemented)
        }
    }

    private mutating func passOn(
        _ request: PassedRequest, _ name: S3Bucket, _ bucket: Bucket
    ) -> PassedAnswer {
        switch request.operation {
        case .headBucket:
            return PassedAnswer(
                status: 200, headers: [S3Headers.Field("x-amz-bucket-region", Self.region)],
                body: [])
        case .deleteBucket:
            guard bucket.objects.isEmpty else { return Self.refusal(.bucketNotEmpty) }
            removeBucket(name)
            return PassedAnswer(status: 204, headers: [], body: [])
        case .getBucketLocation:
            return Self.document("<LocationConstraint>\(Self.region)</LocationConstraint>")
        case .getBucketVersioning:
            let status = bucket.hasVersions ? "<Status>Enabled</Status>" : ""
            return Self.document(
                "<VersioningConfiguration>\(status)</VersioningConfiguration>")
        case .putBucketVersioning:
            guard let root = try? XMLReader.read(request.body),
                root.name == "VersioningConfiguration"
            else { return Self.refusal(.malformedXML) }
            // What a suspended bucket does with its versions is not simulated.
            guard root.text("Status") == "Enabled" else { return Self.refusal(.notImplemented) }
            enableVersions(name)
            return PassedAnswer(status: 200, headers: [], body: [])
        default: return Self.refusal(.notImplemented)
        }
    }

    /// Names of buckets need no escaping.
    private func listBuckets() -> PassedAnswer {
        let names = buckets.keys.sorted().map { "<Bucket><Name>\($0)</Name></Bucket>" }
        return Self.document(
            "<ListAllMyBucketsResult><Buckets>\(names.joined())</Buckets></ListAllMyBucketsResult>")
    }

    private static func document(_ text: String) -> PassedAnswer {
        PassedAnswer(
            status: 200, headers: [S3Headers.Field("content-type", "application/xml")],
            body: Array(text.utf8))
    }

    private static func refusal(_ code: S3ErrorCode, hasBody: Bool = true) -> PassedAnswer {
        let error = S3Error(code)
        let document = error.document(resource: "", requestID: "1", hostID: "1")
        return PassedAnswer(
            status: error.status, headers: [S3Headers.Field("content-type", "application/xml")],
            body: hasBody ? document.rendered() : [])
    }
}
