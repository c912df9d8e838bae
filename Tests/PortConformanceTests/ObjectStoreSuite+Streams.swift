// SPDX-License-Identifier: Apache-2.0
import ObjectStorePorts
import S3Format

extension ObjectStoreCheck {
    static let streams = [
        ObjectStoreCheck("a body whose source fails leaves nothing") { bench in
            let location = try await bench.location()
            for hasEarlier in [false, true] {
                if hasEarlier { try await bench.put(location, content(10)) }
                for length in [Int64(200_000), nil] {
                    let source = ArraySource(content(120_000), failsAtEnd: true)
                    try await requireFailure("\(hasEarlier)", { $0 == .sourceFailed }) {
                        try await bench.store.put(
                            location, ObjectBody(source, length: length), ObjectWrite())
                    }
                    if hasEarlier {
                        try await bench.requireContent(location.latest, content(10), "the earlier")
                    } else {
                        try await bench.requireAbsent(location, "a part of the body was stored")
                    }
                }
            }
        },
        ObjectStoreCheck("a body of another length than declared leaves nothing") { bench in
            let location = try await bench.location()
            try await bench.put(location, content(10))
            for (declared, sent) in [(100_001, 100_000), (99_999, 100_000), (1, 0), (0, 1)] {
                let body = ObjectBody(ArraySource(content(sent)), length: Int64(declared))
                try await requireFailure("\(declared)", { $0.isLengthMismatch }) {
                    try await bench.store.put(location, body, ObjectWrite())
                }
                try await bench.requireContent(location.latest, content(10), "the earlier")
            }
        },
        ObjectStoreCheck("a source is asked once at a time, and not after its end") { bench in
            let location = try await bench.location()
            for size in [0, 1, 500_000] {
                for length in [Int64(size), nil] {
                    let source = ArraySource(content(size), chunkBytes: 9000)
                    _ = try await bench.store.put(
                        location, ObjectBody(source, length: length), ObjectWrite())
                    try require(source.misuse == nil, source.misuse ?? "")
                    try require(source.isOver, "its end was not seen")
                }
            }
        },
        ObjectStoreCheck("chunks of a source may be as large as allowed, and no larger") { bench in
            let location = try await bench.location()
            let most = ObjectStoreLimits.chunkBytesMax
            let largest = ArraySource(content(most), chunkBytes: most)
            _ = try await bench.store.put(
                location, ObjectBody(largest, length: nil), ObjectWrite())
            try await bench.requireContent(location.latest, content(most), "the largest")
            let larger = ArraySource(content(most + 1), chunkBytes: most + 1)
            try await requireFailure("larger", { $0 == .sourceFailed }) {
                try await bench.store.put(location, ObjectBody(larger, length: nil), ObjectWrite())
            }
            try await bench.requireContent(location.latest, content(most), "the earlier")
        },
        ObjectStoreCheck("a stream has chunks of an allowed size, and ends for good") { bench in
            let location = try await bench.location()
            try await bench.put(location, content(1_000_000))
            let (sizes, endings) = try await bench.store.read(location.latest, nil, .none) {
                (_, stream) async throws(ObjectStoreFailure) in
                var sizes: [Int] = []
                while let chunk = try await stream.next() { sizes.append(chunk.count) }
                let endings = [try await stream.next(), try await stream.next()]
                return (sizes, endings)
            }
            try require(sizes.reduce(0, +) == 1_000_000, "\(sizes)")
            try require(
                sizes.allSatisfy { (1...ObjectStoreLimits.chunkBytesMax).contains($0) },
                "\(sizes)")
            try require(endings.allSatisfy { $0 == nil }, "more after the end")
        },
        ObjectStoreCheck("a reader may stop early") { bench in
            let location = try await bench.location()
            try await bench.put(location, content(1_000_000))
            for _ in 0..<3 {
                let first = try await bench.store.read(location.latest, nil, .none) {
                    (_, stream) async throws(ObjectStoreFailure) in try await stream.next()
                }
                try require(first?.first == content(1)[0], "another first byte")
                let none = try await bench.store.read(location.latest, nil, .none) {
                    (answer, _) async throws(ObjectStoreFailure) in answer.head.size
                }
                try require(none == 1_000_000, "another size")
            }
            try await bench.requireContent(location.latest, content(1_000_000), "afterwards")
        },
        ObjectStoreCheck("a failure of the reader comes through") { bench in
            let location = try await bench.location()
            try await bench.put(location, content(1_000_000))
            let mark = ObjectStoreFailure.refused(code: "Mark", status: 418)
            try await requireFailure("the reader's", { $0 == mark }) {
                try await bench.store.read(location.latest, nil, .none) {
                    (_, stream) async throws(ObjectStoreFailure) -> Int in
                    _ = try await stream.next()
                    throw mark
                }
            }
        },
        ObjectStoreCheck("a cancelled call ends, and leaves nothing") { bench in
            let location = try await bench.location()
            let call = Task {
                while !Task.isCancelled { await Task.yield() }
                try await requireFailure("put", { $0 == .cancelled }) {
                    try await bench.put(location, content(10))
                }
                try await requireFailure("list", { $0 == .cancelled }) {
                    try await bench.store.list(location.bucket, ObjectQuery())
                }
            }
            call.cancel()
            try await call.value
            try await bench.requireAbsent(location, "it was stored")
        },
    ]

