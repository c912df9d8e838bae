// SPDX-License-Identifier: Apache-2.0
package import S3Format

/// Which objects of a bucket.
package struct ObjectQuery: Sendable, Hashable {
    package enum Start: Sendable, Hashable {
        /// Behind this key; empty: the first.
        case after(S3Key)
        /// Where the last page ended.
        case continuation(String)
    }

    package var prefix: S3Key
    /// Empty: none.
    package var delimiter: S3Key
    package var start: Start
    /// Keys and common prefixes of a page together, from 1 to `S3Limits.pageEntriesMax`.
    package var entriesMax: Int

    package init(
        prefix: S3Key = .empty, delimiter: S3Key = .empty, start: Start = .after(.empty),
        entriesMax: Int = S3Limits.pageEntriesMax
    ) {
        self.prefix = prefix
        self.delimiter = delimiter
        self.start = start
        self.entriesMax = entriesMax
    }
}

/// A page of a list of objects.
package struct ObjectListPage: Sendable, Hashable {
    package let objects: [S3ListedObject]
    package let commonPrefixes: [S3Key]
    /// Opaque; nil: this was the last page.
    package let next: String?

    package init(objects: [S3ListedObject], commonPrefixes: [S3Key], next: String?) {
        self.objects = objects
        self.commonPrefixes = commonPrefixes
        self.next = next
    }
}

/// Where a list of versions or uploads goes on: behind this one.
package struct ObjectMarker: Sendable, Hashable {
    package let key: S3Key
    /// Of the version or upload; nil: behind all of the key, or of the common prefix.
    package let id: String?

    package init(key: S3Key, id: String?) {
        self.key = key
        self.id = id
    }
}

/// Which versions of a bucket, or which uploads.
package struct ObjectMarkerQuery: Sendable, Hashable {
    package var prefix: S3Key
    /// Empty: none.
    package var delimiter: S3Key
    /// nil: from the first.
    package var start: ObjectMarker?
    package var entriesMax: Int

    package init(
        prefix: S3Key = .empty, delimiter: S3Key = .empty, start: ObjectMarker? = nil,
        entriesMax: Int = S3Limits.pageEntriesMax
    ) {
        self.prefix = prefix
        self.delimiter = delimiter
        self.start = start
        self.entriesMax = entriesMax
    }
}

/// A page of a list of versions.
package struct ObjectVersionPage: Sendable, Hashable {
    package let versions: [S3ListedVersion]
    package let commonPrefixes: [S3Key]
    /// nil: this was the last page.
    package let next: ObjectMarker?

    package init(versions: [S3ListedVersion], commonPrefixes: [S3Key], next: ObjectMarker?) {
        self.versions = versions
        self.commonPrefixes = commonPrefixes
        self.next = next
    }
}

/// A page of a list of uploads.
package struct ObjectUploadPage: Sendable, Hashable {
    package let uploads: [S3ListedUpload]
    package let commonPrefixes: [S3Key]
    /// nil: this was the last page.
    package let next: ObjectMarker?

    package init(uploads: [S3ListedUpload], commonPrefixes: [S3Key], next: ObjectMarker?) {
        self.uploads = uploads
        self.commonPrefixes = commonPrefixes
        self.next = next
    }
}

/// A page of a list of parts.
package struct ObjectPartPage: Sendable, Hashable {
    /// By ascending number.
    package let parts: [S3ListedPart]
    /// The number behind which the list goes on; nil: this was the last page.
    package let next: Int?

    package init(parts: [S3ListedPart], next: Int?) {
        self.parts = parts
        self.next = next
    }
}
