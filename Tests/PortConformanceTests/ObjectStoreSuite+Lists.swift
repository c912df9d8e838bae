// SPDX-License-Identifier: Apache-2.0
import ObjectStorePorts
import S3Format

extension ObjectStoreBench {
    /// All pages, each checked for its size.
    func list(_ bucket: S3Bucket, _ query: ObjectQuery) async throws -> ObjectListPage {
        var query = query
        var objects: [S3ListedObject] = []
        var prefixes: [S3Key] = []
        for _ in 0..<1000 {
            let page = try await store.list(bucket, query)
            let count = page.objects.count + page.commonPrefixes.count
            try require(count <= query.entriesMax, "\(count) entries on a page")
            objects += page.objects
            prefixes += page.commonPrefixes
            guard let next = page.next else {
                return ObjectListPage(objects: objects, commonPrefixes: prefixes, next: nil)
            }
            try require(count > 0, "an empty page that is not the last")
            query.start = .continuation(next)
        }
        throw ObjectStoreFinding(description: "the list does not end")
    }
}

extension ObjectStoreBench {
    fileprivate var names: [String] {
        let paths = [
            "a.", "a/1", "a/2", "a/b/3", "a/b/4", "a0", "b/1", "c d/1", "c%20d/1", "Z", "é/1",
            "\u{FFFD}", "😀/1", "z",
        ]
        // Sorted as text the last would be the same as é.
        let others = ["a", "b/", "e\u{301}/2"]
        return features.contains(.keysThatAreNoPaths) ? others + paths : paths
    }
}

extension ObjectStoreCheck {
    static let lists = [
        ObjectStoreCheck("lists are sorted by the bytes of the keys") { bench in
            let bucket = try await bench.bucket(hasVersions: false)
            let keys = try await bench.putAll(bucket, bench.names)
            let page = try await bench.store.list(bucket, ObjectQuery())
            try require(page.objects.map(\.key) == keys, "\(page.objects.map(\.key))")
            try require(page.next == nil, "more to come")
            try require(
                page.objects.map(\.size) == keys.map { Int64($0.count) }, "other sizes")
        },
        ObjectStoreCheck("pages have all entries, each once") { bench in
            let bucket = try await bench.bucket(hasVersions: false)
            let keys = try await bench.putAll(bucket, bench.names)
            for count in [1, 2, 3, 7, bench.names.count, bench.names.count + 1] {
                let all = try await bench.list(bucket, ObjectQuery(entriesMax: count))
                try require(all.objects.map(\.key) == keys, "pages of \(count)")
            }
            let exact = try await bench.store.list(
                bucket, ObjectQuery(entriesMax: bench.names.count))
            try require(exact.next == nil, "more to come after all")
        },
        ObjectStoreCheck("a prefix chooses keys byte for byte") { bench in
            let bucket = try await bench.bucket(hasVersions: false)
            let keys = try await bench.putAll(bucket, bench.names)
            for prefix in ["", "a", "a/", "a/b", "c d", "c%20", "é", "e", "nothing"] {
                guard let prefix = S3Key(prefix) else { continue }
                let page = try await bench.store.list(bucket, ObjectQuery(prefix: prefix))
                try require(
                    page.objects.map(\.key) == keys.filter { $0.hasPrefix(prefix) },
                    "\(prefix): \(page.objects.map(\.key))")
            }
        },
        ObjectStoreCheck("a delimiter rolls keys up, page by page") { bench in
            let bucket = try await bench.bucket(hasVersions: false)
            let keys = try await bench.putAll(bucket, bench.names)
            for (prefix, delimiter) in [("", "/"), ("a", "/"), ("a/", "/"), ("", "/b/"), ("", "1")]
            {
                guard let prefix = S3Key(prefix), let delimiter = S3Key(delimiter) else { continue }
                let chosen = keys.filter { $0.hasPrefix(prefix) }
                let rolled = Set(
                    chosen.compactMap { $0.commonPrefix(prefix, delimiter: delimiter) })
                let plain = chosen.filter {
                    $0.commonPrefix(prefix, delimiter: delimiter) == nil
                }
                for count in [1, 2, 1000] {
                    let all = try await bench.list(
                        bucket,
                        ObjectQuery(prefix: prefix, delimiter: delimiter, entriesMax: count))
                    let what = "\(prefix) \(delimiter) \(count)"
                    try require(all.objects.map(\.key) == plain, "\(what): other keys")
                    try require(
                        all.commonPrefixes == rolled.sorted(),
                        "\(what): \(all.commonPrefixes)")
                }
            }
        },
        ObjectStoreCheck("a list may start behind a key") { bench in
            let bucket = try await bench.bucket(hasVersions: false)
            let keys = try await bench.putAll(bucket, bench.names)
            for start in ["a", "a/", "a/1", "a/zzz", "Z", "é/1", "\u{10FFFF}"] {
                guard let start = S3Key(start) else { continue }
                let all = try await bench.list(
                    bucket, ObjectQuery(start: .after(start), entriesMax: 4))
                try require(all.objects.map(\.key) == keys.filter { $0 > start }, "\(start)")
            }
        },
        ObjectStoreCheck("an empty bucket has an empty list") { bench in
            let bucket = try await bench.bucket(hasVersions: false)
            let page = try await bench.store.list(bucket, ObjectQuery())
            try require(
                page == ObjectListPage(objects: [], commonPrefixes: [], next: nil), "\(page)")
        },
    ]

