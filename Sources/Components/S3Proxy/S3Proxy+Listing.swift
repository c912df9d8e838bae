// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import S3Format
internal import SealedObject

extension S3Proxy {
    /// Footers that are read for one list at the same time.
    static var footersAtOnce: Int { 8 }
    /// Pages of the store that are asked for until one has something to show.
    static var pagesMax: Int { 4 }

    func listObjects(_ exchange: Exchange) async throws(Refusal) {
        let bucket = try exchange.bucket()
        let request: S3ObjectListRequest
        do throws(S3Error) { request = try S3ObjectListRequest(exchange.request) } catch {
            throw .request(error)
        }
        var page = ObjectListPage(objects: [], commonPrefixes: [], next: nil)
        if request.maxKeys > 0 { page = try await self.page(bucket, request) }
        let form: S3ObjectList.Form
        switch request.form {
        case .first(let marker):
            let last = max(page.objects.last?.key ?? .empty, page.commonPrefixes.last ?? .empty)
            form = .first(marker: marker, next: page.next == nil ? nil : last)
        case .second(let startAfter, let continuation, _):
            form = .second(startAfter: startAfter, continuation: continuation, next: page.next)
        }
        let list = S3ObjectList(
            bucket: bucket.name, prefix: request.prefix, delimiter: request.delimiter,
            maxKeys: request.maxKeys, encoding: request.encoding, isTruncated: page.next != nil,
            form: form, objects: try await shown(page.objects, bucket),
            commonPrefixes: page.commonPrefixes)
        try await exchange.answer(document: list.rendered())
    }

    /// A page without what is the proxy's own.
    private func page(
        _ bucket: S3Bucket, _ request: S3ObjectListRequest
    ) async throws(Refusal) -> ObjectListPage {
        var query = ObjectQuery(
            prefix: request.prefix, delimiter: request.delimiter, entriesMax: request.maxKeys)
        var passed = S3Key.empty
        switch request.form {
        case .first(let marker):
            query.start = .after(marker)
            passed = marker
        case .second(let startAfter, let continuation, _):
            query.start = continuation.map { .continuation($0) } ?? .after(startAfter)
        }
        var objects: [S3ListedObject] = []
        var prefixes: [S3Key] = []
        for _ in 0..<Self.pagesMax {
            let page: ObjectListPage
            do throws(ObjectStoreFailure) { page = try await store.list(bucket, query) } catch {
                throw .store(error)
            }
            objects += page.objects.filter { !settings.rules.isReserved($0.key) }
            // A marker may be a common prefix that was shown already.
            prefixes += page.commonPrefixes.filter {
                !settings.rules.isReserved($0) && (passed.isEmpty || $0 > passed)
            }
            // What was left out makes room for what follows.
            let room = request.maxKeys - objects.count - prefixes.count
            let shown = page.objects.count + page.commonPrefixes.count
            guard let next = page.next, room > 0, shown > 0 || objects.isEmpty else {
                return ObjectListPage(
                    objects: objects, commonPrefixes: prefixes, next: page.next)
            }
            query.entriesMax = room
            let last = max(page.objects.last?.key ?? .empty, page.commonPrefixes.last ?? .empty)
            if settings.rules.isReserved(last), let end = Self.end(of: settings.rules) {
                query.start = .after(end)
            } else {
                query.start = .continuation(next)
            }
        }
        // A store that gives pages with less than they have room for.
        guard !objects.isEmpty || !prefixes.isEmpty,
            case .continuation(let next) = query.start
        else { throw .request(S3Error(.slowDown)) }
        return ObjectListPage(objects: objects, commonPrefixes: prefixes, next: next)
    }

    /// Behind all that is the proxy's own: the last character that there is.
    private static func end(of rules: S3Rules) -> S3Key? {
        S3Key(bytes: rules.reservedPrefix.bytes + [0xF4, 0x8F, 0xBF, 0xBF])
    }

    func listVersions(_ exchange: Exchange) async throws(Refusal) {
        let bucket = try exchange.bucket()
        let request: S3VersionListRequest
        do throws(S3Error) { request = try S3VersionListRequest(exchange.request.query) } catch {
            throw .request(error)
        }
        let page =
            request.maxKeys > 0
            ? try await self.page(bucket, request)
            : ObjectVersionPage(versions: [], commonPrefixes: [], next: nil)
        let list = S3VersionList(
            bucket: bucket.name, prefix: request.prefix, delimiter: request.delimiter,
            keyMarker: request.keyMarker, versionMarker: request.versionMarker ?? "",
            nextKeyMarker: page.next?.key, nextVersionMarker: page.next?.id,
            maxKeys: request.maxKeys, encoding: request.encoding, isTruncated: page.next != nil,
            versions: try await shown(page.versions, bucket), commonPrefixes: page.commonPrefixes)
        try await exchange.answer(document: list.rendered())
    }

