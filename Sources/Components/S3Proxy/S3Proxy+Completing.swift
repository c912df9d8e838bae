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
        let state = try await state(upload)
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
                let token = PartToken(
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
            return try await store.completeUpload(state.upload, parts, conditions)
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
            let number = last.number + 1
            let tag = try await store.uploadPart(
                state.upload, number, ObjectBody(body, length: body.length))
            return S3NamedPart(number: number, tag: tag)
        }
        guard let spool = state.places.spool(last.number, last.salt) else { throw .invalidPart }
        do throws(ObjectStoreFailure) {
            let tag = try await uploadSpooled(spool, behind: footer, last.number, state)
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
