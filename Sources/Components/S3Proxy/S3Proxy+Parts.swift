// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import S3Format
internal import SealedObject
internal import ServedHTTP

extension S3Proxy {
    func uploadPart(_ exchange: Exchange) async throws(Refusal) {
        let number = try Self.partNumber(exchange)
        let length = try bodyLength(exchange)
        let state = try await state(try exchange.upload())
        let token = try await store(exchange.body, length, number, state)
        metrics.sealed(length)
        try await exchange.answer(
            200, [HeaderField("ETag", "\"\(try token.text(cipher, state.dataKey))\"")])
    }

    /// The content comes through the proxy: it is sealed anew, as a part of another object.
    func uploadPartCopy(_ exchange: Exchange) async throws(Refusal) {
        let number = try Self.partNumber(exchange)
        let state = try await state(try exchange.upload())
        let source = try await copySource(exchange)
        var range = 0..<source.size
        if let header = exchange.request.headers["x-amz-copy-source-range"] {
            do throws(S3Error) { range = try S3ByteRange.copySource(header) } catch {
                throw .request(error)
            }
            guard range.upperBound <= source.size else {
                throw .request(
                    S3Error(.invalidArgument, "The range is not within the source object."))
            }
        }
        try await exchange.keepAlive(every: settings.keepAlivePause)
        let token = try await content(source, range) { content throws(Refusal) in
            try await self.store(content, Int64(range.count), number, state)
        }
        let result = S3CopyResult(
            tag: S3EntityTag("\"\(try token.text(cipher, state.dataKey))\""),
            modified: S3Timestamp(secondsSince1970: exchange.now), isPart: true)
        try await exchange.answer(slow: result.rendered)
    }

    /// The store counts parts up to 10,000, and the footer may be one.
    private static func partNumber(_ exchange: Exchange) throws(Refusal) -> Int {
        guard let number = exchange.request.partNumber,
            number <= SealedObjectLimits.partsMax
        else {
            throw .request(
                S3Error(
                    .invalidArgument,
                    "Part number must be an integer between 1 and "
                        + "\(SealedObjectLimits.partsMax), inclusive",
                    details: [.init("ArgumentName", "partNumber")]))
        }
        return number
    }

    /// Stores one attempt at a part, and what it takes to complete the upload with it.
    private func store(
        _ plaintext: any Plaintext, _ length: Int64, _ number: Int, _ state: UploadState
    ) async throws(Refusal) -> PartToken {
        guard let identity = SegmentIdentity.part(number) else {
            throw .request(S3Error(.invalidArgument))
        }
        let source = try source(plaintext, length, state.dataKey, identity)
        let body = Self.body(source, plainBytes: length)
        let tag: S3EntityTag
        do throws(ObjectStoreFailure) {
            if length < settings.partBytesMin {
                try await spool(body, number, source.header.salt, state)
                tag = PartToken.spooled
            } else {
                tag = try await store.uploadPart(state.upload, number, body)
            }
        } catch {
            if error == .noSuchUpload { await forget(state.upload) }
            throw source.failure ?? .store(error)
        }
        let token = PartToken(number: number, size: length, salt: source.header.salt, tag: tag)
        // Before the answer, so that no part is acknowledged and not listed.
        let place =
            settings.dialect == .full
            ? state.places.record(number, tag, cipher) : state.places.record(number)
        if let place {
            let text = try token.text(cipher, state.dataKey)
            do throws(ObjectStoreFailure) {
                try await store.putSmall(Array(text.utf8), at: place)
            } catch { throw .store(error) }
        }
        return token
    }

    /// A part that is small can only be the last, and then the footer goes with it: stores take no
    /// small part before another. So its sealed bytes are kept apart until somebody completes the
    /// upload.
    private func spool(
        _ body: ObjectBody, _ number: Int, _ salt: Octets32, _ state: UploadState
    ) async throws(ObjectStoreFailure) {
        guard let spool = state.places.spool(number, salt) else {
            throw .responseMalformed(detail: "no keys of our own")
        }
        _ = try await store.put(spool, body, ObjectWrite())
        guard settings.dialect == .full else {
            // Whether there is such an upload, the store knows.
            _ = try await store.listParts(state.upload, after: 0, entriesMax: 1)
            return
        }
        // Holds the place in the store's list of parts, which does not lag as others may.
        let place = BytesSource(PartToken.placeholder)
        _ = try await store.uploadPart(
            state.upload, number, ObjectBody(place, length: place.length))
    }

    /// Uploads what is spooled, and `bytes` behind it.
    func uploadSpooled(
        _ spool: ObjectLocation, of part: PartToken, behind bytes: [UInt8], _ state: UploadState
    ) async throws(ObjectStoreFailure) -> S3EntityTag {
        let sealed = SegmentSize.sealedSize(of: Int(clamping: part.size)).map(Int64.init)
        return try await store.read(spool.latest, nil, .none) {
            answer, stream throws(ObjectStoreFailure) in
            // The size is the store's word.
            guard answer.head.size == sealed else {
                throw .responseMalformed(detail: "a spooled part of another size")
            }
            let source = SpooledSource(stream, bytes)
            let length = answer.head.size + Int64(bytes.count)
            do throws(ObjectStoreFailure) {
                return try await self.store.uploadPart(
                    state.upload, part.number, ObjectBody(source, length: length))
            } catch { throw source.failure ?? error }
        }
    }
}

/// A stream of the store on its way back, with bytes behind it.
private final class SpooledSource: ObjectSource, @unchecked Sendable {
    private let stream: any ObjectStream
    private var rest: [UInt8]
    private var isStreamOver = false
    private(set) var failure: ObjectStoreFailure?

    init(_ stream: any ObjectStream, _ rest: [UInt8]) {
        self.stream = stream
        self.rest = rest
    }

    func next() async throws(ObjectSourceFailure) -> [UInt8]? {
        if !isStreamOver {
            do throws(ObjectStoreFailure) {
                if let chunk = try await stream.next() { return chunk }
            } catch {
                failure = error
                throw ObjectSourceFailure()
            }
            isStreamOver = true
        }
        let chunk = Array(rest.prefix(ObjectStoreLimits.chunkBytesMax))
        rest.removeFirst(chunk.count)
        return chunk.isEmpty ? nil : chunk
    }
}