    /// A page of versions without what is the proxy's own, which no marker names either.
    private func page(
        _ bucket: S3Bucket, _ request: S3VersionListRequest
    ) async throws(Refusal) -> ObjectVersionPage {
        var query = ObjectMarkerQuery(
            prefix: request.prefix, delimiter: request.delimiter, entriesMax: request.maxKeys)
        if !request.keyMarker.isEmpty {
            query.start = ObjectMarker(key: request.keyMarker, id: request.versionMarker)
        }
        for _ in 0..<Self.pagesMax {
            let page: ObjectVersionPage
            do throws(ObjectStoreFailure) {
                page = try await store.listVersions(bucket, query)
            } catch { throw .store(error) }
            let versions = page.versions.filter { !settings.rules.isReserved($0.key) }
            let prefixes = page.commonPrefixes.filter { !settings.rules.isReserved($0) }
            guard let next = page.next, settings.rules.isReserved(next.key) else {
                return ObjectVersionPage(
                    versions: versions, commonPrefixes: prefixes, next: page.next)
            }
            // The last that was shown; what follows it is skipped again then.
            if let last = versions.last {
                let isPrefixLast = prefixes.last.map { $0 > last.key } ?? false
                let marker = ObjectMarker(
                    key: isPrefixLast ? prefixes.last ?? last.key : last.key,
                    id: isPrefixLast ? nil : last.versionID)
                return ObjectVersionPage(
                    versions: versions, commonPrefixes: prefixes, next: marker)
            }
            if let last = prefixes.last {
                return ObjectVersionPage(
                    versions: [], commonPrefixes: prefixes, next: ObjectMarker(key: last, id: nil))
            }
            guard let end = Self.end(of: settings.rules) else { break }
            query.start = ObjectMarker(key: end, id: nil)
        }
        throw .request(S3Error(.slowDown))
    }

    // MARK: - Sizes and tags

    private func shown(
        _ objects: [S3ListedObject], _ bucket: S3Bucket
    ) async throws(Refusal) -> [S3ListedObject] {
        let sizes = try await plainSizes(
            objects.map { Listed(key: $0.key, version: nil, tag: $0.tag, size: $0.size) }, bucket)
        return zip(objects, sizes).map { object, size in
            var object = object
            object.size = size
            object.tag = ClientTag.client(object.tag)
            return object
        }
    }

    private func shown(
        _ versions: [S3ListedVersion], _ bucket: S3Bucket
    ) async throws(Refusal) -> [S3ListedVersion] {
        let listed = versions.map { version -> Listed? in
            guard case .object(let tag, let size, _) = version.content else { return nil }
            return Listed(key: version.key, version: version.versionID, tag: tag, size: size)
        }
        var sizes = try await plainSizes(listed.compactMap { $0 }, bucket)[...]
        return versions.map { version in
            var version = version
            guard case .object(let tag, _, let storage) = version.content else { return version }
            version.content = .object(
                tag: ClientTag.client(tag), size: sizes.popFirst() ?? 0, storageClass: storage)
            return version
        }
    }

    struct Listed: Sendable {
        let key: S3Key
        let version: String?
        let tag: S3EntityTag
        let size: Int64
    }

    /// By arithmetic for objects in one piece; objects in parts are looked at once. One that cannot
    /// be opened has the size that the arithmetic gives, or the store's: a list says nothing about
    /// whether an object is sound.
    private func plainSizes(
        _ listed: [Listed], _ bucket: S3Bucket
    ) async throws(Refusal) -> [Int64] {
        await withTaskGroup(of: (Int, Int64).self) { group in
            var sizes = listed.map { Self.arithmeticSize($0) }
            var waiting = listed.indices.filter { index in
                let location = ObjectLocation(bucket, listed[index].key)
                return settings.dialect == .simple
                    || ClientTag.parts(of: listed[index].tag) != nil
                    || settings.passThrough.contains { $0.covers(location) }
            }[...]
            for _ in 0..<Self.footersAtOnce {
                guard let index = waiting.popFirst() else { break }
                group.addTask { (index, await self.exactSize(listed[index], bucket)) }
            }
            while let (index, size) = await group.next() {
                sizes[index] = size
                guard let index = waiting.popFirst() else { continue }
                group.addTask { (index, await self.exactSize(listed[index], bucket)) }
            }
            return sizes
        }
    }

    private static func arithmeticSize(_ listed: Listed) -> Int64 {
        let sealed = Int(clamping: listed.size)
        let plain =
            if let parts = ClientTag.parts(of: listed.tag) {
                FooterLayout.alignedPlainSize(ofSealed: sealed, upstreamParts: parts)
            } else {
                SegmentSize.plainSize(ofSealed: sealed)
            }
        return plain.map(Int64.init) ?? listed.size
    }

    private func exactSize(_ listed: Listed, _ bucket: S3Bucket) async -> Int64 {
        let name = ListedSizes.Name(
            bucket: bucket, key: listed.key, tag: String(listed.tag.bare))
        if let known = sizes[name] { return known }
        let version = ObjectLocation(bucket, listed.key).version(listed.version)
        do throws(Refusal) {
            let isPlain = try await unsealed(version, .only(listed.tag)) != nil
            let size =
                isPlain ? listed.size : try await reader.unlock(version, .only(listed.tag)).size
            sizes.set(name, size)
            return size
        } catch { return Self.arithmeticSize(listed) }
    }
}
