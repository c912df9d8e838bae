// SPDX-License-Identifier: Apache-2.0
internal import Checksums
internal import ObjectKeyPorts
package import ObjectServerPorts
internal import ObjectStorePorts
internal import Ports
internal import RequestSignature
internal import S3Format
package import SealedObject
internal import SecretMemory
internal import ServedHTTP
internal import Synchronization

/// S3 for clients, before a store that gets to see ciphertext only.
///
/// It holds no state that another replica would need: what a client was told is in the store when
/// the answer goes out.
package final class S3Proxy<Cipher: AuthenticatedCipher>: RequestHandler {
    let store: any ObjectStore
    let keys: KeyRing<Cipher>
    let reader: ObjectReader<Cipher>
    let cipher: Cipher
    let settings: S3ProxyPolicy
    let metrics = S3ProxyMetrics()
    let sizes = ListedSizes()
    let uploads = KnownUploads()
    let leftovers = Leftovers()
    var clock: any TimeSource & Sendable { parts.clock }
    private let parts: S3ProxyParts<Cipher>
    private let verifier: RequestVerifier
    private let underWay = Mutex(0)
    private let documents: DocumentRoom

    package init(_ parts: S3ProxyParts<Cipher>, _ settings: S3ProxyPolicy) {
        self.parts = parts
        self.settings = settings
        documents = DocumentRoom(bytesMax: settings.documentBytesMax)
        store = parts.store
        cipher = parts.cipher
        keys = KeyRing(parts, settings)
        reader = ObjectReader(
            store: parts.store, keys: keys, cipher: parts.cipher, tenant: settings.tenant)
        verifier = RequestVerifier(
            region: settings.region, parts.digests, keyMemory: parts.keyMemory)
    }

    /// Prometheus' text format, without secrets and without names of objects.
    package var metricsPage: String { metrics.page(keyMemory: parts.keyMemory.statistics) }

    /// Forgets keys that are held no longer. Whoever runs the proxy calls it now and then: keys
    /// that nobody asks for would stay otherwise.
    package func forgetEndedKeys() {
        keys.forgetEnded()
        uploads.forgetEnded(at: clock.monotonic())
    }

    package func handle(
        _ request: ServedRequest, body: any RequestBody, response: any ResponseWriter
    ) async {
        let begun = parts.clock.monotonic()
        let now = parts.clock.secondsSince1970()
        let id = requestID()
        var operation: S3Operation?
        var refusal: Refusal?
        let isBusy = underWay.withLock { count in
            count += 1
            return count > settings.requestsMax
        }
        defer { underWay.withLock { $0 -= 1 } }
        do throws(Refusal) {
            guard !isBusy else { throw .request(S3Error(.slowDown)) }
            let exchange = try exchange(request, body, response, id: id, now: now)
            operation = exchange.request.operation
            try await perform(exchange)
        } catch {
            refusal = error
            await answer(error, request, response, id: id, now: now)
        }
        let took = begun.duration(to: parts.clock.monotonic())
        metrics.count(operation, refusal, took: took)
        parts.report(
            S3ProxyReport(id, request.remoteAddress, operation, refusal, took: took))
    }

    /// Whether it is what it says it is, and what it wants.
    private func exchange(
        _ served: ServedRequest, _ body: any RequestBody, _ response: any ResponseWriter,
        id: String, now: Int64
    ) throws(Refusal) -> Exchange {
        let head = RequestSignature.RequestHead(
            method: served.head.method,
            target: String(decoding: served.head.pathAndQuery, as: UTF8.self),
            fields: served.head.fields.map { RequestField($0.name, $0.value) })
        let verified: VerifiedRequest
        do throws(SignatureRefusal) {
            verified = try verifier.verify(head, now: now, keys: parts.credentials.lend)
        } catch { throw .signature(error.answer) }
        // What was signed is what is acted on.
        let target = verified.target.encoded
        let end = target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        let request: S3Request
        do throws(S3Error) {
            request = try S3Request(
                method: served.head.method, path: String(target[..<end]),
                rawQuery: String(target[end...].dropFirst()),
                headers: S3Headers(
                    served.head.fields.map { S3Headers.Field($0.name, $0.value) }),
                rules: settings.rules)
        } catch { throw .request(error) }
        var length: Int64?
        if case .bytes(let count) = served.length { length = Int64(count) }
        return Exchange(
            request: request,
            body: try ClientBody(
                body, length: length, of: head, verified, parts.digests,
                documents),
            response: response, id: id, now: now)
    }

    private func answer(
        _ refusal: Refusal, _ request: ServedRequest, _ response: any ResponseWriter, id: String,
        now: Int64
    ) async {
        if case .clientGone = refusal { return await response.abort() }
        var fields = Exchange.common(id: id, now: now)
        if case .store(.notModified(let tag)) = refusal {
            fields.append("ETag", ifThere: tag.map { ClientTag.client($0).quoted })
            return await send(304, fields, nil, response)
        }
        if case .store(.deleted(let marker)) = refusal {
            fields.append(HeaderField("x-amz-delete-marker", "true"))
            fields.append("x-amz-version-id", ifThere: marker)
        }
        let path = String(decoding: request.head.pathAndQuery.prefix { $0 != 0x3F }, as: UTF8.self)
        guard case .signature(let answer) = refusal else {
            let error = refusal.error
            let document = error.document(resource: path, requestID: id, hostID: "")
            return await send(error.status, fields, document, response)
        }
        let document = S3ErrorDocument(
            code: answer.code, message: answer.message, resource: path, requestID: id)
        await send(answer.status, fields, document, response)
    }

    /// When an answer has begun already it is cut instead: nobody takes what there is for a whole.
    private func send(
        _ status: Int, _ fields: [HeaderField], _ document: S3ErrorDocument?,
        _ response: any ResponseWriter
    ) async {
        do throws(StreamFailure) {
            var fields = fields
            let whole = document?.rendered() ?? []
            if document != nil {
                fields.append(Exchange.xml)
                fields.append(HeaderField("Content-Length", String(whole.count)))
            }
            let outcome = try await response.head(ResponseHead(status: status, fields: fields))
            // A client that was kept waiting has the declaration already.
            let bytes = outcome == .sent ? whole : document?.rendered(hasDeclaration: false) ?? []
            if !bytes.isEmpty { try await response.write(bytes) }
            try await response.end(trailers: [])
        } catch { await response.abort() }
    }

    private func requestID() -> String {
        guard let salt = try? parts.salts.salt() else { return "0" }
        return salt.prefix(8).map { byte in
            let text = String(byte, radix: 16, uppercase: true)
            return byte < 16 ? "0" + text : text
        }.joined()
    }

    func salt() throws(Refusal) -> Octets32 {
        do throws(KeyFailure) { return try parts.salts.octets() } catch { throw .key(error) }
    }
}
