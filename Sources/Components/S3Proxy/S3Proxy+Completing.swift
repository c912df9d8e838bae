// SPDX-License-Identifier: Apache-2.0
internal import ObjectServerPorts
internal import ObjectStorePorts
internal import S3Format
internal import SealedObject
internal import SecretMemory
internal import ServedHTTP

extension S3Proxy {
    func completeUpload(_ exchange: Exchange) async throws(Refusal) {
        let upload = try exchange.upload()
        let document = try await exchange.body.collected(bytesMax: S3Limits.documentBytesMax)
        let request: S3CompleteRequest
        do throws(S3Error) { request = try S3CompleteRequest(document) } catch {
            throw .request(error)
        }
        let state: UploadState
        do throws(Refusal) { state = try await self.state(upload) } catch {
            guard case .store(.noSuchUpload) = error,
                let written = try await completedBefore(upload, request.parts)
            else { throw error }
            // Whoever completed it may have been kept from clearing away.
            await forget(upload)
            return try await answer(exchange, upload, written)
        }
        let tokens = try tokens(request.parts, state)
        try await exchange.keepAlive(every: settings.keepAlivePause)
        let written = try await completed(
            state, tokens, conditions: Self.writeConditions(exchange))
        await forget(upload)
        try await answer(exchange, upload, written)
    }

    private func answer(
        _ exchange: Exchange, _ upload: ObjectUpload, _ written: ObjectWritten
    ) async throws(Refusal) {
        let path = "/\(upload.location.bucket)/\(upload.location.key)"
        let result = S3CompletedUpload(
            location: path, bucket: upload.location.bucket.name, key: upload.location.key,
            tag: ClientTag.client(written.tag))
        var fields: [HeaderField] = []
        fields.append("x-amz-version-id", ifThere: written.versionID)
        try await exchange.answer(slow: result.rendered, fields)
    }

    /// The parts as this upload's key made their tags.
    private func tokens(
        _ parts: [S3NamedPart], _ state: UploadState
    ) throws(Refusal) -> [PartToken] {
        var tokens: [PartToken] = []
        for part in parts {
            guard
                let token = try PartToken(
                    part.tag, number: part.number, cipher, state.dataKey)
            else { throw .store(.invalidPart) }
            tokens.append(token)
        }
        guard tokens.dropLast().allSatisfy({ $0.size >= settings.partBytesMin }) else {
            throw .store(.partTooSmall)
        }
        return tokens
    }

    /// Puts the footer behind the parts, without which the store could leave some out.
    private func completed(
        _ state: UploadState, _ tokens: [PartToken], conditions: S3Conditions
    ) async throws(Refusal) -> ObjectWritten {
        guard let last = tokens.last else { throw .store(.invalidPart) }
        let isMerged = last.size < settings.partBytesMin
        let footer = try footer(tokens, isMerged ? .mergedIntoLastPart : .extraPart, state)
        do throws(ObjectStoreFailure) {
            var parts = tokens.map { S3NamedPart(number: $0.number, tag: $0.tag) }
            if isMerged { parts.removeLast() }
            parts.append(try await store(footer, behind: last, isMerged: isMerged, state))
            let written = try await store.completeUpload(state.upload, parts, conditions)
            guard settings.dialect == .simple else { return written }
            // Its answer has another tag than all later ones.
            let head = try await store.head(state.upload.location.latest, .none)
            return ObjectWritten(tag: head.tag, versionID: head.versionID)
        } catch {
            guard error == .noSuchUpload else { throw .store(error) }
            guard let written = try await writtenBefore(state) else {
                // Nobody can complete it any more.
                await forget(state.upload)
                throw .store(error)
            }
            return written
        }
    }

    private func store(
        _ footer: [UInt8], behind last: PartToken, isMerged: Bool, _ state: UploadState
    ) async throws(ObjectStoreFailure) -> S3NamedPart {
        guard isMerged else {
            let body = BytesSource(footer)
            // None that a client may use: an attempt of its own would be overwritten. A simple
            // store wants numbers without gaps.
            let number =
                settings.dialect == .full ? SealedObjectLimits.partsMax + 1 : last.number + 1
            let tag = try await store.uploadPart(
                state.upload, number, ObjectBody(body, length: body.length))
            return S3NamedPart(number: number, tag: tag)
        }
        guard let spool = state.places.spool(last.number, last.salt) else { throw .invalidPart }
        do throws(ObjectStoreFailure) {
            let tag = try await uploadSpooled(spool, of: last, behind: footer, state)
            return S3NamedPart(number: last.number, tag: tag)
        } catch {
            if case .noSuchKey = error { throw .noSuchUpload }
            throw error
        }
    }

    private func footer(
        _ tokens: [PartToken], _ layout: FooterLayout, _ state: UploadState
    ) throws(Refusal) -> [UInt8] {
        let table: PartTable
        do throws(PartTableRefusal) {
            table = try PartTable(
                tokens.map {
                    PartTable.Row(
                        number: $0.number, plainBytes: Int(clamping: $0.size), salt: $0.salt)
                })
        } catch {
            if case .saltUsedTwice = error { throw .request(S3Error(.internalError)) }
            throw .store(.invalidPart)
        }
        let salt = try salt()
        do throws(SealedObjectFailure) {
            return try state.dataKey.withBytes { key throws(SealedObjectFailure) in
                try table.sealedFooter(layout, cipher, dataKey: key, salt: salt)
            }
        } catch { throw .sealed(error) }
    }

    /// The state is gone. When what stands there has the key that made the tags, and these very
    /// parts, the upload was completed and the client did not hear of it.
    private func completedBefore(
        _ upload: ObjectUpload, _ named: [S3NamedPart]
    ) async throws(Refusal) -> ObjectWritten? {
        let object: UnlockedObject
        do throws(Refusal) {
            object = try await reader.unlock(upload.location.latest, .none)
        } catch {
            switch error {
            case .key(let failure) where failure.isTransient: throw error
            case .store(let failure) where failure.isTransient: throw error
            case .sealed(let failure) where failure.isTransient: throw error
            default: return nil
            }
        }
        guard let rows = object.parts, rows.count == named.count else { return nil }
        for (row, part) in zip(rows, named) {
            let token = try PartToken(part.tag, number: part.number, cipher, object.dataKey)
            guard let token, token.number == row.number, token.salt == row.salt else { return nil }
        }
        return ObjectWritten(tag: object.head.tag, versionID: object.head.versionID)
    }

    /// The store knows no such upload any more. When what stands there has its envelope, an earlier
    /// attempt went through and its answer was lost.
    private func writtenBefore(
        _ state: UploadState
    ) async throws(Refusal) -> ObjectWritten? {
        let head: ObjectHead
        do throws(ObjectStoreFailure) {
            head = try await store.head(state.upload.location.latest, .none)
        } catch {
            switch error {
            case .noSuchKey, .deleted: return nil
            // Whether it went through is not known.
            default: throw .store(error)
            }
        }
        guard head.attributes.metadata[SealedMetadata.envelope] == state.envelope.text else {
            return nil
        }
        return ObjectWritten(tag: head.tag, versionID: head.versionID)
    }
}
