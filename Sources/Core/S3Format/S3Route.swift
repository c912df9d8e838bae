// SPDX-License-Identifier: Apache-2.0

/// How a request shows which operation it wants.
struct S3Route: Sendable {
    enum Level: String, Sendable {
        case service = "SERVICE"
        case bucket = "BUCKET"
        case object = "OBJECT"
    }

    let method: String
    let level: Level
    /// The one parameter of the query that tells operations apart; nil: there is none.
    let selector: String?
    let hasCopySource: Bool
    let operation: S3Operation
    /// Other parameters of the query that the operation has.
    let parameters: [String]

    private init(
        _ method: String, _ level: Level, _ selector: String?, _ operation: S3Operation,
        _ parameters: [String] = [], hasCopySource: Bool = false
    ) {
        self.method = method
        self.level = level
        self.selector = selector
        self.operation = operation
        self.parameters = parameters
        self.hasCopySource = hasCopySource
    }

    static let all = service + buckets + lists + configurations + objects + uploads

    static let methods = Set(all.map(\.method))
    static let selectors = Set(all.compactMap(\.selector))

    private static let service = [
        S3Route(
            "GET", .service, nil, .listBuckets,
            ["bucket-region", "continuation-token", "max-buckets", "prefix"])
    ]

    private static let buckets = [
        S3Route("HEAD", .bucket, nil, .headBucket),
        S3Route("PUT", .bucket, nil, .createBucket),
        S3Route("DELETE", .bucket, nil, .deleteBucket),
        S3Route("POST", .bucket, "delete", .deleteObjects),
    ]

    private static let lists = [
        S3Route(
            "GET", .bucket, nil, .listObjects,
            ["delimiter", "encoding-type", "marker", "max-keys", "prefix"]),
        S3Route(
            "GET", .bucket, "list-type", .listObjectsV2,
            [
                "continuation-token", "delimiter", "encoding-type", "fetch-owner", "max-keys",
                "prefix", "start-after",
            ]),
        S3Route(
            "GET", .bucket, "versions", .listObjectVersions,
            [
                "delimiter", "encoding-type", "key-marker", "max-keys", "prefix",
                "version-id-marker",
            ]),
        S3Route(
            "GET", .bucket, "uploads", .listMultipartUploads,
            [
                "delimiter", "encoding-type", "key-marker", "max-uploads", "prefix",
                "upload-id-marker",
            ]),
    ]

    private static let configurations = [
        S3Route("GET", .bucket, "location", .getBucketLocation),
        S3Route("GET", .bucket, "versioning", .getBucketVersioning),
        S3Route("PUT", .bucket, "versioning", .putBucketVersioning),
        S3Route("GET", .bucket, "acl", .getBucketACL),
        S3Route("PUT", .bucket, "acl", .putBucketACL),
        S3Route("GET", .bucket, "cors", .getBucketCORS),
        S3Route("PUT", .bucket, "cors", .putBucketCORS),
        S3Route("DELETE", .bucket, "cors", .deleteBucketCORS),
        S3Route("GET", .bucket, "policy", .getBucketPolicy),
        S3Route("PUT", .bucket, "policy", .putBucketPolicy),
        S3Route("DELETE", .bucket, "policy", .deleteBucketPolicy),
        S3Route("GET", .bucket, "policyStatus", .getBucketPolicyStatus),
        S3Route("GET", .bucket, "lifecycle", .getBucketLifecycle),
        S3Route("PUT", .bucket, "lifecycle", .putBucketLifecycle),
        S3Route("DELETE", .bucket, "lifecycle", .deleteBucketLifecycle),
        S3Route("GET", .bucket, "tagging", .getBucketTagging),
        S3Route("PUT", .bucket, "tagging", .putBucketTagging),
        S3Route("DELETE", .bucket, "tagging", .deleteBucketTagging),
        S3Route("GET", .bucket, "notification", .getBucketNotification),
        S3Route("PUT", .bucket, "notification", .putBucketNotification),
        S3Route("GET", .bucket, "object-lock", .getObjectLockConfiguration),
        S3Route("PUT", .bucket, "object-lock", .putObjectLockConfiguration),
        S3Route("GET", .bucket, "ownershipControls", .getBucketOwnershipControls),
        S3Route("PUT", .bucket, "ownershipControls", .putBucketOwnershipControls),
        S3Route("DELETE", .bucket, "ownershipControls", .deleteBucketOwnershipControls),
        S3Route("GET", .bucket, "publicAccessBlock", .getPublicAccessBlock),
        S3Route("PUT", .bucket, "publicAccessBlock", .putPublicAccessBlock),
        S3Route("DELETE", .bucket, "publicAccessBlock", .deletePublicAccessBlock),
        S3Route("GET", .bucket, "encryption", .getBucketEncryption),
        S3Route("PUT", .bucket, "encryption", .putBucketEncryption),
        S3Route("DELETE", .bucket, "encryption", .deleteBucketEncryption),
        S3Route("GET", .bucket, "requestPayment", .getBucketRequestPayment),
        S3Route("PUT", .bucket, "requestPayment", .putBucketRequestPayment),
    ]

