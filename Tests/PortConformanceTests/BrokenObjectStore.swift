// SPDX-License-Identifier: Apache-2.0
import ObjectStorePorts
import S3Format
import SimulatedStorage
import Synchronization

/// The fake with one line of the contract broken.
struct BrokenObjectStore: ForwardingObjectStore {
    enum Fault: String, CaseIterable, Sendable {
        case storesPartsOfBodies, takesAnyLength, asksSourcesAgain, endsReadsEarly, ignoresRanges
        case ignoresWriteConditions, ignoresReadConditions, hasTagsOfItsOwn, foldsSlashes
        case losesMetadata, sortsByText, fillsPagesTooFull, losesEntriesBetweenPages, deletesNothing
        case keepsAttributesInCopies, sortsNamedParts, takesAnyTag, abortsNothing, hidesMarks
        case losesTags, goesOnWhenCancelled, reordersOutcomes, listsOldestFirst, ignoresStarts
        case ignoresPrefixes, ignoresDelimiters, ignoresSourceConditions, ignoresDeleteConditions
        case answersWithNothing, hasChunksOfAnySize, ignoresPartRanges
        case completesWithoutForgetting, passesAnythingOn, answersBucketsWithNothing

        /// Names of checks that must fail.
        var foundBy: [String] {
            switch self {
            case .storesPartsOfBodies:
                [
                    "a body whose source fails leaves nothing",
                    "a part whose source fails leaves the one before",
                ]
            case .takesAnyLength: ["a body of another length than declared leaves nothing"]
            case .asksSourcesAgain: ["a source is asked once at a time, and not after its end"]
            case .endsReadsEarly:
                [
                    "content comes back byte for byte, whatever its size",
                    "a stream has chunks of an allowed size, and ends for good",
                ]
            case .ignoresRanges: ["a range is what was asked for"]
            case .ignoresWriteConditions:
                [
                    "a write may want nothing to be there", "a write may want a tag to be there",
                    "of writes that want nothing to be there one succeeds",
                    "a completion may want nothing to be there",
                ]
            case .ignoresReadConditions: ["conditions of reads"]
            case .hasTagsOfItsOwn: ["the write, head, read and list say the same of one write"]
            case .foldsSlashes: ["keys that are no paths are told apart too"]
            case .losesMetadata: ["attributes and metadata come back byte for byte"]
            case .sortsByText: ["lists are sorted by the bytes of the keys"]
            case .fillsPagesTooFull, .losesEntriesBetweenPages:
                ["pages have all entries, each once", "a delimiter rolls keys up, page by page"]
            case .deletesNothing: ["what was deleted is gone, and may be deleted again"]
            case .keepsAttributesInCopies:
                ["a copy has its source's content and its own attributes"]
            case .sortsNamedParts: ["parts that are not in order complete nothing"]
            case .takesAnyTag: ["parts that are not there complete nothing"]
            case .abortsNothing:
                ["an aborted upload is gone", "an aborted upload takes nothing more"]
            case .hidesMarks:
                [
                    "a deletion hides versions, and can be taken back",
                    "a deletion of a mark says so",
                ]
            case .losesTags: ["tags come back, are replaced and removed"]
            case .goesOnWhenCancelled: ["a cancelled call ends, and leaves nothing"]
            case .reordersOutcomes:
                ["several are deleted, each with its outcome, in their order"]
            default: foundByOthers
            }
        }
    }

    let store: any ObjectStore
    let fault: Fault

    func listVersions(
        _ bucket: S3Bucket, _ query: ObjectMarkerQuery
    ) async throws(ObjectStoreFailure) -> ObjectVersionPage {
        let page = try await store.listVersions(bucket, query)
        guard fault == .listsOldestFirst else { return page }
        return ObjectVersionPage(
            versions: page.versions.reversed(), commonPrefixes: page.commonPrefixes,
            next: page.next)
    }

    func listParts(
        _ upload: ObjectUpload, after number: Int, entriesMax: Int
    ) async throws(ObjectStoreFailure) -> ObjectPartPage {
        try await store.listParts(
            upload, after: fault == .ignoresStarts ? 0 : number, entriesMax: entriesMax)
    }

    func listUploads(
        _ bucket: S3Bucket, _ query: ObjectMarkerQuery
    ) async throws(ObjectStoreFailure) -> ObjectUploadPage {
        var query = query
        if fault == .ignoresStarts, let start = query.start {
            query.start = ObjectMarker(key: start.key, id: nil)
        }
        return try await store.listUploads(bucket, query)
    }

