// SPDX-License-Identifier: Apache-2.0
import ObjectStorePorts
import S3Format

/// Bytes of the smallest part that is not the last.
private let partBytes = Int(S3Limits.partBytesMin)

extension ObjectStoreBench {
    func upload(
        _ location: ObjectLocation, _ write: ObjectWrite = ObjectWrite()
    ) async throws -> ObjectUpload {
        try await store.createUpload(location, write)
    }

    func part(
        _ upload: ObjectUpload, _ number: Int, _ bytes: [UInt8], hasLength: Bool = true
    ) async throws -> S3NamedPart {
        let body = ObjectBody(
            ArraySource(bytes, chunkBytes: 200_000), length: hasLength ? Int64(bytes.count) : nil)
        return S3NamedPart(
            number: number, tag: try await store.uploadPart(upload, number, body))
    }
}

extension ObjectStoreFailure {
    fileprivate var isNoSuchUpload: Bool { self == .noSuchUpload }
}

extension ObjectStoreCheck {
    static let uploads = [
        ObjectStoreCheck("parts become an object, whatever their order of arrival") { bench in
            let location = try await bench.location()
            let attributes = ObjectAttributes(
                contentType: "text/plain", metadata: S3Metadata(entries: [.init("a", "1")]))
            let upload = try await bench.upload(location, ObjectWrite(attributes: attributes))
            let third = try await bench.part(upload, 30, content(7, 3), hasLength: false)
            let first = try await bench.part(upload, 1, content(partBytes, 1))
            let second = try await bench.part(upload, 2, content(partBytes + 1, 2))
            try await bench.requireAbsent(location, "seen before it was complete")
            let listed = try await bench.store.list(location.bucket, ObjectQuery())
            try require(listed.objects.isEmpty, "listed before it was complete")
            let written = try await bench.store.completeUpload(
                upload, [first, second, third], .none)
            let whole = content(partBytes, 1) + content(partBytes + 1, 2) + content(7, 3)
            try await bench.requireContent(location.latest, whole, "the object")
            let head = try await bench.head(location.latest)
            try require(head.tag == written.tag, "another tag")
            try require(head.attributes == attributes, "\(head.attributes)")
            let edge = try await bench.read(
                location.latest,
                .from(Int64(partBytes) - 2, through: Int64(partBytes) + 1))
            try require(edge.bytes == Array(whole[(partBytes - 2)..<(partBytes + 2)]), "the edge")
        },
        ObjectStoreCheck("a part is replaced by another of its number, or left out") { bench in
            let location = try await bench.location()
            let upload = try await bench.upload(location)
            let old = try await bench.part(upload, 1, content(10, 1))
            let new = try await bench.part(upload, 1, content(10, 2))
            _ = try await bench.part(upload, 2, content(10, 3))
            try require(old.tag != new.tag, "the same tag")
            try await requireFailure("the old tag", { $0 == .invalidPart }) {
                try await bench.store.completeUpload(upload, [old], .none)
            }
            _ = try await bench.store.completeUpload(upload, [new], .none)
            try await bench.requireContent(location.latest, content(10, 2), "the new")
        },
        ObjectStoreCheck("parts that are not there complete nothing") { bench in
            let location = try await bench.location()
            let upload = try await bench.upload(location)
            let first = try await bench.part(upload, 1, content(partBytes, 1))
            let second = try await bench.part(upload, 2, content(10, 2))
            let absent = S3NamedPart(number: 3, tag: second.tag)
            try await requireFailure("absent", { $0 == .invalidPart }) {
                try await bench.store.completeUpload(upload, [first, absent], .none)
            }
            let other = S3NamedPart(number: 2, tag: first.tag)
            try await requireFailure("another tag", { $0 == .invalidPart }) {
                try await bench.store.completeUpload(upload, [first, other], .none)
            }
            try await bench.requireAbsent(location, "it was completed")
            _ = try await bench.store.completeUpload(upload, [first, second], .none)
            try await bench.requireContent(
                location.latest, content(partBytes, 1) + content(10, 2), "afterwards")
        },
        ObjectStoreCheck("parts that are not in order complete nothing") { bench in
            let location = try await bench.location()
            let upload = try await bench.upload(location)
            // As large: a small one that is not the last would be wrong too.
            let first = try await bench.part(upload, 1, content(partBytes, 1))
            let second = try await bench.part(upload, 2, content(partBytes, 2))
            try await requireFailure("descending", { $0 == .invalidPartOrder }) {
                try await bench.store.completeUpload(upload, [second, first], .none)
            }
            try await bench.requireAbsent(location, "it was completed")
            _ = try await bench.store.completeUpload(upload, [first, second], .none)
            try await bench.requireContent(
                location.latest, content(partBytes, 1) + content(partBytes, 2), "afterwards")
        },
        ObjectStoreCheck("a part that is too small and not the last completes nothing") { bench in
            let location = try await bench.location()
            let upload = try await bench.upload(location)
            let first = try await bench.part(upload, 1, content(partBytes - 1, 1))
            let second = try await bench.part(upload, 2, content(1, 2))
            try await requireFailure("too small", { $0 == .partTooSmall }) {
                try await bench.store.completeUpload(upload, [first, second], .none)
            }
            try await bench.requireAbsent(location, "it was completed")
            _ = try await bench.store.completeUpload(upload, [first], .none)
            try await bench.requireContent(location.latest, content(partBytes - 1, 1), "alone")
        },
        ObjectStoreCheck("a part whose source fails leaves the one before") { bench in
            let location = try await bench.location()
            let upload = try await bench.upload(location)
            let part = try await bench.part(upload, 1, content(10, 1))
            for length in [Int64(300_000), nil] {
                let source = ArraySource(content(200_000), failsAtEnd: true)
                try await requireFailure("the source", { $0 == .sourceFailed }) {
                    try await bench.store.uploadPart(upload, 1, ObjectBody(source, length: length))
                }
            }
            try await requireFailure("another length", { $0.isLengthMismatch }) {
                try await bench.store.uploadPart(
                    upload, 1, ObjectBody(ArraySource(content(9)), length: 10))
            }
            _ = try await bench.store.completeUpload(upload, [part], .none)
            try await bench.requireContent(location.latest, content(10, 1), "the one before")
        },
        ObjectStoreCheck("an aborted upload is gone") { bench in
            let location = try await bench.location()
            try await bench.put(location, content(3))
            let upload = try await bench.upload(location)
            _ = try await bench.part(upload, 1, content(10))
            try await bench.store.abortUpload(upload)
            try await requireFailure("parts", \.isNoSuchUpload) {
                try await bench.store.listParts(upload, after: 0, entriesMax: 10)
            }
            let page = try await bench.store.listUploads(location.bucket, ObjectMarkerQuery())
            try require(page.uploads.isEmpty, "it is still listed")
            try await bench.requireContent(location.latest, content(3), "the object")
        },
        ObjectStoreCheck("an aborted upload takes nothing more") { bench in
            let location = try await bench.location()
            let upload = try await bench.upload(location)
            let part = try await bench.part(upload, 1, content(10))
            try await bench.store.abortUpload(upload)
            try await requireFailure("a part", \.isNoSuchUpload) {
                try await bench.part(upload, 2, content(1))
            }
            try await requireFailure("complete", \.isNoSuchUpload) {
                try await bench.store.completeUpload(upload, [part], .none)
            }
            try await bench.requireAbsent(location, "it was completed")
        },
        ObjectStoreCheck("a completed upload is gone") { bench in
            let location = try await bench.location()
            let upload = try await bench.upload(location)
            let part = try await bench.part(upload, 1, content(10))
            let written = try await bench.store.completeUpload(upload, [part], .none)
            do {
                let again = try await bench.store.completeUpload(upload, [part], .none)
                try require(again == written, "completed again as something else")
            } catch let failure as ObjectStoreFailure {
                try require(failure.isNoSuchUpload, "\(failure)")
            }
            let page = try await bench.store.listUploads(location.bucket, ObjectMarkerQuery())
            try require(page.uploads.isEmpty, "it is still listed")
            try await bench.requireContent(location.latest, content(10), "the object")
        },
        ObjectStoreCheck("a completion may want nothing to be there", needs: [.conditionalWrites]) {
            bench in
            let location = try await bench.location()
            let upload = try await bench.upload(location)
            let part = try await bench.part(upload, 1, content(10, 1))
            try await bench.put(location, content(10))
            try await requireFailure("something there", { $0 == .preconditionFailed }) {
                try await bench.store.completeUpload(
                    upload, [part], S3Conditions(ifNoneMatch: .any))
            }
            try await bench.requireContent(location.latest, content(10), "what was there")
            _ = try await bench.store.delete(location.latest, .none)
            _ = try await bench.store.completeUpload(
                upload, [part], S3Conditions(ifNoneMatch: .any))
            try await bench.requireContent(location.latest, content(10, 1), "the upload's")
        },
        ObjectStoreCheck("a part may come from within the store") { bench in
            let location = try await bench.location()
            let source = try bench.location(location.bucket, "source a+b")
            let all = content(partBytes + 1000, 5)
            let tag = try await bench.put(source, all).tag
            let upload = try await bench.upload(location)
            let range = 500..<Int64(partBytes + 500)
            let first = try await bench.store.copyPart(
                upload, 1, from: source.latest, range, S3Conditions(ifMatch: .some([tag])))
            let second = try await bench.store.copyPart(
                upload, 2, from: source.latest, nil, .none)
            try await requireFailure("the source", { $0 == .preconditionFailed }) {
                try await bench.store.copyPart(
                    upload, 3, from: source.latest, nil, S3Conditions(ifNoneMatch: .some([tag])))
            }
            _ = try await bench.store.completeUpload(
                upload, [.init(number: 1, tag: first), .init(number: 2, tag: second)], .none)
            try await bench.requireContent(
                location.latest, Array(all[500..<(partBytes + 500)]) + all, "the object")
        },
    ]

