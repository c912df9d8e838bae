// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import Ports
internal import S3Format
internal import SealedObject
internal import SecretMemory
internal import ServedHTTP

extension S3Proxy {
    func createUpload(_ exchange: Exchange) async throws(Refusal) {
        let location = try exchange.location()
        let headers = try Self.sealedHeaders(exchange.request.headers)
        var write = try write(exchange)
        // Conditions belong to the completion.
        write.conditions = .none
        let key = try await newKey(location)
        write.attributes = try attributes(key, .parts, headers)
        let envelope = write.attributes.metadata[SealedMetadata.envelope] ?? ""
        let upload: ObjectUpload
        do throws(ObjectStoreFailure) {
            upload = try await store.createUpload(location, write)
        } catch { throw .store(error) }
        // Nobody can ask the store for an upload's metadata before it is completed.
        do throws(ObjectStoreFailure) {
            try await store.putSmall(Array(envelope.utf8), at: try places(upload).state)
        } catch {
            await abandon(upload)
            throw .store(error)
        }
        try await exchange.answer(
            document: S3CreatedUpload(
                bucket: location.bucket.name, key: location.key, uploadID: upload.id
            ).rendered())
    }

    func abortUpload(_ exchange: Exchange) async throws(Refusal) {
        let upload = try exchange.upload()
        do throws(ObjectStoreFailure) {
            try await store.abortUpload(upload)
        } catch {
            // An earlier attempt may have gone through whose answer was lost.
            if error == .noSuchUpload { await forget(upload) }
            throw .store(error)
        }
        await forget(upload)
        try await exchange.answer(204)
    }

    func listUploads(_ exchange: Exchange) async throws(Refusal) {
        let bucket = try exchange.bucket()
        let request: S3UploadListRequest
        do throws(S3Error) { request = try S3UploadListRequest(exchange.request.query) } catch {
            throw .request(error)
        }
        var page = ObjectUploadPage(uploads: [], commonPrefixes: [], next: nil)
        if request.maxUploads > 0 {
            let start =
                request.keyMarker.isEmpty
                ? nil : ObjectMarker(key: request.keyMarker, id: request.uploadMarker)
            do throws(ObjectStoreFailure) {
                page = try await store.listUploads(
                    bucket,
                    ObjectMarkerQuery(
                        prefix: request.prefix, delimiter: request.delimiter, start: start,
                        entriesMax: request.maxUploads))
            } catch { throw .store(error) }
        }
        let list = S3UploadList(
            bucket: bucket.name, prefix: request.prefix, delimiter: request.delimiter,
            keyMarker: request.keyMarker, uploadMarker: request.uploadMarker ?? "",
            nextKeyMarker: page.next?.key, nextUploadMarker: page.next?.id,
            maxUploads: request.maxUploads, encoding: request.encoding,
            isTruncated: page.next != nil,
            uploads: page.uploads.filter { !settings.rules.isReserved($0.key) },
            commonPrefixes: page.commonPrefixes.filter { !settings.rules.isReserved($0) })
        try await exchange.answer(document: list.rendered())
    }

    func listParts(_ exchange: Exchange) async throws(Refusal) {
        let upload = try exchange.upload()
        let request: S3PartListRequest
        do throws(S3Error) { request = try S3PartListRequest(exchange.request.query) } catch {
            throw .request(error)
        }
        let state = try await state(upload)
        let (parts, next) = try await parts(state, request)
        let list = S3PartList(
            bucket: upload.location.bucket.name, key: upload.location.key, uploadID: upload.id,
            marker: request.marker, nextMarker: next, maxParts: request.maxParts,
            isTruncated: next != nil, parts: parts)
        try await exchange.answer(document: list.rendered())
    }

    /// The store lists which parts there are, and their records what clients know of them.
    private func parts(
        _ state: UploadState, _ request: S3PartListRequest
    ) async throws(Refusal) -> ([S3ListedPart], next: Int?) {
        guard settings.dialect == .full else { return try await recordedParts(state, request) }
        let page: ObjectPartPage
        do throws(ObjectStoreFailure) {
            page = try await store.listParts(
                state.upload, after: request.marker, entriesMax: max(1, request.maxParts))
        } catch { throw .store(error) }
        guard request.maxParts > 0 else { return ([], nil) }
        var parts: [S3ListedPart] = []
        for part in page.parts {
            if let token = try await token(of: part, state) {
                parts.append(try shown(token, state, part.modified))
            }
        }
        return (parts, page.next)
    }

    /// One that is kept apart goes into the upload while that is completed: when this fails, the
    /// store lists a tag that no record has.
    private func token(
        of part: S3ListedPart, _ state: UploadState
    ) async throws(Refusal) -> PartToken? {
        let isPlaceholder = part.size == PartToken.placeholder.count
        for tag in isPlaceholder ? [PartToken.spooled] : [part.tag, PartToken.spooled] {
            let place = state.places.record(part.number, tag, cipher)
            if let token = try await token(part.number, place, state), token.tag.matches(tag) {
                return token
            }
        }
        return nil
    }

    private func shown(
        _ token: PartToken, _ state: UploadState, _ modified: S3Timestamp
    ) throws(Refusal) -> S3ListedPart {
        S3ListedPart(
            number: token.number,
            tag: S3EntityTag("\"\(try token.text(cipher, state.dataKey))\""), size: token.size,
            modified: modified)
    }

