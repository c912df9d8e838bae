// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import S3Format
internal import SealedObject
internal import SecretMemory
internal import ServedHTTP

extension S3Proxy {
    func putObject(_ exchange: Exchange) async throws(Refusal) {
        let location = try exchange.location()
        let length = try bodyLength(exchange)
        let headers = try Self.sealedHeaders(exchange.request.headers)
        var write = try write(exchange)
        let key = try await newKey(location)
        let source = try source(exchange.body, length, key.dataKey, .object)
        let content = KeyEnvelope.Content(source.header) ?? .parts
        write.attributes = try attributes(key, content, headers)
        let written: ObjectWritten
        do throws(ObjectStoreFailure) {
            written = try await store.put(
                location, Self.body(source, plainBytes: length), write)
        } catch { throw source.failure ?? .store(error) }
        metrics.sealed(length)
        var fields = [HeaderField("ETag", ClientTag.client(written.tag).quoted)]
        fields.append("x-amz-version-id", ifThere: written.versionID)
        try await exchange.answer(200, fields)
    }

    // MARK: - Parts of it

    func newKey(_ location: ObjectLocation) async throws(Refusal) -> ObjectKey {
        let name = try reader.name(location)
        do throws(KeyFailure) {
            return try await keys.newKey(for: name, in: location.bucket)
        } catch { throw .key(error) }
    }

    /// Content on its way into one segment, under a salt of its own.
    func source(
        _ plaintext: any Plaintext, _ length: Int64, _ dataKey: SecretBlock,
        _ identity: SegmentIdentity
    ) throws(Refusal) -> SealingSource<Cipher> {
        let salt = try salt()
        do throws(SealedObjectFailure) {
            return try SealingSource(
                plaintext, length: length, cipher, dataKey, identity, salt: salt)
        } catch { throw .sealed(error) }
    }

    /// Envelope and sealed headers of an object.
    func attributes(
        _ key: ObjectKey, _ content: KeyEnvelope.Content, _ headers: SealedHeaders
    ) throws(Refusal) -> ObjectAttributes {
        let (wrapSalt, headerSalt) = (try salt(), try salt())
        do throws(SealedObjectFailure) {
            return SealedMetadata.attributes(
                try key.envelope(content, salt: wrapSalt, cipher),
                headers: try headers.sealed(key, salt: headerSalt, cipher))
        } catch { throw .sealed(error) }
    }

    /// Bytes of the content, which have to be known before: the store is told the sealed size.
    func bodyLength(_ exchange: Exchange) throws(Refusal) -> Int64 {
        guard let length = exchange.body.length else {
            throw .request(S3Error(.missingContentLength))
        }
        guard length <= settings.bodyBytesMax else {
            throw .request(
                S3Error(
                    .entityTooLarge,
                    details: [
                        .init("ProposedSize", String(length)),
                        .init("MaxSizeAllowed", String(settings.bodyBytesMax)),
                    ]))
        }
        return length
    }

    static func body(_ source: SealingSource<Cipher>, plainBytes: Int64) -> ObjectBody {
        let sealed = SegmentSize.sealedSize(of: Int(clamping: plainBytes))
        return ObjectBody(source, length: sealed.map(Int64.init))
    }

    static func sealedHeaders(_ headers: S3Headers) throws(Refusal) -> SealedHeaders {
        do throws(S3Error) { return try SealedHeaders(headers) } catch { throw .request(error) }
    }

    /// What the store is to know of a write, but for the attributes.
    func write(_ exchange: Exchange) throws(Refusal) -> ObjectWrite {
        let headers = exchange.request.headers
        guard settings.dialect == .full || headers[S3Tagging.header] == nil else {
            throw .request(S3Error(.notImplemented))
        }
        do throws(S3Error) {
            return ObjectWrite(
                tagging: try headers[S3Tagging.header].map { header throws(S3Error) in
                    try S3Tagging.request(header: header)
                },
                conditions: Self.writeConditions(exchange),
                passedOn: headers.fields.filter { Self.isPassedOn($0.name) })
        } catch { throw .request(error) }
    }

    static func writeConditions(_ exchange: Exchange) -> S3Conditions {
        let conditions = exchange.conditions()
        return S3Conditions(ifMatch: conditions.ifMatch, ifNoneMatch: conditions.ifNoneMatch)
    }

    /// Headers that tell the store how to keep an object, and nothing of its content.
    static func isPassedOn(_ name: String) -> Bool {
        passedOnNames.contains(name) || passedOnPrefixes.contains { name.hasPrefix($0) }
    }
}

private let passedOnNames: Set = [
    "x-amz-storage-class", "x-amz-acl", "x-amz-request-payer", "x-amz-expected-bucket-owner",
    "x-amz-server-side-encryption",
]
private let passedOnPrefixes = [
    "x-amz-grant-", "x-amz-object-lock-", "x-amz-server-side-encryption-aws-",
    "x-amz-server-side-encryption-bucket-", "x-amz-server-side-encryption-context",
]
