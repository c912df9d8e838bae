// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import Checksums
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStorePorts
internal import RequestSignature
internal import S3Format
internal import SecretMemory

/// One request before it is signed.
struct S3Call: Sendable {
    /// Whether it is sent again after a failure that will pass.
    enum Repetition: Sendable {
        /// Only if the store is as if it had never been sent.
        case ifWithoutEffect
        /// Also when it may have been done already: twice is as good as once.
        case always
        case never
    }

    var method: HTTPMethod
    var bucket: S3Bucket?
    var key: S3Key?
    var query: [QueryItem]
    var fields: [RequestField]
    /// A body that is made here.
    var document: [UInt8]?
    var repetition: Repetition
    /// The store copies or puts parts together before it answers.
    var isLong: Bool {
        fields.contains { $0.name == "x-amz-copy-source" }
            || method == .POST && query.contains { $0.name.elementsEqual("uploadId".utf8) }
    }

    /// Whether an answer that is no success is for the caller, and not read here.
    var keepsRefusals = false

    init(
        _ method: HTTPMethod, _ bucket: S3Bucket?, _ key: S3Key? = nil, query: [QueryItem] = [],
        fields: [S3Headers.Field] = [], document: [UInt8]? = nil,
        _ repetition: Repetition = .always
    ) {
        self.method = method
        self.bucket = bucket
        self.key = key
        self.query = query
        self.fields = fields.map { RequestField($0.name, $0.value) }
        self.document = document
        self.repetition = repetition
    }

    init(
        _ method: HTTPMethod, _ version: ObjectVersion, query: [QueryItem] = [],
        fields: [S3Headers.Field] = [], document: [UInt8]? = nil,
        _ repetition: Repetition = .always
    ) {
        let own = version.id.map { [QueryItem("versionId", $0)] } ?? []
        self.init(
            method, version.location.bucket, version.location.key, query: query + own,
            fields: fields, document: document, repetition)
    }

    init(
        _ method: HTTPMethod, _ upload: ObjectUpload, query: [QueryItem] = [],
        fields: [S3Headers.Field] = [], document: [UInt8]? = nil, _ repetition: Repetition
    ) {
        self.init(
            method, upload.location.bucket, upload.location.key,
            query: query + [QueryItem("uploadId", upload.id)], fields: fields, document: document,
            repetition)
    }

    func asks(_ name: String) -> Bool { query.contains { $0.name.elementsEqual(name.utf8) } }
}

/// What came back, whole.
struct StoreAnswer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let body: [UInt8]
}

extension S3HTTP {
    static let userAgent = "cloudtaser"

    /// Signed, with the document as its body.
    func request(_ call: S3Call) async throws(ObjectStoreFailure) -> HTTPClient.Request {
        var fields = call.fields
        if let document = call.document {
            let digest = digests.digest(.md5, of: document.span.bytes)
            fields.append(RequestField("content-md5", Data(digest).base64EncodedString()))
            if !fields.contains(where: { $0.name == "content-type" }) {
                fields.append(RequestField("content-type", "application/xml"))
            }
        }
        let prefix = hostPrefix(call.bucket)
        let authority = endpoint.authority(prefix)
        let target = RequestTarget(path: path(call, isInHost: prefix != nil), query: call.query)
        fields.insert(RequestField("host", authority), at: 0)
        let credential: S3Credential
        do throws(S3CredentialUnavailable) { credential = try await credentials.current() } catch {
            throw .credentialUnavailable(detail: error.detail)
        }
        let head = try sign(call.method.rawValue, target, fields, credential)
        var headers = HTTPHeaders(head.fields.map { ($0.name, $0.value) })
        headers.add(name: "user-agent", value: Self.userAgent)
        do {
            return try HTTPClient.Request(
                url: "\(endpoint.scheme)://\(authority)\(head.target)", method: call.method,
                headers: headers,
                body: call.document.map { .byteBuffer(ByteBuffer(bytes: $0)) })
        } catch { throw failure(error) }
    }

    private func sign(
        _ method: String, _ target: RequestTarget, _ fields: [RequestField],
        _ credential: S3Credential
    ) throws(ObjectStoreFailure) -> RequestHead {
        let signer = RequestSigner(
            accessKeyID: credential.accessKeyID, region: settings.region, digests,
            keyMemory: keyMemory)
        let token = credential.sessionToken?.withBytes { bytes in
            bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        }
        do throws(SignatureRefusal) {
            return try credential.secret.withBytes { secret throws(SignatureRefusal) in
                try signer.sign(
                    method: method, target, fields: fields, payload: .unsigned, now: now(),
                    secret: secret, sessionToken: token)
            }.head
        } catch {
            switch error {
            case .keyUnavailable(.memoryExhausted):
                throw .credentialUnavailable(detail: "no secret memory is left for a signing key")
            case .keyUnavailable(.secretLength):
                throw .credentialUnavailable(
                    detail: "the secret access key is empty or longer than "
                        + "\(RequestLimits.secretBytesMax) bytes")
            // A field with what ends a line, or too much of all.
            default: throw .refused(code: S3ErrorCode.invalidArgument.rawValue, status: 400)
            }
        }
    }

    /// What stands before the host; nil: nothing.
    private func hostPrefix(_ bucket: S3Bucket?) -> String? {
        guard settings.style == .virtualHost, let bucket,
            !endpoint.isSecure || !bucket.name.contains(".")
        else { return nil }
        return bucket.name
    }

    private func path(_ call: S3Call, isInHost: Bool) -> [UInt8] {
        var path: [UInt8] = []
        if let bucket = call.bucket, !isInHost {
            path.append(UInt8(ascii: "/"))
            path += bucket.name.utf8
        }
        if let key = call.key {
            path.append(UInt8(ascii: "/"))
            path += key.bytes
        }
        return path.isEmpty ? [UInt8(ascii: "/")] : path
    }
}