    /// By their records alone: a simple store knows nothing of a part that is kept apart. Its lists
    /// may lag, and this one with them.
    private func recordedParts(
        _ state: UploadState, _ request: S3PartListRequest
    ) async throws(Refusal) -> ([S3ListedPart], next: Int?) {
        let page: ObjectListPage
        do throws(ObjectStoreFailure) {
            // Whether there is such an upload, the store knows.
            _ = try await store.listParts(state.upload, after: 0, entriesMax: 1)
            guard request.maxParts > 0, let prefix = state.places.records,
                let start = state.places.record(after: request.marker)
            else { return ([], nil) }
            page = try await store.list(
                state.upload.location.bucket,
                ObjectQuery(
                    prefix: prefix, start: .after(start), entriesMax: request.maxParts))
        } catch { throw .store(error) }
        var parts: [S3ListedPart] = []
        for record in page.objects {
            guard let number = UploadPlaces.number(ofRecord: record.key),
                let token = try await token(number, state.places.record(number), state)
            else { continue }
            parts.append(try shown(token, state, record.modified))
        }
        let last = page.objects.last.flatMap { UploadPlaces.number(ofRecord: $0.key) }
        return (parts, page.next == nil ? nil : last)
    }

    /// nil: the upload is over, or the record is none of ours.
    private func token(
        _ number: Int, _ place: ObjectLocation?, _ state: UploadState
    ) async throws(Refusal) -> PartToken? {
        guard let place else { return nil }
        let text: [UInt8]
        do throws(ObjectStoreFailure) {
            text = try await store.smallObject(place, bytesMax: S3Limits.tagBytesMax)
        } catch {
            if case .noSuchKey = error { return nil }
            throw .store(error)
        }
        return try PartToken(
            S3EntityTag(String(decoding: text, as: UTF8.self)), number: number, cipher,
            state.dataKey)
    }

    // MARK: - State

    func places(_ upload: ObjectUpload) throws(ObjectStoreFailure) -> UploadPlaces {
        guard let places = UploadPlaces(upload, settings.rules, cipher) else {
            throw .responseMalformed(detail: "no keys of our own")
        }
        return places
    }

    /// As any replica finds it.
    func state(_ upload: ObjectUpload) async throws(Refusal) -> UploadState {
        if let known = uploads[upload, at: clock.monotonic()] { return known }
        let places: UploadPlaces
        let text: [UInt8]
        do throws(ObjectStoreFailure) {
            places = try self.places(upload)
            text = try await store.smallObject(
                places.state, bytesMax: SealedObjectLimits.envelopeTextBytesMax)
        } catch {
            if case .noSuchKey = error { throw .store(.noSuchUpload) }
            throw .store(error)
        }
        let envelope: KeyEnvelope
        do throws(EnvelopeRefusal) {
            envelope = try KeyEnvelope(String(decoding: text, as: UTF8.self))
        } catch { throw .sealed(.envelope(error)) }
        guard envelope.content == .parts else { throw .sealed(.notAuthentic) }
        let context = try reader.name(upload.location).context(cipher)
        do throws(KeyFailure) {
            let state = UploadState(
                upload: upload, envelope: envelope,
                dataKey: try await keys.dataKey(
                    of: envelope, context, in: upload.location.bucket),
                context: context, places: places)
            uploads.set(
                state, until: clock.monotonic().advanced(by: settings.keys.confirmationTime))
            return state
        } catch { throw .key(error) }
    }

    private static var forgottenPagesMax: Int { 64 }

    /// Best effort: what stays is a few bytes that nobody reads. What could not be cleared away is
    /// tried again later (`tidy`).
    func forget(_ upload: ObjectUpload) async {
        uploads.remove(upload)
        let isForgotten = await isForgotten(upload)
        if isForgotten { leftovers.remove(upload) } else { leftovers.add(upload) }
    }

    private func isForgotten(_ upload: ObjectUpload) async -> Bool {
        guard !Task.isCancelled else { return false }
        guard let places = try? places(upload), let prefix = places.prefix else { return true }
        let bucket = upload.location.bucket
        // Until two lists have shown nothing: one may lag. A record and a spooled part for each
        // number, and some attempts more.
        var emptyLists = 0
        for _ in 0..<Self.forgottenPagesMax where emptyLists < 2 {
            let query = ObjectQuery(prefix: prefix)
            guard let page = try? await store.list(bucket, query) else { return false }
            // What is deleted is not the store's choice.
            let entries = page.objects.filter { $0.key.hasPrefix(prefix) }
                .map { S3DeleteRequest.Entry(key: $0.key) }
            guard !entries.isEmpty else {
                emptyLists += 1
                continue
            }
            let outcomes = try? await store.delete(entries, in: bucket)
            // What cannot be deleted would be listed for ever.
            let isDone = outcomes?.allSatisfy {
                if case .success = $0.result { true } else { false }
            }
            guard isDone == true else { return false }
        }
        return emptyLists == 2
    }
}

extension Exchange {
    func upload() throws(Refusal) -> ObjectUpload {
        guard let id = request.uploadID else { throw .store(.noSuchUpload) }
        return ObjectUpload(try location(), id: id)
    }
}
