// SPDX-License-Identifier: Apache-2.0
package import ObjectStorePorts
package import S3Format
internal import Synchronization

/// One call of the `ObjectStore` port, as a plan of failures sees it.
package struct ObjectStoreCall: Sendable, Hashable {
    package enum Verb: String, Sendable, CaseIterable {
        case put, read, head, delete, deleteSeveral, copy, list, listVersions
        case createUpload, uploadPart, copyPart, listParts, completeUpload, abortUpload, listUploads
        case tags, setTags, removeTags, passOn
    }

    package let verb: Verb
    /// nil: the whole store.
    package let bucket: S3Bucket?
    /// nil: the whole bucket.
    package let key: S3Key?
}

/// How a planted failure meets a call.
package enum SimulatedObjectStoreFault: Sendable, Hashable {
    /// The server never saw the call.
    case before(ObjectStoreFailure)
    /// The server did what was asked; the answer was lost.
    case answerLost(ObjectStoreFailure)
    /// A list shows the bucket as it was so many changes ago, at most
    /// `SimulatedObjectServer.historyMax`.
    case stale(changes: Int)
}

/// `ObjectStore` straight on a SimulatedStorage, without HTTP and TLS.
package struct SimulatedObjectStore: ObjectStore {
    /// Bytes of a chunk that a read gives.
    package static let chunkBytes = 64 << 10

    private let storage: SimulatedStorage
    /// Seconds since 1970, by the server's clock.
    private let now: @Sendable () -> Int64
    private let chunkBytes: Int
    /// Called at the start of each call: takes the time that the network takes, and says whether
    /// the call fails.
    private let begin: @Sendable (ObjectStoreCall) async -> SimulatedObjectStoreFault?
    /// Called at each edge of a chunk, before the first and behind the last too, with the number of
    /// chunks so far: takes the time that a chunk takes, and says whether the connection breaks.
    private let edge: @Sendable (ObjectStoreCall, Int) async -> ObjectStoreFailure?

    package init(
        _ storage: SimulatedStorage, chunkBytes: Int = Self.chunkBytes,
        now: @escaping @Sendable () -> Int64,
        begin: @escaping @Sendable (ObjectStoreCall) async -> SimulatedObjectStoreFault? = { _ in
            nil
        },
        edge: @escaping @Sendable (ObjectStoreCall, Int) async -> ObjectStoreFailure? = { _, _ in
            nil
        }
    ) {
        precondition((1...ObjectStoreLimits.chunkBytesMax).contains(chunkBytes), "a chunk's size")
        self.storage = storage
        self.chunkBytes = chunkBytes
        self.now = now
        self.begin = begin
        self.edge = edge
    }

    // MARK: - Objects

    package func put(
        _ location: ObjectLocation, _ body: ObjectBody, _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        let call = Self.call(.put, location)
        let plan = try await begun(call)
        try storage.attempt { server throws(ObjectStoreFailure) in
            _ = try server.bucket(location.bucket)
        }
        let content = try await receive(body, call)
        return try finish(plan) { server throws(ObjectStoreFailure) in
            try server.store(content, at: location, write, tag: server.nextTag(), now: now())
        }
    }

    package func read<Outcome: Sendable>(
        _ version: ObjectVersion, _ range: S3ByteRange?, _ conditions: S3Conditions,
        _ receive: (ObjectAnswer, any ObjectStream) async throws(ObjectStoreFailure) -> Outcome
    ) async throws(ObjectStoreFailure) -> Outcome {
        let call = Self.call(.read, version.location)
        let plan = try await begun(call)
        let (answer, bytes) = try finish(plan) { server throws(ObjectStoreFailure) in
            let found = try server.version(version, conditions)
            let content = found.content ?? []
            let part: Range<Int64>
            switch range?.resolved(size: Int64(content.count)) {
            case nil: part = 0..<Int64(content.count)
            case .part(let some): part = some
            case .unsatisfiable: throw .rangeUnsatisfiable(size: Int64(content.count))
            }
            let head = server.head(found, of: version.location.bucket)
            return (
                ObjectAnswer(head: head, part: part),
                content[Int(part.lowerBound)..<Int(part.upperBound)]
            )
        }
        let stream = SimulatedObjectStream(bytes, chunkBytes: chunkBytes) { [edge] count in
            await edge(call, count)
        }
        defer { stream.close() }
        return try await receive(answer, stream)
    }

    package func head(
        _ version: ObjectVersion, _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectHead {
        try await perform(.head, version.location) { server throws(ObjectStoreFailure) in
            server.head(
                try server.version(version, conditions), of: version.location.bucket)
        }
    }

    package func delete(
        _ version: ObjectVersion, _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectDeletion {
        try await perform(.delete, version.location) { server throws(ObjectStoreFailure) in
            try server.delete(version, conditions, now: now())
        }
    }

    package func delete(
        _ entries: [S3DeleteRequest.Entry], in bucket: S3Bucket
    ) async throws(ObjectStoreFailure) -> [ObjectDeletionOutcome] {
        try await perform(.deleteSeveral, bucket) { server throws(ObjectStoreFailure) in
            _ = try server.bucket(bucket)
            guard (1...S3Limits.deleteKeysMax).contains(entries.count) else {
                throw .refused(code: "MalformedXML", status: 400)
            }
            return entries.map { entry in
                let version = ObjectLocation(bucket, entry.key).version(entry.versionID)
                let conditions = S3Conditions(ifMatch: entry.tag.map { .some([$0]) })
                let result: Result<ObjectDeletion, ObjectStoreFailure>
                do throws(ObjectStoreFailure) {
                    result = .success(try server.delete(version, conditions, now: now()))
                } catch { result = .failure(error) }
                return ObjectDeletionOutcome(entry: entry, result: result)
            }
        }
    }

    package func copy(
        _ source: ObjectVersion, _ conditions: S3Conditions, to location: ObjectLocation,
        _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        try await perform(.copy, location) { server throws(ObjectStoreFailure) in
            try server.copy(source, conditions, to: location, write, now: now())
        }
    }

    // MARK: - Lists

    package func list(
        _ bucket: S3Bucket, _ query: ObjectQuery
    ) async throws(ObjectStoreFailure) -> ObjectListPage {
        let plan = try await begun(Self.call(.list, bucket))
        return try finish(plan) { server throws(ObjectStoreFailure) in
            try server.list(bucket, query, stale: plan.stale)
        }
    }

    package func listVersions(
        _ bucket: S3Bucket, _ query: ObjectMarkerQuery
    ) async throws(ObjectStoreFailure) -> ObjectVersionPage {
        let plan = try await begun(Self.call(.listVersions, bucket))
        return try finish(plan) { server throws(ObjectStoreFailure) in
            try server.listVersions(bucket, query, stale: plan.stale)
        }
    }

    package func listUploads(
        _ bucket: S3Bucket, _ query: ObjectMarkerQuery
    ) async throws(ObjectStoreFailure) -> ObjectUploadPage {
        let plan = try await begun(Self.call(.listUploads, bucket))
        return try finish(plan) { server throws(ObjectStoreFailure) in
            try server.listUploads(bucket, query, stale: plan.stale)
        }
    }

    // MARK: - Uploads in parts

    package func createUpload(
        _ location: ObjectLocation, _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectUpload {
        try await perform(.createUpload, location) { server throws(ObjectStoreFailure) in
            try server.createUpload(location, write, now: now())
        }
    }

    package func uploadPart(
        _ upload: ObjectUpload, _ number: Int, _ body: ObjectBody
    ) async throws(ObjectStoreFailure) -> S3EntityTag {
        let call = Self.call(.uploadPart, upload.location)
        let plan = try await begun(call)
        try storage.attempt { server throws(ObjectStoreFailure) in _ = try server.upload(upload) }
        let content = try await receive(body, call)
        return try finish(plan) { server throws(ObjectStoreFailure) in
            try server.storePart(content, number, of: upload, now: now())
        }
    }

    package func copyPart(
        _ upload: ObjectUpload, _ number: Int, from source: ObjectVersion, _ range: Range<Int64>?,
        _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> S3EntityTag {
        try await perform(.copyPart, upload.location) { server throws(ObjectStoreFailure) in
            try server.copyPart(upload, number, from: source, range, conditions, now: now())
        }
    }

    package func listParts(
        _ upload: ObjectUpload, after number: Int, entriesMax: Int
    ) async throws(ObjectStoreFailure) -> ObjectPartPage {
        try await perform(.listParts, upload.location) { server throws(ObjectStoreFailure) in
            try server.listParts(upload, after: number, entriesMax: entriesMax)
        }
    }

    package func completeUpload(
        _ upload: ObjectUpload, _ parts: [S3NamedPart], _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        try await perform(.completeUpload, upload.location) { server throws(ObjectStoreFailure) in
            try server.completeUpload(upload, parts, conditions, now: now())
        }
    }

    package func abortUpload(_ upload: ObjectUpload) async throws(ObjectStoreFailure) {
        try await perform(.abortUpload, upload.location) { server throws(ObjectStoreFailure) in
            try server.abortUpload(upload)
        }
    }

    // MARK: - Tags

    package func tags(_ version: ObjectVersion) async throws(ObjectStoreFailure) -> S3Tagging {
        try await perform(.tags, version.location) { server throws(ObjectStoreFailure) in
            try server.version(version).tagging
        }
    }

    package func setTags(
        _ version: ObjectVersion, _ tagging: S3Tagging
    ) async throws(ObjectStoreFailure) {
        try await perform(.setTags, version.location) { server throws(ObjectStoreFailure) in
            try server.setTags(version, tagging)
        }
    }

    package func removeTags(_ version: ObjectVersion) async throws(ObjectStoreFailure) {
        try await perform(.removeTags, version.location) { server throws(ObjectStoreFailure) in
            try server.setTags(version, S3Tagging(tags: []))
        }
    }

    // MARK: - Everything else

    package func passOn(
        _ request: PassedRequest
    ) async throws(ObjectStoreFailure) -> PassedAnswer {
        let call = ObjectStoreCall(
            verb: .passOn, bucket: request.target.bucket, key: request.target.key)
        return try finish(try await begun(call)) { server throws(ObjectStoreFailure) in
            try server.passOn(request, now: now())
        }
    }

    // MARK: - Steps

    /// What a fault does later in a call.
    private struct Plan {
        var lost: ObjectStoreFailure?
        var stale = 0
    }

    private static func call(
        _ verb: ObjectStoreCall.Verb, _ location: ObjectLocation
    ) -> ObjectStoreCall {
        ObjectStoreCall(verb: verb, bucket: location.bucket, key: location.key)
    }

    private static func call(
        _ verb: ObjectStoreCall.Verb, _ bucket: S3Bucket
    ) -> ObjectStoreCall {
        ObjectStoreCall(verb: verb, bucket: bucket, key: nil)
    }

    private func begun(_ call: ObjectStoreCall) async throws(ObjectStoreFailure) -> Plan {
        guard !Task.isCancelled else { throw .cancelled }
        let fault = await begin(call)
        guard !Task.isCancelled else { throw .cancelled }
        switch fault {
        case .before(let failure): throw failure
        case .answerLost(let failure): return Plan(lost: failure)
        case .stale(let changes): return Plan(stale: changes)
        case nil: return Plan()
        }
    }

    private func finish<Result: Sendable>(
        _ plan: Plan,
        _ body: (inout SimulatedObjectServer) throws(ObjectStoreFailure) -> Result
    ) throws(ObjectStoreFailure) -> Result {
        let result = try storage.attempt(body)
        if let lost = plan.lost { throw lost }
        return result
    }

    private func perform<Result: Sendable>(
        _ verb: ObjectStoreCall.Verb, _ location: ObjectLocation,
        _ body: (inout SimulatedObjectServer) throws(ObjectStoreFailure) -> Result
    ) async throws(ObjectStoreFailure) -> Result {
        try finish(try await begun(Self.call(verb, location)), body)
    }

    private func perform<Result: Sendable>(
        _ verb: ObjectStoreCall.Verb, _ bucket: S3Bucket,
        _ body: (inout SimulatedObjectServer) throws(ObjectStoreFailure) -> Result
    ) async throws(ObjectStoreFailure) -> Result {
        try finish(try await begun(Self.call(verb, bucket)), body)
    }

    /// Takes a whole body. Nothing of it is stored yet.
    private func receive(
        _ body: ObjectBody, _ call: ObjectStoreCall
    ) async throws(ObjectStoreFailure) -> [UInt8] {
        var content: [UInt8] = []
        var count = 0
        while true {
            if let failure = await edge(call, count) { throw failure }
            guard !Task.isCancelled else { throw .cancelled }
            let chunk: [UInt8]?
            do throws(ObjectSourceFailure) { chunk = try await body.source.next() } catch {
                throw .sourceFailed
            }
            guard let chunk else { break }
            guard (1...ObjectStoreLimits.chunkBytesMax).contains(chunk.count) else {
                throw .sourceFailed
            }
            content += chunk
            count += 1
            if let length = body.length, content.count > length { break }
        }
        if let failure = await edge(call, count) { throw failure }
        guard !Task.isCancelled else { throw .cancelled }
        if let length = body.length, content.count != length {
            throw .lengthMismatch(declared: length, received: Int64(content.count))
        }
        guard content.count <= S3Limits.partBytesMax else { throw .tooLarge }
        return content
    }
}