    /// What the answer's headers shall be instead of the object's.
    static let overrides = [
        "response-cache-control", "response-content-disposition", "response-content-encoding",
        "response-content-language", "response-content-type", "response-expires",
    ]

    private static let objects = [
        S3Route("GET", .object, nil, .getObject, ["partNumber", "versionId"] + overrides),
        S3Route("HEAD", .object, nil, .headObject, ["partNumber", "versionId"] + overrides),
        S3Route("PUT", .object, nil, .putObject),
        S3Route("PUT", .object, nil, .copyObject, hasCopySource: true),
        S3Route("DELETE", .object, nil, .deleteObject, ["versionId"]),
        S3Route("GET", .object, "attributes", .getObjectAttributes, ["versionId"]),
        S3Route("GET", .object, "tagging", .getObjectTagging, ["versionId"]),
        S3Route("PUT", .object, "tagging", .putObjectTagging, ["versionId"]),
        S3Route("DELETE", .object, "tagging", .deleteObjectTagging, ["versionId"]),
        S3Route("GET", .object, "acl", .getObjectACL, ["versionId"]),
        S3Route("PUT", .object, "acl", .putObjectACL, ["versionId"]),
        S3Route("GET", .object, "retention", .getObjectRetention, ["versionId"]),
        S3Route("PUT", .object, "retention", .putObjectRetention, ["versionId"]),
        S3Route("GET", .object, "legal-hold", .getObjectLegalHold, ["versionId"]),
        S3Route("PUT", .object, "legal-hold", .putObjectLegalHold, ["versionId"]),
    ]

    private static let uploads = [
        S3Route("POST", .object, "uploads", .createMultipartUpload),
        S3Route("PUT", .object, "uploadId", .uploadPart, ["partNumber"]),
        S3Route(
            "PUT", .object, "uploadId", .uploadPartCopy, ["partNumber"], hasCopySource: true),
        S3Route(
            "GET", .object, "uploadId", .listParts,
            ["encoding-type", "max-parts", "part-number-marker"]),
        S3Route("POST", .object, "uploadId", .completeMultipartUpload),
        S3Route("DELETE", .object, "uploadId", .abortMultipartUpload),
    ]

    // MARK: - Finding one

    static func find(
        method: String, _ level: Level, _ query: S3Query, hasCopySource: Bool
    ) throws(S3Error) -> S3Route {
        guard methods.contains(method) else { throw S3Error(.methodNotAllowed) }
        let selected = query.parameters.map(\.name).filter { selectors.contains($0) }
        guard selected.count <= 1 else {
            throw S3Error(
                .invalidArgument, "Conflicting query string parameters",
                details: [.init("ArgumentName", selected.sorted().joined(separator: ", "))])
        }
        let atLevel = all.filter { $0.level == level }
        let alike = atLevel.filter { $0.selector == selected.first }
        // Nothing at this level is called so, or it is an upload by a form.
        if alike.isEmpty || level == .bucket && selected.isEmpty && method == "POST" {
            throw S3Error(.notImplemented)
        }
        guard
            let route = alike.first(where: {
                $0.method == method && $0.hasCopySource == (hasCopySource && method == "PUT")
            }) ?? alike.first(where: { $0.method == method && !$0.hasCopySource })
        else {
            // A parameter that is not known may be what makes the method allowed.
            try refuseUnknown(query, allowed: Set(alike.flatMap(\.parameters)), selected.first)
            throw S3Error(
                .methodNotAllowed,
                details: [.init("Method", method), .init("ResourceType", level.rawValue)])
        }
        try refuseUnknown(query, allowed: Set(route.parameters), selected.first)
        return route
    }

    /// A parameter that nobody knows might make another operation of the request, as
    /// `renameObject` does of a PUT.
    private static func refuseUnknown(
        _ query: S3Query, allowed: Set<String>, _ selector: String?
    ) throws(S3Error) {
        for parameter in query.parameters where parameter.name != selector {
            guard allowed.contains(parameter.name) || S3Query.isIgnored(parameter.name) else {
                throw S3Error(.notImplemented)
            }
        }
    }
}
