// SPDX-License-Identifier: Apache-2.0
import ObjectStorePorts
import S3Format

extension ObjectStoreBench {
    /// Stores each, and finds each again with what was stored under it.
    fileprivate func requireApart(_ names: [String]) async throws {
        let bucket = try await bucket(hasVersions: false)
        try await putAll(bucket, names)
        for name in names {
            let location = try location(bucket, name)
            try await requireContent(location.latest, Array(name.utf8), name)
        }
        let page = try await store.list(bucket, ObjectQuery())
        try require(
            page.objects.map(\.key) == names.compactMap { S3Key($0) }.sorted(),
            "the list has other keys")
    }
}

extension ObjectStoreCheck {
    static let contents = [
        ObjectStoreCheck("content comes back byte for byte, whatever its size") { bench in
            let bucket = try await bench.bucket(hasVersions: false)
            for size in [0, 1, 65_535, 65_536, 65_537, 300_000] {
                for hasLength in [true, false] {
                    let location = try bench.location(bucket, "\(size)-\(hasLength)")
                    try await bench.put(location, content(size), hasLength: hasLength)
                    try await bench.requireContent(location.latest, content(size), "\(size)")
                }
            }
        },
        ObjectStoreCheck("attributes and metadata come back byte for byte") { bench in
            let location = try await bench.location()
            let attributes = ObjectAttributes(
                contentType: "text/plain; charset=utf-8", cacheControl: "max-age=1, private",
                contentDisposition: "attachment; filename=\"a b.txt\"",
                contentEncoding: "gzip", contentLanguage: "de",
                metadata: S3Metadata(entries: [
                    .init("ct1", "b64url-_AA"), .init("other", "with  spaces, and a comma"),
                ]))
            try await bench.put(location, content(1), ObjectWrite(attributes: attributes))
            let head = try await bench.head(location.latest)
            try require(head.attributes == attributes, "head: \(head.attributes)")
            let read = try await bench.read(location.latest)
            try require(read.answer.head.attributes == attributes, "read: other attributes")
        },
        ObjectStoreCheck("a time of expiry comes back as it was given") { bench in
            let location = try await bench.location()
            let attributes = ObjectAttributes(
                contentType: "text/plain", expires: "Fri, 27 Nov 2026 03:04:05 GMT")
            try await bench.put(location, content(1), ObjectWrite(attributes: attributes))
            let head = try await bench.head(location.latest)
            try require(head.attributes == attributes, "head: \(head.attributes)")
        },
        ObjectStoreCheck("keys are told apart byte for byte") { bench in
            try await bench.requireApart([
                "a b", "a+b", "a%20b", "a%2Fb", "a/b", "\u{e9}", "e\u{301}", "日本", "😀", "a&b",
                "a=b", "a?b", "a#b", "a;b", "a'b", "a\"b", "a<b>", "A", "B",
                String(repeating: "k", count: 200),
            ])
        },
        ObjectStoreCheck(
            "keys that are no paths are told apart too", needs: [.keysThatAreNoPaths]
        ) { bench in
            try await bench.requireApart([
                "a", "a/", "a/b", "a//b", "/a/b", "a/./b", "a/../b", "../b",
                String(repeating: "k", count: 900),
            ])
        },
        ObjectStoreCheck("the write, head, read and list say the same of one write") { bench in
            let location = try await bench.location()
            let written = try await bench.put(location, content(10))
            let head = try await bench.head(location.latest)
            let read = try await bench.read(location.latest)
            let listed = try await bench.store.list(location.bucket, ObjectQuery()).objects
            try require(written.versionID == nil, "a version without versions")
            try require(head.tag == written.tag, "head has another tag")
            try require(read.answer.head == head, "read has another head")
            try require(listed.map(\.tag) == [written.tag], "the list has another tag")
            try require(listed.map(\.size) == [10], "the list has another size")
        },
        ObjectStoreCheck("other content has another tag") { bench in
            let location = try await bench.location()
            let first = try await bench.put(location, content(10))
            let second = try await bench.put(location, content(10, 1))
            try require(first.tag != second.tag, "the same tag")
            try await bench.requireContent(location.latest, content(10, 1), "the second")
        },
        ObjectStoreCheck("a reader sees one write, not parts of two") { bench in
            let location = try await bench.location()
            let sizes = [200_000, 150_000]
            try await bench.put(location, content(sizes[0], 0))
            let writer = Task {
                for round in 1...12 {
                    try await bench.put(location, content(sizes[round % 2], round))
                }
            }
            for _ in 0..<12 {
                let found = try await bench.read(location.latest)
                let isWhole = (0...12).contains {
                    found.bytes == content(sizes[$0 % 2], $0)
                }
                try require(isWhole, "parts of two writes")
                try require(found.answer.head.size == found.bytes.count, "the size of another")
            }
            try await writer.value
        },
    ]

