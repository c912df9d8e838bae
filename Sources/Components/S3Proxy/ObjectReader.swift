// SPDX-License-Identifier: Apache-2.0
internal import Caching
internal import ObjectStorePorts
internal import Ports
internal import S3Format
internal import SealedObject
internal import SecretMemory
internal import Synchronization

/// An object of the store with its key, before any content was opened.
struct UnlockedObject: Sendable {
    enum Layout: Sendable {
        case segment(SegmentHeader)
        case parts(PartTable, FooterLayout)
    }

    let version: ObjectVersion
    /// As the store has it.
    let head: ObjectHead
    let dataKey: SecretBlock
    let context: Octets32
    let envelope: KeyEnvelope
    let layout: Layout
    /// Bytes of the content.
    let size: Int64

    /// Of the client's parts; nil: it was sent in one piece.
    var parts: [PartTable.Row]? {
        guard case .parts(let table, _) = layout else { return nil }
        return table.rows
    }
}

/// Finds out what an object is: its key, its size, its parts.
struct ObjectReader<Cipher: AuthenticatedCipher>: Sendable {
    /// A footer of as many parts as this fits into one look where the store does not tell how many
    /// there are.
    static var footerBytesMax: Int { FooterLayout.suffixBytes(upstreamParts: 10_000) ?? 0 }

    let store: any ObjectStore
    let keys: KeyRing<Cipher>
    let cipher: Cipher
    let tenant: String

    /// By a HEAD, and the footer where there are parts.
    func unlock(
        _ version: ObjectVersion, _ conditions: S3Conditions
    ) async throws(Refusal) -> UnlockedObject {
        let head: ObjectHead
        do throws(ObjectStoreFailure) {
            head = try await store.head(version, conditions)
        } catch { throw .store(error) }
        return try await unlock(version, head)
    }

    /// - Parameter head: that the store gave for it.
    func unlock(
        _ version: ObjectVersion, _ head: ObjectHead
    ) async throws(Refusal) -> UnlockedObject {
        let envelope: KeyEnvelope
        do throws(EnvelopeRefusal) {
            envelope = try KeyEnvelope(head.attributes.metadata[SealedMetadata.envelope])
        } catch { throw .sealed(.envelope(error)) }
        let name = try name(version.location)
        let context = name.context(cipher)
        let dataKey: SecretBlock
        do throws(KeyFailure) {
            dataKey = try await keys.dataKey(of: envelope, context, in: version.location.bucket)
        } catch { throw .key(error) }
        let layout: UnlockedObject.Layout
        let size: Int
        if let header = envelope.content.header {
            guard let plain = SegmentSize.plainSize(ofSealed: Int(clamping: head.size)) else {
                throw .sealed(.truncated)
            }
            (layout, size) = (.segment(header), plain)
        } else {
            let (table, form) = try await footer(version, head, dataKey)
            (layout, size) = (.parts(table, form), table.plainBytes)
        }
        // What is read later is the version that was looked at.
        return UnlockedObject(
            version: version.location.version(head.versionID ?? version.id), head: head,
            dataKey: dataKey, context: context, envelope: envelope,
            layout: layout, size: Int64(size))
    }

    /// What a key is bound to.
    func name(_ location: ObjectLocation) throws(Refusal) -> ObjectName {
        guard
            let name = ObjectName(
                tenant: tenant, bucket: location.bucket.name, key: location.key.text)
        else { throw .request(S3Error(.keyTooLong)) }
        return name
    }

    /// What the client said about it.
    func headers(_ object: UnlockedObject) throws(Refusal) -> SealedHeaders {
        guard let text = object.head.attributes.metadata[SealedMetadata.headers] else {
            return SealedHeaders([])
        }
        do throws(SealedObjectFailure) {
            let metadata = try object.dataKey.withBytes { dataKey throws(SealedObjectFailure) in
                try UserMetadata(text, cipher, dataKey: dataKey, context: object.context)
            }
            return SealedHeaders(metadata.pairs.map { S3Headers.Field($0.name, $0.value) })
        } catch { throw .sealed(error) }
    }

    // MARK: - Footers

    private func footer(
        _ version: ObjectVersion, _ head: ObjectHead, _ dataKey: SecretBlock
    ) async throws(Refusal) -> (PartTable, FooterLayout) {
        if let parts = ClientTag.parts(of: head.tag),
            let bytes = FooterLayout.suffixBytes(upstreamParts: parts)
        {
            let suffix = try await suffix(version, head, bytes: bytes)
            do throws(SealedObjectFailure) {
                return try open(suffix, bytes, parts, head, dataKey)
            } catch { throw .sealed(error) }
        }
        return try await footerOfUnknownParts(version, head, dataKey)
    }

    /// Some stores do not say how many parts there are, and a copy inside the store forgets it: the
    /// footer's size, which depends on that number, is looked for.
    private func footerOfUnknownParts(
        _ version: ObjectVersion, _ head: ObjectHead, _ dataKey: SecretBlock
    ) async throws(Refusal) -> (PartTable, FooterLayout) {
        var known: [UInt8] = []
        var last = SealedObjectFailure.notSealed
        for parts in S3Limits.partNumbers {
            guard let bytes = FooterLayout.suffixBytes(upstreamParts: parts) else { break }
            if known.count < min(bytes, Int(clamping: head.size)) {
                let more = parts == 1 ? SealedObjectLimits.sealedChunkBytes : Self.footerBytesMax
                known = try await suffix(version, head, bytes: max(bytes, more))
            }
            do throws(SealedObjectFailure) {
                return try open(known, bytes, parts, head, dataKey)
            } catch {
                // Another number of parts has a footer of the same size, or none is there.
                switch error {
                case .notSealed, .truncated, .partTable: last = error
                case .notAuthentic: last = error
                default: throw .sealed(error)
                }
            }
        }
        throw .sealed(last)
    }

    /// - Parameter bytes: so many at the end of `known`, or all of it.
    private func open(
        _ known: [UInt8], _ bytes: Int, _ parts: Int, _ head: ObjectHead, _ dataKey: SecretBlock
    ) throws(SealedObjectFailure) -> (PartTable, FooterLayout) {
        let start = max(0, known.count - bytes)
        return try dataKey.withBytes { dataKey throws(SealedObjectFailure) in
            try PartTable.open(
                suffix: known.span.bytes.extracting(start..<known.count), upstreamParts: parts,
                sealedObjectBytes: Int(clamping: head.size), cipher, dataKey: dataKey)
        }
    }

    private func suffix(
        _ version: ObjectVersion, _ head: ObjectHead, bytes: Int
    ) async throws(Refusal) -> [UInt8] {
        // Some stores have no suffix that is longer than the object.
        let bytes = min(bytes, Int(clamping: head.size))
        guard bytes > 0 else { return [] }
        do throws(ObjectStoreFailure) {
            return try await store.read(version, .last(Int64(bytes)), .only(head.tag)) {
                answer, stream throws(ObjectStoreFailure) in
                guard answer.head.tag == head.tag else { throw .preconditionFailed }
                return try await stream.collected(bytesMax: bytes)
            }
        } catch { throw Refusal(onlySame: error) }
    }
}
