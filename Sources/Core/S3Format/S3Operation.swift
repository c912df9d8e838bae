// SPDX-License-Identifier: Apache-2.0

/// What is done for clients, by the names of the API's reference
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html). Nothing else is.
package enum S3Operation: String, Sendable, Hashable, CaseIterable {
    // The service
    case listBuckets = "ListBuckets"
    // Buckets
    case headBucket = "HeadBucket"
    case createBucket = "CreateBucket"
    case deleteBucket = "DeleteBucket"
    case listObjects = "ListObjects"
    case listObjectsV2 = "ListObjectsV2"
    case listObjectVersions = "ListObjectVersions"
    case listMultipartUploads = "ListMultipartUploads"
    case deleteObjects = "DeleteObjects"
    case getBucketLocation = "GetBucketLocation"
    case getBucketVersioning = "GetBucketVersioning"
    case putBucketVersioning = "PutBucketVersioning"
    case getBucketACL = "GetBucketAcl"
    case putBucketACL = "PutBucketAcl"
    case getBucketCORS = "GetBucketCors"
    case putBucketCORS = "PutBucketCors"
    case deleteBucketCORS = "DeleteBucketCors"
    case getBucketPolicy = "GetBucketPolicy"
    case putBucketPolicy = "PutBucketPolicy"
    case deleteBucketPolicy = "DeleteBucketPolicy"
    case getBucketPolicyStatus = "GetBucketPolicyStatus"
    case getBucketLifecycle = "GetBucketLifecycleConfiguration"
    case putBucketLifecycle = "PutBucketLifecycleConfiguration"
    case deleteBucketLifecycle = "DeleteBucketLifecycle"
    case getBucketTagging = "GetBucketTagging"
    case putBucketTagging = "PutBucketTagging"
    case deleteBucketTagging = "DeleteBucketTagging"
    case getBucketNotification = "GetBucketNotificationConfiguration"
    case putBucketNotification = "PutBucketNotificationConfiguration"
    case getObjectLockConfiguration = "GetObjectLockConfiguration"
    case putObjectLockConfiguration = "PutObjectLockConfiguration"
    case getBucketOwnershipControls = "GetBucketOwnershipControls"
    case putBucketOwnershipControls = "PutBucketOwnershipControls"
    case deleteBucketOwnershipControls = "DeleteBucketOwnershipControls"
    case getPublicAccessBlock = "GetPublicAccessBlock"
    case putPublicAccessBlock = "PutPublicAccessBlock"
    case deletePublicAccessBlock = "DeletePublicAccessBlock"
    case getBucketEncryption = "GetBucketEncryption"
    case putBucketEncryption = "PutBucketEncryption"
    case deleteBucketEncryption = "DeleteBucketEncryption"
    case getBucketRequestPayment = "GetBucketRequestPayment"
    case putBucketRequestPayment = "PutBucketRequestPayment"
    // Objects
    case getObject = "GetObject"
    case headObject = "HeadObject"
    case putObject = "PutObject"
    case copyObject = "CopyObject"
    case deleteObject = "DeleteObject"
    case getObjectAttributes = "GetObjectAttributes"
    case getObjectTagging = "GetObjectTagging"
    case putObjectTagging = "PutObjectTagging"
    case deleteObjectTagging = "DeleteObjectTagging"
    case getObjectACL = "GetObjectAcl"
    case putObjectACL = "PutObjectAcl"
    case getObjectRetention = "GetObjectRetention"
    case putObjectRetention = "PutObjectRetention"
    case getObjectLegalHold = "GetObjectLegalHold"
    case putObjectLegalHold = "PutObjectLegalHold"
    // Uploads in parts
    case createMultipartUpload = "CreateMultipartUpload"
    case uploadPart = "UploadPart"
    case uploadPartCopy = "UploadPartCopy"
    case listParts = "ListParts"
    case completeMultipartUpload = "CompleteMultipartUpload"
    case abortMultipartUpload = "AbortMultipartUpload"
}

extension S3Operation {
    /// Whether the request goes on as it is, newly signed: it has nothing to do with content,
    /// size, entity tag or key.
    package var isPassedThrough: Bool {
        switch self {
        case .listBuckets, .headBucket, .createBucket, .deleteBucket, .getBucketLocation,
            .getBucketVersioning, .putBucketVersioning, .getBucketACL, .putBucketACL,
            .getBucketCORS, .putBucketCORS, .deleteBucketCORS, .getBucketPolicy, .putBucketPolicy,
            .deleteBucketPolicy, .getBucketPolicyStatus, .getBucketLifecycle, .putBucketLifecycle,
            .deleteBucketLifecycle, .getBucketTagging, .putBucketTagging, .deleteBucketTagging,
            .getBucketNotification, .putBucketNotification, .getObjectLockConfiguration,
            .putObjectLockConfiguration, .getBucketOwnershipControls, .putBucketOwnershipControls,
            .deleteBucketOwnershipControls, .getPublicAccessBlock, .putPublicAccessBlock,
            .deletePublicAccessBlock, .getBucketEncryption, .putBucketEncryption,
            .deleteBucketEncryption, .getBucketRequestPayment, .putBucketRequestPayment,
            .getObjectTagging, .putObjectTagging, .deleteObjectTagging, .getObjectACL,
            .putObjectACL, .getObjectRetention, .putObjectRetention, .getObjectLegalHold,
            .putObjectLegalHold:
            true
        default: false
        }
    }
}