    static let versions = [
        ObjectStoreCheck("each version stays what it was", needs: [.versions]) { bench in
            let location = try await bench.location(hasVersions: true)
            var written: [ObjectWritten] = []
            for index in 0..<3 {
                written.append(try await bench.put(location, content(10 + index, index)))
            }
            let ids = written.compactMap(\.versionID)
            try require(Set(ids).count == 3, "\(ids)")
            for (index, id) in ids.enumerated() {
                let version = location.version(id)
                try await bench.requireContent(version, content(10 + index, index), id)
                let head = try await bench.head(version)
                try require(head.versionID == id, "another version")
                try require(head.tag == written[index].tag, "another tag")
            }
            try await bench.requireContent(location.latest, content(12, 2), "the latest")
            _ = try await bench.store.copy(
                location.version(ids[0]), .none, to: location, ObjectWrite())
            try await bench.requireContent(location.latest, content(10, 0), "the copy")
        },
        ObjectStoreCheck("a deletion hides versions, and can be taken back", needs: [.versions]) {
            bench in
            let location = try await bench.location(hasVersions: true)
            let first = try await bench.put(location, content(10))
            let mark = try await bench.store.delete(location.latest, .none)
            try require(mark.isMarker && mark.versionID != nil, "\(mark)")
            try await bench.requireAbsent(location, "deleted")
            let listed = try await bench.store.list(location.bucket, ObjectQuery())
            try require(listed.objects.isEmpty, "it is still listed")
            try await bench.requireContent(
                location.version(first.versionID), content(10), "the version")
            try await requireFailure("the mark", { $0 == .isDeleteMarker }) {
                try await bench.head(location.version(mark.versionID))
            }
            _ = try await bench.store.delete(location.version(mark.versionID), .none)
            try await bench.requireContent(location.latest, content(10), "taken back")
            _ = try await bench.store.delete(location.version(first.versionID), .none)
            try await bench.requireAbsent(location, "deleted for good")
            try await requireFailure("gone", { $0 == .noSuchVersion }) {
                try await bench.read(location.version(first.versionID))
            }
        },
        ObjectStoreCheck("a deletion of a mark says so", needs: [.versions]) { bench in
            let location = try await bench.location(hasVersions: true)
            let written = try await bench.put(location, content(10))
            let mark = try await bench.store.delete(location.latest, .none)
            let back = try await bench.store.delete(location.version(mark.versionID), .none)
            try require(mark.isMarker && back == mark, "\(mark), \(back)")
            let gone = try await bench.store.delete(location.version(written.versionID), .none)
            try require(!gone.isMarker && gone.versionID == written.versionID, "\(gone)")
        },
        ObjectStoreCheck("a mark of a deletion cannot be read", needs: [.versions]) { bench in
            let location = try await bench.location(hasVersions: true)
            try await bench.put(location, content(10))
            let mark = try await bench.store.delete(location.latest, .none)
            try await requireFailure("the mark", { $0 == .isDeleteMarker }) {
                try await bench.read(location.version(mark.versionID))
            }
        },
        ObjectStoreCheck("versions are listed by key, the latest first", needs: [.versions]) {
            bench in
            let bucket = try await bench.bucket(hasVersions: true)
            var wanted: [String] = []
            for name in ["a/1", "b", "c"] {
                let location = try bench.location(bucket, name)
                var ids: [String] = []
                for index in 0..<3 {
                    let written = try await bench.put(location, content(1 + index))
                    ids.append(written.versionID ?? "")
                }
                if name == "b" {
                    let mark = try await bench.store.delete(location.latest, .none)
                    ids.append(mark.versionID ?? "")
                }
                wanted += ids.reversed().map { name + " " + $0 }
            }
            for count in [1, 2, 3, 1000] {
                var query = ObjectMarkerQuery(entriesMax: count)
                var found: [S3ListedVersion] = []
                repeat {
                    let page = try await bench.store.listVersions(bucket, query)
                    try require(page.versions.count <= count, "\(page.versions.count) on a page")
                    found += page.versions
                    query.start = page.next
                } while query.start != nil && found.count <= wanted.count
                try require(
                    found.map { $0.key.text + " " + $0.versionID } == wanted, "pages of \(count)")
                try require(
                    found.filter(\.isLatest).map(\.key.text) == ["a/1", "b", "c"], "the latest")
                try require(
                    found.filter { $0.content == .deleteMarker }.map(\.key.text) == ["b"],
                    "the mark")
            }
            let rolled = try await bench.store.listVersions(
                bucket, ObjectMarkerQuery(delimiter: S3Key("/") ?? .empty))
            try require(rolled.commonPrefixes.map(\.text) == ["a/"], "not rolled up")
            try require(rolled.versions.count == 7, "\(rolled.versions.count)")
        },
    ]

