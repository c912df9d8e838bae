// SPDX-License-Identifier: Apache-2.0
internal import ObjectServerPorts
internal import ObjectStorePorts
internal import RequestSignature
internal import S3Format
internal import SealedObject
internal import ServedHTTP

/// One request that was found to be a client's, and the way back.
struct Exchange: Sendable {
    let request: S3Request
    let body: ClientBody
    let response: any ResponseWriter
    /// Also in `x-amz-request-id`.
    let id: String
    /// Seconds since 1970.
    let now: Int64

    func location() throws(Refusal) -> ObjectLocation {
        guard case .object(let bucket, let key) = request.target else {
            throw .request(S3Error(.internalError))
        }
        return ObjectLocation(bucket, key)
    }

    func version() throws(Refusal) -> ObjectVersion { try location().version(request.versionID) }

    func bucket() throws(Refusal) -> S3Bucket {
        guard let bucket = request.target.bucket else { throw .request(S3Error(.internalError)) }
        return bucket
    }

    func conditions(prefix: String = "") -> S3Conditions {
        S3Conditions(request.headers, prefix: prefix, now: now).upstream
    }

    // MARK: - Answers

    /// An answer without a body.
    func answer(_ status: Int = 200, _ fields: [HeaderField] = []) async throws(Refusal) {
        let hasLength = fields.contains { $0.name == "Content-Length" }
        let length =
            status == 204 || status == 304 || hasLength
            ? [] : [HeaderField("Content-Length", "0")]
        try await begin(status, fields + length)
        try await end()
    }

    func answer(document: [UInt8], _ fields: [HeaderField] = []) async throws(Refusal) {
        try await begin(
            200,
            fields + [Self.xml, HeaderField("Content-Length", String(document.count))])
        try await write(document)
        try await end()
    }

    /// Keeps the client waiting while long work is done: from then on the answer is 200, and a
    /// failure is told in its body.
    func keepAlive(every pause: Duration) async throws(Refusal) {
        do throws(StreamFailure) {
            try await response.keepAlive(
                every: pause,
                ResponseHead(status: 200, fields: Self.common(id: id, now: now) + [Self.xml]),
                opening: S3ErrorDocument.declaration)
        } catch { throw Refusal(error) }
    }

    /// - Parameter document: gets whether it begins with an XML declaration.
    func answer(
        slow document: (Bool) -> [UInt8], _ fields: [HeaderField] = []
    ) async throws(Refusal) {
        let outcome: HeadOutcome
        do throws(StreamFailure) {
            outcome = try await response.head(
                ResponseHead(
                    status: 200, fields: Self.common(id: id, now: now) + fields + [Self.xml]))
        } catch { throw Refusal(error) }
        try await write(document(outcome == .sent))
        try await end()
    }

    static let xml = HeaderField("Content-Type", "application/xml")

    func begin(_ status: Int, _ fields: [HeaderField]) async throws(Refusal) {
        do throws(StreamFailure) {
            try await response.head(
                ResponseHead(status: status, fields: Self.common(id: id, now: now) + fields))
        } catch { throw Refusal(error) }
    }

    func write(_ bytes: [UInt8]) async throws(Refusal) {
        guard !bytes.isEmpty else { return }
        do throws(StreamFailure) { try await response.write(bytes) } catch { throw Refusal(error) }
    }

    func end() async throws(Refusal) {
        do throws(StreamFailure) { try await response.end(trailers: []) } catch {
            throw Refusal(error)
        }
    }

    static func common(id: String, now: Int64) -> [HeaderField] {
        [
            HeaderField("x-amz-request-id", id), HeaderField("Date", HTTPDate.text(now)),
            HeaderField("Server", "cloudtaser"),
        ]
    }
}

extension [HeaderField] {
    /// How long the content is, and of a part which one.
    mutating func append(content range: Range<Int64>, of size: Int64, isPart: Bool) {
        append(HeaderField("Content-Length", String(range.count)))
        guard isPart else { return }
        append(HeaderField("Content-Range", S3ByteRange.contentRange(range, size: size)))
    }

    mutating func append(_ name: String, ifThere value: String?) {
        if let value { append(HeaderField(name, value)) }
    }
}
