// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import S3Format
internal import SealedObject
internal import ServedHTTP

extension S3Proxy {
    /// No content goes through the proxy: the data key is wrapped for the new name, and the store
    /// copies what is sealed.
    func copyObject(_ exchange: Exchange) async throws(Refusal) {
        let location = try exchange.location()
        let object = try await copySource(exchange)
        let replaces = try Self.replaces(exchange, "x-amz-metadata-directive")
        let isChanged = exchange.request.headers.fields.contains { Self.isPassedOn($0.name) }
        guard replaces || isChanged || object.version != location.latest else {
            throw .request(
                S3Error(
                    .invalidRequest,
                    "This copy request is illegal because it is trying to copy an object to "
                        + "itself without changing the object's metadata."))
        }
        let headers =
            replaces
            ? try Self.sealedHeaders(exchange.request.headers) : try reader.headers(object)
        let name = try reader.name(location)
        let key: ObjectKey
        do throws(KeyFailure) {
            key = try await keys.wrapping(object.dataKey, for: name, in: location.bucket)
        } catch { throw .key(error) }
        var write = try write(exchange)
        write.attributes = try attributes(key, object.envelope.content, headers)
        try await exchange.keepAlive(every: settings.keepAlivePause)
        if try Self.replaces(exchange, "x-amz-tagging-directive") {
            write.tagging = write.tagging ?? S3Tagging(tags: [])
        } else {
            write.tagging = nil
        }
        let written: ObjectWritten
        do throws(ObjectStoreFailure) {
            written = try await copy(object, to: location, write)
        } catch {
            // The client's own conditions may be what failed.
            throw write.conditions == .none ? Refusal(onlySame: error) : .store(error)
        }
        var fields: [HeaderField] = []
        fields.append("x-amz-version-id", ifThere: written.versionID)
        fields.append("x-amz-copy-source-version-id", ifThere: object.head.versionID)
        let result = S3CopyResult(
            tag: ClientTag.client(written.tag),
            modified: S3Timestamp(secondsSince1970: exchange.now))
        try await exchange.answer(slow: result.rendered, fields)
    }

    /// The object that a copy comes from.
    func copySource(_ exchange: Exchange) async throws(Refusal) -> UnlockedObject {
        guard let source = exchange.request.copySource else {
            throw .request(S3Error(.invalidArgument))
        }
        let version = ObjectLocation(source.bucket, source.key).version(source.versionID)
        do throws(Refusal) {
            return try await reader.unlock(
                version, exchange.conditions(prefix: S3Conditions.copySourcePrefix))
        } catch {
            // What a read answers with 304 fails here.
            if case .store(.notModified) = error { throw .store(.preconditionFailed) }
            throw error
        }
    }

    private static func replaces(
        _ exchange: Exchange, _ name: String
    ) throws(Refusal) -> Bool {
        switch exchange.request.headers[name] {
        case nil, "COPY": false
        case "REPLACE": true
        default:
            throw .request(
                S3Error(.invalidArgument, "\(name) is neither COPY nor REPLACE."))
        }
    }

    func copy(
        _ object: UnlockedObject, to location: ObjectLocation, _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        // The very content that was unlocked, or nothing.
        let condition = S3Conditions.only(object.head.tag)
        if case .parts(let table, let layout) = object.layout,
            ClientTag.parts(of: object.head.tag) != nil
        {
            // Copied in one piece the object's tag would no longer say how many parts there are,
            // and lists would show a wrong size.
            do throws(ObjectStoreFailure) {
                return try await copyParts(
                    object, Self.pieces(table, layout, object.head.size), condition, to: location,
                    write)
            } catch {
                // A store that copies no parts: the copy is right, and its size in lists is not.
                guard case .refused(_, 501) = error else { throw error }
            }
        }
        do throws(ObjectStoreFailure) {
            return try await store.copy(object.version, condition, to: location, write)
        } catch {
            // A simple store may answer without a tag; whether it copied, the object says.
            guard settings.dialect == .simple, case .responseMalformed = error,
                let head = try? await store.head(location.latest, .none),
                head.attributes.metadata[SealedMetadata.envelope]
                    == write.attributes.metadata[SealedMetadata.envelope]
            else { throw error }
            return ObjectWritten(tag: head.tag, versionID: head.versionID)
        }
    }

    /// Where the store's parts stand: each part of the client, the footer behind or within the
    /// last.
    static func pieces(
        _ table: PartTable, _ layout: FooterLayout, _ size: Int64
    ) -> [Range<Int64>] {
        var pieces: [Range<Int64>] = []
        var start: Int64 = 0
        for row in table.rows {
            let end = start + Int64(SegmentSize.sealedSize(of: row.plainBytes) ?? 0)
            pieces.append(start..<end)
            start = end
        }
        switch layout {
        case .extraPart: pieces.append(start..<size)
        case .mergedIntoLastPart:
            let last = pieces.removeLast()
            pieces.append(last.lowerBound..<size)
        }
        return pieces
    }

    private func copyParts(
        _ object: UnlockedObject, _ pieces: [Range<Int64>], _ condition: S3Conditions,
        to location: ObjectLocation, _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten {
        var write = write
        if write.tagging == nil, settings.dialect == .full {
            // A copy in one piece would have them.
            write.tagging = try await store.tags(object.version)
        }
        let upload = try await store.createUpload(location, write)
        do throws(ObjectStoreFailure) {
            var parts: [S3NamedPart] = []
            for (index, piece) in pieces.enumerated() {
                let tag = try await store.copyPart(
                    upload, index + 1, from: object.version, piece, condition)
                parts.append(S3NamedPart(number: index + 1, tag: tag))
            }
            return try await store.completeUpload(upload, parts, write.conditions)
        } catch {
            // Parts that nobody completes would be paid for.
            await abandon(upload)
            throw error
        }
    }
}