    static let tags = [
        ObjectStoreCheck("tags come back, are replaced and removed", needs: [.tags]) { bench in
            let location = try await bench.location()
            let first = S3Tagging(tags: [.init(key: "a", value: "b c"), .init(key: "d", value: "")])
            let second = S3Tagging(tags: [.init(key: "e", value: "f")])
            let tag = try await bench.put(
                location, content(10), ObjectWrite(tagging: first)
            ).tag
            func requireTags(_ wanted: S3Tagging, _ location: ObjectLocation) async throws {
                let found = try await bench.store.tags(location.latest)
                try require(Set(found.tags) == Set(wanted.tags), "\(found)")
            }
            try await requireTags(first, location)
            try await bench.store.setTags(location.latest, second)
            try await requireTags(second, location)
            let copy = try bench.location(location.bucket, "copy")
            _ = try await bench.store.copy(location.latest, .none, to: copy, ObjectWrite())
            try await requireTags(second, copy)
            _ = try await bench.store.copy(
                location.latest, .none, to: copy, ObjectWrite(tagging: first))
            try await requireTags(first, copy)
            try await bench.store.removeTags(location.latest)
            try await requireTags(S3Tagging(tags: []), location)
            try await bench.requireContent(location.latest, content(10), "tagged")
            try require(try await bench.head(location.latest).tag == tag, "another tag")
            let absent = try bench.location(location.bucket, "absent")
            try await requireFailure("of nothing", { $0 == .noSuchKey }) {
                try await bench.store.tags(absent.latest)
            }
        }
    ]
}
