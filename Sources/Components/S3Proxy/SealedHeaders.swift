// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import S3Format
internal import SealedObject
internal import SecretMemory

/// What a client says about its object, which the store does not get to know: metadata, and the
/// headers that come back with the content.
struct SealedHeaders: Sendable, Equatable {
    static let names = [
        "content-type", "cache-control", "content-disposition", "content-encoding",
        "content-language", "expires",
    ]
    /// What the store is told of every object's type.
    static let upstreamType = "application/octet-stream"
    private static let framing = "aws-chunked"

    var fields: [S3Headers.Field]

    init(_ fields: [S3Headers.Field]) { self.fields = fields }

    /// Of a request that writes.
    init(_ headers: S3Headers) throws(S3Error) {
        let metadata = try S3Metadata(headers)
        var fields: [S3Headers.Field] = []
        for name in Self.names {
            guard let value = headers[name] else { continue }
            let kept = name == "content-encoding" ? Self.withoutFraming(value) : value
            if !kept.isEmpty { fields.append(S3Headers.Field(name, kept)) }
        }
        self.fields = fields + metadata.headers
    }

    /// How the body was sent is not what it is.
    private static func withoutFraming(_ value: String) -> String {
        value.split(separator: ",").map { S3Headers.trimmed(String($0)) }
            .filter { $0.lowercased() != framing && !$0.isEmpty }.joined(separator: ",")
    }

    subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    /// Also when there are none: some stores add the metadata of a copy to that of its source,
    /// where what is sealed for another name would stay.
    ///
    /// - Parameter salt: new for each call.
    func sealed(
        _ key: ObjectKey, salt: Octets32, _ cipher: some AuthenticatedCipher
    ) throws(SealedObjectFailure) -> String {
        let metadata: UserMetadata
        do throws(UserMetadataRefusal) {
            metadata = try UserMetadata(fields.map { UserMetadata.Pair($0.name, $0.value) })
        } catch { throw .userMetadata(error) }
        return try key.dataKey.withBytes { dataKey throws(SealedObjectFailure) in
            try metadata.sealed(cipher, dataKey: dataKey, salt: salt, context: key.context)
        }
    }
}

/// The two names of a sealed object's metadata.
enum SealedMetadata {
    static let envelope = "ct1"
    static let headers = "ct1m"

    /// What the store is told beside the content.
    static func attributes(_ envelope: KeyEnvelope, headers: String) -> ObjectAttributes {
        let entries = [
            S3Metadata.Entry(Self.envelope, envelope.text), S3Metadata.Entry(Self.headers, headers),
        ]
        return ObjectAttributes(
            contentType: SealedHeaders.upstreamType, metadata: S3Metadata(entries: entries))
    }
}
