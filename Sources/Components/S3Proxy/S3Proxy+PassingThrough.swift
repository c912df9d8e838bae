// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
package import S3Format
internal import ServedHTTP

/// Objects of these names may be there unsealed: from before there was the proxy, or put there by
/// others. They are read as they are, and whoever runs the store can put any content in their
/// place. What clients write is sealed there as everywhere.
package struct PassThrough: Sendable, Hashable {
    package let bucket: S3Bucket
    /// Of keys; empty: all.
    package let prefix: S3Key

    package init(bucket: S3Bucket, prefix: S3Key) {
        self.bucket = bucket
        self.prefix = prefix
    }

    func covers(_ location: ObjectLocation) -> Bool {
        location.bucket == bucket && location.key.hasPrefix(prefix)
    }
}

extension S3Proxy {
    /// The head of an object that is not sealed and need not be; nil: it has to be opened.
    ///
    /// Only of names that the settings list: no other object passes for a plain one because
    /// somebody took its metadata away.
    func unsealed(
        _ version: ObjectVersion, _ conditions: S3Conditions
    ) async throws(Refusal) -> ObjectHead? {
        guard settings.passThrough.contains(where: { $0.covers(version.location) }) else {
            return nil
        }
        do throws(ObjectStoreFailure) {
            let head = try await store.head(version, conditions)
            return head.attributes.metadata[SealedMetadata.envelope] == nil ? head : nil
        } catch { throw .store(error) }
    }

    func getUnsealed(
        _ exchange: Exchange, _ version: ObjectVersion, _ head: ObjectHead
    ) async throws(Refusal) {
        let range = exchange.request.headers["range"].flatMap { S3ByteRange(header: $0) }
        if let range, case .unsatisfiable = range.resolved(size: head.size) {
            throw .request(range.refusal(size: head.size))
        }
        do throws(Refusal) {
            try await read(version, range, .only(head.tag)) { answer, stream throws(Refusal) in
                let isPart = answer.part != 0..<answer.head.size
                var fields = Self.unsealedFields(answer.head)
                fields.append(content: answer.part, of: answer.head.size, isPart: isPart)
                try await exchange.begin(isPart ? 206 : 200, fields)
                while let bytes = try await Self.next(stream) { try await exchange.write(bytes) }
                try await exchange.end()
            }
        } catch {
            guard case .store(let failure) = error else { throw error }
            throw Refusal(onlySame: failure)
        }
    }

    private static func next(_ stream: any ObjectStream) async throws(Refusal) -> [UInt8]? {
        do throws(ObjectStoreFailure) { return try await stream.next() } catch {
            throw .store(error)
        }
    }

    func headUnsealed(_ exchange: Exchange, _ head: ObjectHead) async throws(Refusal) {
        try await exchange.answer(
            200,
            Self.unsealedFields(head) + [HeaderField("Content-Length", String(head.size))])
    }

    private static func unsealedFields(_ head: ObjectHead) -> [HeaderField] {
        var fields = [
            HeaderField("ETag", ClientTag.client(head.tag).quoted),
            HeaderField("Last-Modified", HTTPDate.text(head.modified)),
            HeaderField("Accept-Ranges", "bytes"),
        ]
        fields.append("x-amz-version-id", ifThere: head.versionID)
        let own = head.attributes
        for (name, value) in [
            ("Content-Type", own.contentType ?? "binary/octet-stream"),
            ("Cache-Control", own.cacheControl), ("Content-Disposition", own.contentDisposition),
            ("Content-Encoding", own.contentEncoding),
            ("Content-Language", own.contentLanguage), ("Expires", own.expires),
        ] {
            fields.append(name, ifThere: value)
        }
        for field in own.metadata.headers + head.passedOn {
            fields.append(HeaderField(field.name, field.value))
        }
        return fields
    }
}