    static let uploadLists = [
        ObjectStoreCheck("parts are listed by number, page by page") { bench in
            let location = try await bench.location()
            let upload = try await bench.upload(location)
            var wanted: [Int: S3EntityTag] = [:]
            for number in [10_000, 3, 7, 1, 4] {
                wanted[number] = try await bench.part(upload, number, content(number % 9)).tag
            }
            for count in [1, 2, 5, 6] {
                var found: [S3ListedPart] = []
                var after: Int? = 0
                while let number = after, found.count <= wanted.count {
                    let page = try await bench.store.listParts(
                        upload, after: number, entriesMax: count)
                    try require(page.parts.count <= count, "\(page.parts.count) on a page")
                    found += page.parts
                    after = page.next
                }
                try require(found.map(\.number) == wanted.keys.sorted(), "pages of \(count)")
                try require(
                    found.allSatisfy { wanted[$0.number] == $0.tag && $0.size == $0.number % 9 },
                    "other tags or sizes")
            }
        },
        ObjectStoreCheck("uploads are listed by key, page by page, each by itself") { bench in
            let bucket = try await bench.bucket(hasVersions: false)
            var wanted: [String: Set<String>] = [:]
            for name in ["b", "a/1", "a/2", "b", "c+ \u{e9}"] {
                let upload = try await bench.upload(try bench.location(bucket, name))
                wanted[name, default: []].insert(upload.id)
            }
            for count in [1, 2, 1000] {
                var query = ObjectMarkerQuery(entriesMax: count)
                var found: [S3ListedUpload] = []
                repeat {
                    let page = try await bench.store.listUploads(bucket, query)
                    try require(page.uploads.count <= count, "\(page.uploads.count) on a page")
                    found += page.uploads
                    query.start = page.next
                } while query.start != nil && found.count <= 5
                try require(
                    found.map(\.key.text) == ["a/1", "a/2", "b", "b", "c+ \u{e9}"],
                    "pages of \(count): \(found.map(\.key))")
                for (name, ids) in wanted {
                    let listed = found.filter { $0.key.text == name }.map(\.uploadID)
                    try require(Set(listed) == ids, "other uploads of \(name)")
                }
            }
            let rolled = try await bench.store.listUploads(
                bucket, ObjectMarkerQuery(delimiter: S3Key("/") ?? .empty))
            try require(rolled.commonPrefixes.map(\.text) == ["a/"], "not rolled up")
            try require(rolled.uploads.count == 3, "\(rolled.uploads.count)")
        },
        ObjectStoreCheck("uploads of one key do not meet") { bench in
            let location = try await bench.location()
            let first = try await bench.upload(location)
            let second = try await bench.upload(location)
            let one = try await bench.part(first, 1, content(10, 1))
            let two = try await bench.part(second, 1, content(10, 2))
            try await requireFailure("the other's part", { $0 == .invalidPart }) {
                try await bench.store.completeUpload(first, [two], .none)
            }
            _ = try await bench.store.completeUpload(second, [two], .none)
            try await bench.requireContent(location.latest, content(10, 2), "the second")
            _ = try await bench.store.completeUpload(first, [one], .none)
            try await bench.requireContent(location.latest, content(10, 1), "the first")
        },
    ]
}