    func copyPart(
        _ upload: ObjectUpload, _ number: Int, from source: ObjectVersion, _ range: Range<Int64>?,
        _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> S3EntityTag {
        try await store.copyPart(
            upload, number, from: source, fault == .ignoresPartRanges ? nil : range,
            fault == .ignoresSourceConditions ? .none : conditions)
    }

    func put(
        _ location: ObjectLocation, _ body: ObjectBody, _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        var (location, write) = (location, write)
        if fault == .ignoresWriteConditions { write.conditions = .none }
        if fault == .losesMetadata { write.attributes.metadata = .empty }
        if fault == .losesTags { write.tagging = nil }
        if fault == .foldsSlashes { location = folded(location) }
        if fault == .goesOnWhenCancelled {
            let (store, body, write, location) = (store, await changed(body), write, location)
            let result = await Task {
                () async -> Result<ObjectWritten, ObjectStoreFailure> in
                do throws(ObjectStoreFailure) {
                    return .success(try await store.put(location, body, write))
                } catch { return .failure(error) }
            }.value
            return try result.get()
        }
        return try await store.put(location, await changed(body), write)
    }

    private func changed(_ body: ObjectBody) async -> ObjectBody {
        switch fault {
        case .storesPartsOfBodies:
            ObjectBody(ForgivingSource(body.source), length: nil)
        case .takesAnyLength: ObjectBody(body.source, length: nil)
        case .asksSourcesAgain: ObjectBody(InsistentSource(body.source), length: body.length)
        default: body
        }
    }

    private func folded(_ location: ObjectLocation) -> ObjectLocation {
        let bytes = location.key.text.split(separator: "/").joined(separator: "/")
        return ObjectLocation(location.bucket, S3Key(bytes) ?? location.key)
    }

    func read<Outcome: Sendable>(
        _ version: ObjectVersion, _ range: S3ByteRange?, _ conditions: S3Conditions,
        _ receive: (ObjectAnswer, any ObjectStream) async throws(ObjectStoreFailure) -> Outcome
    ) async throws(ObjectStoreFailure) -> Outcome {
        let (fault, location) = (fault, version.location)
        let place = fault == .foldsSlashes ? folded(location).version(version.id) : version
        if fault == .answersWithNothing { return try await readNothing(version, receive) }
        return try await store.read(
            place, fault == .ignoresRanges ? nil : range,
            fault == .ignoresReadConditions ? .none : conditions
        ) { (answer, stream) async throws(ObjectStoreFailure) in
            let stream: any ObjectStream =
                switch fault {
                case .endsReadsEarly: ShortStream(stream)
                case .hasChunksOfAnySize: WholeStream(stream)
                default: stream
                }
            return try await receive(answer, stream)
        }
    }

    /// What is not there is empty.
    private func readNothing<Outcome: Sendable>(
        _ version: ObjectVersion,
        _ receive: (ObjectAnswer, any ObjectStream) async throws(ObjectStoreFailure) -> Outcome
    ) async throws(ObjectStoreFailure) -> Outcome {
        do throws(ObjectStoreFailure) {
            return try await store.read(version, nil, .none, receive)
        } catch {
            let head = ObjectHead(
                size: 0, tag: S3EntityTag(""), modified: 0, versionID: nil,
                attributes: ObjectAttributes())
            return try await receive(ObjectAnswer(head: head, part: 0..<0), EmptyStream())
        }
    }

    func head(
        _ version: ObjectVersion, _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectHead {
        let head = try await store.head(
            version, fault == .ignoresReadConditions ? .none : conditions)
        guard fault == .hasTagsOfItsOwn else { return head }
        return ObjectHead(
            size: head.size, tag: S3EntityTag("\"own\""), modified: head.modified,
            versionID: head.versionID, attributes: head.attributes)
    }

    func delete(
        _ version: ObjectVersion, _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectDeletion {
        if fault == .deletesNothing { return ObjectDeletion(versionID: nil, isMarker: false) }
        let deletion = try await store.delete(
            version, fault == .ignoresDeleteConditions ? .none : conditions)
        guard fault == .hidesMarks else { return deletion }
        return ObjectDeletion(versionID: deletion.versionID, isMarker: false)
    }

    func delete(
        _ entries: [S3DeleteRequest.Entry], in bucket: S3Bucket
    ) async throws(ObjectStoreFailure) -> [ObjectDeletionOutcome] {
        guard fault == .ignoresDeleteConditions else {
            let outcomes = try await store.delete(entries, in: bucket)
            return fault == .reordersOutcomes ? outcomes.reversed() : outcomes
        }
        return try await store.delete(
            entries.map { .init(key: $0.key, versionID: $0.versionID) }, in: bucket)
    }

    func passOn(
        _ request: PassedRequest
    ) async throws(ObjectStoreFailure) -> PassedAnswer {
        let empty = PassedAnswer(status: 200, headers: [], body: [])
        switch (fault, request.operation) {
        case (.answersBucketsWithNothing, .createBucket): return try await store.passOn(request)
        case (.answersBucketsWithNothing, _): return empty
        case (.passesAnythingOn, let operation) where !operation.isPassedThrough: return empty
        default: return try await store.passOn(request)
        }
    }

    func copy(
        _ source: ObjectVersion, _ conditions: S3Conditions, to location: ObjectLocation,
        _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        var write = write
        if fault == .keepsAttributesInCopies {
            write.attributes = try await store.head(source, .none).attributes
        }
        return try await store.copy(
            source, fault == .ignoresSourceConditions ? .none : conditions, to: location, write)
    }

    func list(
        _ bucket: S3Bucket, _ query: ObjectQuery
    ) async throws(ObjectStoreFailure) -> ObjectListPage {
        var query = query
        switch (fault, query.start) {
        case (.fillsPagesTooFull, _): query.entriesMax = S3Limits.pageEntriesMax
        case (.ignoresPrefixes, _): query.prefix = .empty
        case (.ignoresDelimiters, _): query.delimiter = .empty
        case (.ignoresStarts, .after): query.start = .after(.empty)
        default: break
        }
        let page = try await store.list(bucket, query)
        switch fault {
        case .sortsByText:
            return ObjectListPage(
                objects: page.objects.sorted { $0.key.text < $1.key.text },
                commonPrefixes: page.commonPrefixes, next: page.next)
        case .losesEntriesBetweenPages where page.next != nil:
            return ObjectListPage(
                objects: page.objects.dropLast(), commonPrefixes: page.commonPrefixes.dropLast(),
                next: page.next)
        default: return page
        }
    }

    func uploadPart(
        _ upload: ObjectUpload, _ number: Int, _ body: ObjectBody
    ) async throws(ObjectStoreFailure) -> S3EntityTag {
        try await store.uploadPart(upload, number, await changed(body))
    }

    func completeUpload(
        _ upload: ObjectUpload, _ parts: [S3NamedPart], _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        var parts = parts
        if fault == .sortsNamedParts { parts.sort { $0.number < $1.number } }
        if fault == .takesAnyTag {
            let there = try await store.listParts(upload, after: 0, entriesMax: 1000).parts
            parts = parts.compactMap { part in
                there.first { $0.number == part.number }.map {
                    S3NamedPart(number: part.number, tag: $0.tag)
                }
            }
        }
        let written = try await store.completeUpload(
            upload, parts, fault == .ignoresWriteConditions ? .none : conditions)
        if fault == .completesWithoutForgetting {
            _ = try await store.createUpload(upload.location, ObjectWrite())
        }
        return written
    }

    func abortUpload(_ upload: ObjectUpload) async throws(ObjectStoreFailure) {
        if fault != .abortsNothing { try await store.abortUpload(upload) }
    }
}

extension BrokenObjectStore.Fault {
    /// The rest of `foundBy`.
    private var foundByOthers: [String] {
        switch self {
        case .listsOldestFirst: ["versions are listed by key, the latest first"]
        case .ignoresStarts:
            [
                "a list may start behind a key", "parts are listed by number, page by page",
                "uploads are listed by key, page by page, each by itself",
            ]
        case .ignoresPrefixes: ["a prefix chooses keys byte for byte"]
        case .ignoresDelimiters: ["a delimiter rolls keys up, page by page"]
        case .ignoresSourceConditions:
            [
                "a copy may want its source to be as it was",
                "a part may come from within the store",
            ]
        case .ignoresPartRanges: ["a part may come from within the store"]
        case .ignoresDeleteConditions:
            [
                "a deletion may want a tag to be there",
                "each of several deletions may want a tag to be there",
            ]
        case .answersWithNothing:
            ["what is not there is not found", "a range that the object does not have is refused"]
        case .hasChunksOfAnySize:
            ["a stream has chunks of an allowed size, and ends for good"]
        case .completesWithoutForgetting: ["a completed upload is gone"]
        case .passesAnythingOn: ["what is no business of buckets is not passed on"]
        case .answersBucketsWithNothing:
            [
                "a bucket is made, found, listed and deleted", "a bucket says where it is",
                "a bucket that is not there is answered as the store does",
                "versions are turned on",
            ]
        default: []
        }
    }
}

/// Gives all at once.
private final class WholeStream: ObjectStream {
    private let stream: any ObjectStream

    init(_ stream: any ObjectStream) { self.stream = stream }

    func next() async throws(ObjectStoreFailure) -> [UInt8]? {
        var bytes: [UInt8] = []
        while let chunk = try await stream.next() { bytes += chunk }
        return bytes.isEmpty ? nil : bytes
    }
}

private final class EmptyStream: ObjectStream {
    func next() async throws(ObjectStoreFailure) -> [UInt8]? { nil }
}

/// Takes a failure of its source for the end.
private final class ForgivingSource: ObjectSource {
    private let source: any ObjectSource

    init(_ source: any ObjectSource) { self.source = source }

    func next() async throws(ObjectSourceFailure) -> [UInt8]? { try? await source.next() }
}

/// Asks once more after the end.
private final class InsistentSource: ObjectSource {
    private let source: any ObjectSource

    init(_ source: any ObjectSource) { self.source = source }

    func next() async throws(ObjectSourceFailure) -> [UInt8]? {
        if let chunk = try await source.next() { return chunk }
        return try await source.next()
    }
}

/// Ends after the first chunk, as if that were all.
private final class ShortStream: ObjectStream {
    private let stream: any ObjectStream
    private let isOver = Atomic(false)

    init(_ stream: any ObjectStream) { self.stream = stream }

    func next() async throws(ObjectStoreFailure) -> [UInt8]? {
        guard !isOver.exchange(true, ordering: .relaxed) else { return nil }
        return try await stream.next()
    }
}
