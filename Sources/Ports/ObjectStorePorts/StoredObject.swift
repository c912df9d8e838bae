// SPDX-License-Identifier: Apache-2.0
package import S3Format

/// Where an object is.
package struct ObjectLocation: Sendable, Hashable {
    package let bucket: S3Bucket
    package let key: S3Key

    package init(_ bucket: S3Bucket, _ key: S3Key) {
        self.bucket = bucket
        self.key = key
    }

    /// - Parameter id: nil: the latest.
    package func version(_ id: String?) -> ObjectVersion { ObjectVersion(self, id: id) }

    package var latest: ObjectVersion { version(nil) }
}

/// One version of an object.
package struct ObjectVersion: Sendable, Hashable {
    package let location: ObjectLocation
    /// nil: the latest. `null`: what was stored while the bucket had no versions.
    package let id: String?

    package init(_ location: ObjectLocation, id: String?) {
        self.location = location
        self.id = id
    }
}

/// What a store keeps beside an object's content and gives back with it.
package struct ObjectAttributes: Sendable, Hashable {
    /// nil: the store chooses.
    package var contentType: String?
    package var cacheControl: String?
    package var contentDisposition: String?
    package var contentEncoding: String?
    package var contentLanguage: String?
    /// As it was given.
    package var expires: String?
    package var metadata: S3Metadata

    package init(
        contentType: String? = nil, cacheControl: String? = nil,
        contentDisposition: String? = nil, contentEncoding: String? = nil,
        contentLanguage: String? = nil, expires: String? = nil, metadata: S3Metadata = .empty
    ) {
        self.contentType = contentType
        self.cacheControl = cacheControl
        self.contentDisposition = contentDisposition
        self.contentEncoding = contentEncoding
        self.contentLanguage = contentLanguage
        self.expires = expires
        self.metadata = metadata
    }
}

/// What is said when an object is made.
package struct ObjectWrite: Sendable, Hashable {
    package var attributes: ObjectAttributes
    /// nil: no tags; for a copy those of its source.
    package var tagging: S3Tagging?
    /// `ifMatch` and `ifNoneMatch`, on what is at the location when the write takes effect. For an
    /// upload in parts they belong to its completion.
    package var conditions: S3Conditions
    /// Headers that the store is to have as they came: storage class, access, lock, encryption at
    /// rest. Never metadata, checksums or what the other members say.
    package var passedOn: [S3Headers.Field]

    package init(
        attributes: ObjectAttributes = ObjectAttributes(), tagging: S3Tagging? = nil,
        conditions: S3Conditions = .none, passedOn: [S3Headers.Field] = []
    ) {
        self.attributes = attributes
        self.tagging = tagging
        self.conditions = conditions
        self.passedOn = passedOn
    }
}

/// What came of a write.
package struct ObjectWritten: Sendable, Hashable {
    package let tag: S3EntityTag
    /// nil: the bucket has no versions.
    package let versionID: String?

    package init(tag: S3EntityTag, versionID: String?) {
        self.tag = tag
        self.versionID = versionID
    }
}

/// All but the content.
package struct ObjectHead: Sendable, Hashable {
    /// Bytes of the whole object.
    package let size: Int64
    package let tag: S3EntityTag
    /// Seconds since 1970.
    package let modified: Int64
    /// nil: the bucket has no versions.
    package let versionID: String?
    package let attributes: ObjectAttributes
    /// Further headers that the proxy hands on: storage class, lock, encryption at rest.
    package let passedOn: [S3Headers.Field]

    package init(
        size: Int64, tag: S3EntityTag, modified: Int64, versionID: String?,
        attributes: ObjectAttributes, passedOn: [S3Headers.Field] = []
    ) {
        self.size = size
        self.tag = tag
        self.modified = modified
        self.versionID = versionID
        self.attributes = attributes
        self.passedOn = passedOn
    }
}

/// What a read is about to give.
package struct ObjectAnswer: Sendable, Hashable {
    package let head: ObjectHead
    /// Bytes of the object that the stream has: all of them, or those of the range.
    package let part: Range<Int64>

    package init(head: ObjectHead, part: Range<Int64>) {
        self.head = head
        self.part = part
    }
}

/// What came of a deletion.
package struct ObjectDeletion: Sendable, Hashable {
    /// Of the version that is gone, or of the mark that was made.
    package let versionID: String?
    /// Whether that is a mark.
    package let isMarker: Bool

    package init(versionID: String?, isMarker: Bool) {
        self.versionID = versionID
        self.isMarker = isMarker
    }
}

/// What came of one of several deletions.
package struct ObjectDeletionOutcome: Sendable, Hashable {
    package let entry: S3DeleteRequest.Entry
    package let result: Result<ObjectDeletion, ObjectStoreFailure>

    package init(
        entry: S3DeleteRequest.Entry, result: Result<ObjectDeletion, ObjectStoreFailure>
    ) {
        self.entry = entry
        self.result = result
    }
}

/// An upload in parts that is under way.
package struct ObjectUpload: Sendable, Hashable {
    package let location: ObjectLocation
    /// Opaque.
    package let id: String

    package init(_ location: ObjectLocation, id: String) {
        self.location = location
        self.id = id
    }
}