    static let reads = [
        ObjectStoreCheck("a range is what was asked for") { bench in
            let location = try await bench.location()
            let all = content(200_000)
            try await bench.put(location, all)
            for (range, wanted) in [
                (S3ByteRange.from(0, through: 0), 0..<1),
                (.from(65_530, through: 65_545), 65_530..<65_546),
                (.from(199_999, through: nil), 199_999..<200_000),
                (.from(0, through: nil), 0..<200_000),
                (.from(150_000, through: 999_999), 150_000..<200_000),
                (.last(7), 199_993..<200_000),
            ] {
                let found = try await bench.read(location.latest, range)
                try require(found.bytes == Array(all[wanted]), "\(range): other bytes")
                let part = Int64(wanted.lowerBound)..<Int64(wanted.upperBound)
                try require(found.answer.part == part, "\(range): \(found.answer.part)")
                try require(found.answer.head.size == 200_000, "\(range): another size")
            }
            let whole = try await bench.read(location.latest)
            try require(whole.answer.part == 0..<200_000, "the whole is \(whole.answer.part)")
        },
        ObjectStoreCheck("more last bytes than there are are all") { bench in
            let location = try await bench.location()
            try await bench.put(location, content(10))
            let found = try await bench.read(location.latest, .last(999_999))
            try require(found.bytes == content(10), "other bytes")
            try require(found.answer.part == 0..<10, "\(found.answer.part)")
        },
        ObjectStoreCheck("a range that the object does not have is refused") { bench in
            let location = try await bench.location()
            try await bench.put(location, content(10))
            for range in [S3ByteRange.from(10, through: nil), .from(99, through: 100)] {
                try await requireFailure("\(range)", { $0.isUnsatisfiable }) {
                    try await bench.read(location.latest, range)
                }
            }
            try await bench.put(location, [])
            try await requireFailure("of nothing", { $0.isUnsatisfiable }) {
                try await bench.read(location.latest, .from(0, through: nil))
            }
        },
        ObjectStoreCheck("conditions of reads") { bench in
            let location = try await bench.location()
            let tag = try await bench.put(location, content(10)).tag
            let other = S3EntityTag("\"00000000000000000000000000000000\"")
            let modified = try await bench.head(location.latest).modified
            for conditions in [
                S3Conditions(ifMatch: .some([tag])), S3Conditions(ifNoneMatch: .some([other])),
                S3Conditions(ifModifiedSince: modified - 1),
                S3Conditions(ifUnmodifiedSince: modified),
            ] {
                let found = try await bench.read(location.latest, nil, conditions)
                try require(found.bytes == content(10), "\(conditions)")
                _ = try await bench.head(location.latest, conditions)
            }
            for conditions in [
                S3Conditions(ifMatch: .some([other])),
                S3Conditions(ifUnmodifiedSince: modified - 1),
            ] {
                try await requireFailure("\(conditions)", { $0 == .preconditionFailed }) {
                    try await bench.read(location.latest, nil, conditions)
                }
                try await requireFailure("\(conditions)", { $0 == .preconditionFailed }) {
                    try await bench.head(location.latest, conditions)
                }
            }
            for conditions in [
                S3Conditions(ifNoneMatch: .some([tag])), S3Conditions(ifModifiedSince: modified),
            ] {
                try await requireFailure("\(conditions)", { $0.isNotModified }) {
                    try await bench.read(location.latest, nil, conditions)
                }
                try await requireFailure("\(conditions)", { $0.isNotModified }) {
                    try await bench.head(location.latest, conditions)
                }
            }
        },
        ObjectStoreCheck("a condition of reads may name several tags") { bench in
            let location = try await bench.location()
            let tag = try await bench.put(location, content(10)).tag
            let others = ["0", "1"].map {
                S3EntityTag("\"" + String(repeating: $0, count: 32) + "\"")
            }
            _ = try await bench.head(
                location.latest, S3Conditions(ifMatch: .some(others + [tag])))
            try await requireFailure("others", { $0 == .preconditionFailed }) {
                try await bench.head(location.latest, S3Conditions(ifMatch: .some(others)))
            }
            try await requireFailure("one of them", { $0.isNotModified }) {
                try await bench.head(
                    location.latest, S3Conditions(ifNoneMatch: .some(others + [tag])))
            }
        },
        ObjectStoreCheck("what is not there is not found") { bench in
            let location = try await bench.location()
            try await bench.requireAbsent(location, "head")
            try await requireFailure("read", { $0 == .noSuchKey }) {
                try await bench.read(location.latest)
            }
            guard let absent = S3Bucket("no-such-bucket-anywhere") else { return }
            let elsewhere = try bench.location(absent, "key")
            try await requireFailure("read", { $0 == .noSuchBucket }) {
                try await bench.read(elsewhere.latest)
            }
            try await requireFailure("put", { $0 == .noSuchBucket }) {
                try await bench.put(elsewhere, content(1))
            }
            try await requireFailure("list", { $0 == .noSuchBucket }) {
                try await bench.store.list(absent, ObjectQuery())
            }
        },
    ]

