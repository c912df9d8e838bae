// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import S3Format

extension SimulatedObjectServer {
    /// An entry of a page and what it is found by.
    private enum Entry<Value> {
        case value(Value)
        case commonPrefix(S3Key)
    }

    /// One page of entries that are sorted, with those rolled up that have a common prefix.
    ///
    /// - Parameter rolled: a common prefix that a former page has had.
    private static func page<Value>(
        _ values: [(key: S3Key, value: Value)], prefix: S3Key, delimiter: S3Key, rolled: S3Key,
        entriesMax: Int
    ) -> (entries: [Entry<Value>], isTruncated: Bool) {
        var entries: [Entry<Value>] = []
        var last = rolled
        for (key, value) in values where key.hasPrefix(prefix) {
            if let common = key.commonPrefix(prefix, delimiter: delimiter) {
                if common == last { continue }
                guard entries.count < entriesMax else { return (entries, true) }
                last = common
                entries.append(.commonPrefix(common))
            } else {
                guard entries.count < entriesMax else { return (entries, true) }
                entries.append(.value(value))
            }
        }
        return (entries, false)
    }

    private static func isPageSize(_ count: Int) -> Bool {
        (1...S3Limits.pageEntriesMax).contains(count)
    }

    private static let wrongSize = ObjectStoreFailure.refused(code: "InvalidArgument", status: 400)

    // MARK: - Objects

    private static let tokenPrefix = "after:"

    func list(
        _ name: S3Bucket, _ query: ObjectQuery, stale: Int
    ) throws(ObjectStoreFailure) -> ObjectListPage {
        let bucket = try bucket(name, before: stale)
        guard Self.isPageSize(query.entriesMax) else { throw Self.wrongSize }
        let after: S3Key
        switch query.start {
        case .after(let key): after = key
        case .continuation(let token):
            guard token.hasPrefix(Self.tokenPrefix),
                let key = S3KeyEncoding.url.decoded(
                    String(token.dropFirst(Self.tokenPrefix.count)))
            else { throw Self.wrongSize }
            after = key
        }
        let values = bucket.objects.compactMap { key, versions in
            versions.last.flatMap { version in
                version.content.map { (key: key, value: Self.listed(key, version, $0.count)) }
            }
        }.filter { $0.key > after }.sorted { $0.key < $1.key }
        let (entries, isTruncated) = Self.page(
            values, prefix: query.prefix, delimiter: query.delimiter, rolled: after,
            entriesMax: query.entriesMax)
        var objects: [S3ListedObject] = []
        var prefixes: [S3Key] = []
        var last = after
        for entry in entries {
            switch entry {
            case .value(let object):
                objects.append(object)
                last = object.key
            case .commonPrefix(let prefix):
                prefixes.append(prefix)
                last = prefix
            }
        }
        return ObjectListPage(
            objects: objects, commonPrefixes: prefixes,
            next: isTruncated ? Self.tokenPrefix + S3KeyEncoding.url.encoded(last) : nil)
    }

    private static func listed(_ key: S3Key, _ version: Version, _ size: Int) -> S3ListedObject {
        S3ListedObject(
            key: key, modified: S3Timestamp(secondsSince1970: version.modified),
            tag: version.tag, size: Int64(size))
    }

    // MARK: - Versions

    func listVersions(
        _ name: S3Bucket, _ query: ObjectMarkerQuery, stale: Int
    ) throws(ObjectStoreFailure) -> ObjectVersionPage {
        let bucket = try bucket(name, before: stale)
        let values = bucket.objects.sorted { $0.key < $1.key }.flatMap { key, versions in
            versions.enumerated().reversed().map { index, version in
                (key: key, value: Self.listed(key, version, isLatest: index == versions.count - 1))
            }
        }
        let (versions, prefixes, next) = try Self.markedPage(
            values, query, id: \.versionID, key: \.key)
        return ObjectVersionPage(versions: versions, commonPrefixes: prefixes, next: next)
    }

    private static func listed(
        _ key: S3Key, _ version: Version, isLatest: Bool
    ) -> S3ListedVersion {
        S3ListedVersion(
            key: key, versionID: version.id, isLatest: isLatest,
            modified: S3Timestamp(secondsSince1970: version.modified),
            content: version.content.map {
                .object(tag: version.tag, size: Int64($0.count), storageClass: "STANDARD")
            } ?? .deleteMarker)
    }

    // MARK: - Uploads

    func listUploads(
        _ name: S3Bucket, _ query: ObjectMarkerQuery, stale: Int
    ) throws(ObjectStoreFailure) -> ObjectUploadPage {
        let bucket = try bucket(name, before: stale)
        let sorted = bucket.uploads.sorted {
            ($0.value.key, $0.value.initiated, $0.key) < ($1.value.key, $1.value.initiated, $1.key)
        }
        let values = sorted.map { id, upload in
            (
                key: upload.key,
                value: S3ListedUpload(
                    key: upload.key, uploadID: id,
                    initiated: S3Timestamp(secondsSince1970: upload.initiated))
            )
        }
        let (uploads, prefixes, next) = try Self.markedPage(
            values, query, id: \.uploadID, key: \.key)
        return ObjectUploadPage(uploads: uploads, commonPrefixes: prefixes, next: next)
    }

    /// What comes behind a marker.
    private static func markedPage<Value>(
        _ values: [(key: S3Key, value: Value)], _ query: ObjectMarkerQuery,
        id: KeyPath<Value, String>, key: KeyPath<Value, S3Key>
    ) throws(ObjectStoreFailure) -> ([Value], [S3Key], ObjectMarker?) {
        guard isPageSize(query.entriesMax) else { throw wrongSize }
        var rest = values[...]
        if let start = query.start {
            let mark = rest.firstIndex {
                $0.key == start.key && $0.value[keyPath: id] == start.id
            }
            if let mark {
                rest = rest[(mark + 1)...]
            } else {
                rest = rest.drop { $0.key <= start.key }
            }
        }
        let (entries, isTruncated) = page(
            Array(rest), prefix: query.prefix, delimiter: query.delimiter,
            rolled: query.start?.key ?? .empty, entriesMax: query.entriesMax)
        var found: [Value] = []
        var prefixes: [S3Key] = []
        var last: ObjectMarker?
        for entry in entries {
            switch entry {
            case .value(let value):
                found.append(value)
                last = ObjectMarker(key: value[keyPath: key], id: value[keyPath: id])
            case .commonPrefix(let prefix):
                prefixes.append(prefix)
                last = ObjectMarker(key: prefix, id: nil)
            }
        }
        return (found, prefixes, isTruncated ? last : nil)
    }
}
