// SPDX-License-Identifier: Apache-2.0
internal import NIOHTTP1
package import ObjectStorePorts
internal import RequestSignature
package import S3Format

extension S3HTTP {
    package func list(
        _ bucket: S3Bucket, _ query: ObjectQuery
    ) async throws(ObjectStoreFailure) -> ObjectListPage {
        var items = [QueryItem("list-type", "2")]
        items += Self.items(query.prefix, query.delimiter)
        items.append(Self.count("max-keys", query.entriesMax))
        switch query.start {
        case .after(let key) where key.isEmpty: break
        case .after(let key): items.append(Self.item("start-after", key))
        case .continuation(let token): items.append(QueryItem("continuation-token", token))
        }
        let answer = try await perform(S3Call(.GET, bucket, query: items))
        let list = try document(answer.body) { bytes throws(S3DocumentFailure) in
            try S3ObjectList(bytes, isSecond: true)
        }
        var next: String?
        if case .second(_, _, let token) = list.form, list.isTruncated { next = token }
        guard next?.isEmpty != true, list.isTruncated == (next != nil) else {
            throw .responseMalformed(detail: "a list goes on, and does not say where")
        }
        return ObjectListPage(
            objects: list.objects.map { object in
                var object = object
                object.tag = Self.tag(object.tag.text)
                return object
            }, commonPrefixes: list.commonPrefixes, next: next)
    }

    package func listVersions(
        _ bucket: S3Bucket, _ query: ObjectMarkerQuery
    ) async throws(ObjectStoreFailure) -> ObjectVersionPage {
        var items = [QueryItem("versions")]
        items += Self.items(query.prefix, query.delimiter)
        items.append(Self.count("max-keys", query.entriesMax))
        items += Self.items(query.start, "version-id-marker")
        let answer = try await perform(S3Call(.GET, bucket, query: items))
        let list = try document(answer.body) { bytes throws(S3DocumentFailure) in
            try S3VersionList(bytes)
        }
        return ObjectVersionPage(
            versions: Self.ordered(list.versions.map(Self.quoted)),
            commonPrefixes: list.commonPrefixes,
            next: try Self.next(
                isTruncated: list.isTruncated, list.nextKeyMarker, list.nextVersionMarker,
                list.versions.last.map { ($0.key, $0.versionID) }, list.commonPrefixes.last))
    }

    package func listUploads(
        _ bucket: S3Bucket, _ query: ObjectMarkerQuery
    ) async throws(ObjectStoreFailure) -> ObjectUploadPage {
        var items = [QueryItem("uploads")]
        items += Self.items(query.prefix, query.delimiter)
        items.append(Self.count("max-uploads", query.entriesMax))
        items += Self.items(query.start, "upload-id-marker")
        let answer: StoreAnswer
        do throws(ObjectStoreFailure) {
            answer = try await perform(S3Call(.GET, bucket, query: items))
        } catch {
            // What rclone says of a bucket without uploads.
            guard error == .noSuchUpload else { throw error }
            return ObjectUploadPage(uploads: [], commonPrefixes: [], next: nil)
        }
        let list = try document(answer.body) { bytes throws(S3DocumentFailure) in
            try S3UploadList(bytes)
        }
        return ObjectUploadPage(
            uploads: list.uploads, commonPrefixes: list.commonPrefixes,
            next: try Self.next(
                isTruncated: list.isTruncated, list.nextKeyMarker, list.nextUploadMarker,
                list.uploads.last.map { ($0.key, $0.uploadID) }, list.commonPrefixes.last))
    }

    package func listParts(
        _ upload: ObjectUpload, after number: Int, entriesMax: Int
    ) async throws(ObjectStoreFailure) -> ObjectPartPage {
        var items = [Self.count("max-parts", entriesMax)]
        if number > 0 { items.append(QueryItem("part-number-marker", String(number))) }
        let answer = try await perform(S3Call(.GET, upload, query: items, .always))
        let list = try document(answer.body) { bytes throws(S3DocumentFailure) in
            try S3PartList(bytes)
        }
        let next = list.isTruncated ? list.nextMarker ?? list.parts.last?.number : nil
        guard list.isTruncated == (next != nil) else {
            throw .responseMalformed(detail: "a list goes on, and does not say where")
        }
        return ObjectPartPage(
            parts: list.parts.map { part in
                var part = part
                part.tag = Self.tag(part.tag.text)
                return part
            }, next: next)
    }

    // MARK: - Queries

    /// Keys go and come encoded: a document cannot hold all of them.
    private static func items(_ prefix: S3Key, _ delimiter: S3Key) -> [QueryItem] {
        var items = [QueryItem("encoding-type", "url")]
        if !prefix.isEmpty { items.append(item("prefix", prefix)) }
        if !delimiter.isEmpty { items.append(item("delimiter", delimiter)) }
        return items
    }

    private static func items(_ start: ObjectMarker?, _ idName: String) -> [QueryItem] {
        guard let start else { return [] }
        let key = item("key-marker", start.key)
        return [key] + (start.id.map { [QueryItem(idName, $0)] } ?? [])
    }

    private static func item(_ name: String, _ key: S3Key) -> QueryItem {
        QueryItem(name: Array(name.utf8), value: key.bytes)
    }

    private static func count(_ name: String, _ count: Int) -> QueryItem {
        QueryItem(name, String(min(max(count, 1), S3Limits.pageEntriesMax)))
    }

    // MARK: - Answers

    private static func quoted(_ version: S3ListedVersion) -> S3ListedVersion {
        guard case .object(let tag, let size, let storageClass) = version.content else {
            return version
        }
        var version = version
        version.content = .object(
            tag: Self.tag(tag.text), size: size, storageClass: storageClass)
        return version
    }

    /// By key, the latest first. Some servers list all marks behind all versions.
    private static func ordered(_ versions: [S3ListedVersion]) -> [S3ListedVersion] {
        versions.enumerated().sorted { left, right in
            let (one, two) = (left.element, right.element)
            if one.key != two.key { return one.key < two.key }
            if one.isLatest != two.isLatest { return one.isLatest }
            return left.offset < right.offset
        }.map(\.element)
    }

    /// Where the list goes on: as it says, or behind what came last.
    private static func next(
        isTruncated: Bool, _ key: S3Key?, _ id: String?, _ last: (key: S3Key, id: String)?,
        _ lastPrefix: S3Key?
    ) throws(ObjectStoreFailure) -> ObjectMarker? {
        guard isTruncated else { return nil }
        if let key, !key.isEmpty {
            return ObjectMarker(key: key, id: id.flatMap { $0.isEmpty ? nil : $0 })
        }
        if let lastPrefix, last.map({ $0.key < lastPrefix }) ?? true {
            return ObjectMarker(key: lastPrefix, id: nil)
        }
        guard let last else {
            throw .responseMalformed(detail: "a list goes on, and does not say where")
        }
        return ObjectMarker(key: last.key, id: last.id)
    }
}