    static let deletions = [
        ObjectStoreCheck("what was deleted is gone, and may be deleted again") { bench in
            let location = try await bench.location()
            let other = try bench.location(location.bucket, "other")
            try await bench.put(location, content(10))
            try await bench.put(other, content(10))
            for _ in 0..<2 {
                _ = try await bench.store.delete(location.latest, .none)
                try await bench.requireAbsent(location, "deleted")
            }
            try await bench.requireContent(other.latest, content(10), "the other")
        },
        ObjectStoreCheck("several are deleted, each with its outcome, in their order") { bench in
            let bucket = try await bench.bucket(hasVersions: false)
            let names = ["c", "a&<>\"'", "b c+d%20", "\u{e9}", "e\u{301}"]
            try await bench.putAll(bucket, names + ["left"])
            let entries = (names + ["absent"]).compactMap { S3Key($0) }.map {
                S3DeleteRequest.Entry(key: $0)
            }
            let outcomes = try await bench.store.delete(entries, in: bucket)
            try require(outcomes.map(\.entry) == entries, "another order")
            for outcome in outcomes {
                try require((try? outcome.result.get()) != nil, "\(outcome)")
            }
            let page = try await bench.store.list(bucket, ObjectQuery())
            try require(page.objects.map(\.key.text) == ["left"], "\(page.objects.map(\.key))")
        },
        ObjectStoreCheck("a deletion may want a tag to be there", needs: [.conditionalDeletes]) {
            bench in
            let location = try await bench.location()
            let tag = try await bench.put(location, content(10)).tag
            let other = S3Conditions(ifMatch: .some([S3EntityTag("\"a\"")]))
            try await requireFailure("another tag", { $0 == .preconditionFailed }) {
                try await bench.store.delete(location.latest, other)
            }
            try await bench.requireContent(location.latest, content(10), "it")
            _ = try await bench.store.delete(
                location.latest, S3Conditions(ifMatch: .some([tag])))
            try await bench.requireAbsent(location, "deleted")
        },
        ObjectStoreCheck(
            "each of several deletions may want a tag to be there", needs: [.conditionalDeletes]
        ) { bench in
            let location = try await bench.location()
            let tag = try await bench.put(location, content(10)).tag
            let failed = try await bench.store.delete(
                [.init(key: location.key, tag: S3EntityTag("\"a\""))], in: location.bucket)
            try require(failed.allSatisfy { (try? $0.result.get()) == nil }, "another tag")
            try await bench.requireContent(location.latest, content(10), "it")
            let done = try await bench.store.delete(
                [.init(key: location.key, tag: tag)], in: location.bucket)
            try require(done.allSatisfy { (try? $0.result.get()) != nil }, "its tag")
            try await bench.requireAbsent(location, "deleted")
        },
    ]

    static let copies = [
        ObjectStoreCheck("a copy has its source's content and its own attributes") { bench in
            let source = try await bench.location("source a+b%20\u{e9}")
            let target = try bench.location(source.bucket, "target")
            let first = ObjectAttributes(
                contentType: "text/plain", cacheControl: "no-cache",
                metadata: S3Metadata(entries: [.init("a", "1")]))
            let second = ObjectAttributes(
                contentType: "text/html", metadata: S3Metadata(entries: [.init("b", "2")]))
            try await bench.put(source, content(100_000), ObjectWrite(attributes: first))
            for target in [target, source] {
                let written = try await bench.store.copy(
                    source.latest, .none, to: target, ObjectWrite(attributes: second))
                try await bench.requireContent(target.latest, content(100_000), "the copy")
                let head = try await bench.head(target.latest)
                try require(head.attributes == second, "\(head.attributes)")
                try require(head.tag == written.tag, "another tag")
            }
        },
        ObjectStoreCheck("a copy may want its source to be as it was") { bench in
            let source = try await bench.location("source")
            let target = try bench.location(source.bucket, "target")
            let tag = try await bench.put(source, content(10)).tag
            for conditions in [
                S3Conditions(ifMatch: .some([S3EntityTag("\"a\"")])),
                S3Conditions(ifNoneMatch: .some([tag])),
            ] {
                try await requireFailure("\(conditions)", { $0 == .preconditionFailed }) {
                    try await bench.store.copy(
                        source.latest, conditions, to: target, ObjectWrite())
                }
                try await bench.requireAbsent(target, "it was copied")
            }
            _ = try await bench.store.copy(
                source.latest, S3Conditions(ifMatch: .some([tag])), to: target, ObjectWrite())
            let absent = try bench.location(source.bucket, "absent")
            try await requireFailure("no source", { $0 == .noSuchKey }) {
                try await bench.store.copy(absent.latest, .none, to: target, ObjectWrite())
            }
        },
    ]
}