    static let writes = [
        ObjectStoreCheck("a write may want nothing to be there", needs: [.conditionalWrites]) {
            bench in
            let location = try await bench.location()
            let write = ObjectWrite(conditions: S3Conditions(ifNoneMatch: .any))
            try await bench.put(location, content(10), write)
            try await requireFailure("again", { $0 == .preconditionFailed }) {
                try await bench.put(location, content(10, 1), write)
            }
            try await bench.requireContent(location.latest, content(10), "the first")
            _ = try await bench.store.delete(location.latest, .none)
            try await bench.put(location, content(10, 2), write)
        },
        ObjectStoreCheck("a write may want a tag to be there", needs: [.conditionalWrites]) {
            bench in
            let location = try await bench.location()
            func write(_ tag: S3EntityTag) -> ObjectWrite {
                ObjectWrite(conditions: S3Conditions(ifMatch: .some([tag])))
            }
            try await requireFailure("nothing there", { $0.isConditionFailed }) {
                try await bench.put(location, content(1), write(S3EntityTag("\"a\"")))
            }
            let first = try await bench.put(location, content(10)).tag
            let second = try await bench.put(location, content(10, 1), write(first)).tag
            try await requireFailure("the old tag", { $0 == .preconditionFailed }) {
                try await bench.put(location, content(10, 2), write(first))
            }
            try await bench.requireContent(location.latest, content(10, 1), "the second")
            try require(first != second, "the same tag")
        },
        ObjectStoreCheck(
            "of writes that want nothing to be there one succeeds", needs: [.conditionalWrites]
        ) {
            bench in
            let location = try await bench.location()
            let write = ObjectWrite(conditions: S3Conditions(ifNoneMatch: .any))
            let winners = await withTaskGroup(of: Int?.self) { group in
                for index in 0..<8 {
                    group.addTask {
                        (try? await bench.put(location, content(60_000, index), write)) == nil
                            ? nil : index
                    }
                }
                return await group.reduce(into: [Int]()) { if let index = $1 { $0.append(index) } }
            }
            try require(winners.count == 1, "\(winners.count) succeeded")
            try await bench.requireContent(
                location.latest, content(60_000, winners[0]), "the winner")
        },
    ]
}
