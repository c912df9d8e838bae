// SPDX-License-Identifier: Apache-2.0
package import Checksums
package import SecretMemory

/// A signed request.
package struct SignedRequest: Sendable {
    /// The fields that were given, and those that signing adds. In order.
    package let head: RequestHead
    /// For a body of signed chunks.
    package let chain: SignatureChain
}

/// Signs requests to S3 (AWS Signature Version 4).
package struct RequestSigner: Sendable {
    private let accessKeyID: String
    private let region: String
    private let digests: any MessageDigests
    private let keyMemory: SecretArena

    /// - Parameter keyMemory: for signing keys: 32 bytes for each request until its body's end.
    package init(
        accessKeyID: String, region: String, _ digests: any MessageDigests, keyMemory: SecretArena
    ) {
        self.accessKeyID = accessKeyID
        self.region = region
        self.digests = digests
        self.keyMemory = keyMemory
    }

    /// Fields that proxies and HTTP libraries change or add on their way.
    private static let neverSigned: Set<String> = [
        "authorization", "connection", "expect", "keep-alive", "proxy-authenticate",
        "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
        "x-amzn-trace-id",
    ]

    /// Signs in the header. Adds `x-amz-date`, `x-amz-content-sha256`, `authorization`, for
    /// temporary credentials `x-amz-security-token`, and for a chunked body `content-encoding`,
    /// `x-amz-decoded-content-length` and `x-amz-trailer`. None of them may be among `fields`.
    ///
    /// - Parameters:
    ///   - fields: `host` among them.
    ///   - now: seconds since 1970.
    ///   - secret: the secret access key.
    package func sign(
        method: String, _ target: RequestTarget, fields: [RequestField], payload: Payload,
        now: Int64, secret: RawSpan, sessionToken: String? = nil
    ) throws(SignatureRefusal) -> SignedRequest {
        let time = SigningTime(secondsSince1970: now)
        var fields = fields
        fields.append(RequestField("x-amz-date", time.text))
        fields.append(RequestField(Payload.contentField, payload.text))
        if let sessionToken {
            fields.append(RequestField("x-amz-security-token", sessionToken))
        }
        if case .chunked(let body) = payload {
            fields.append(RequestField("content-encoding", "aws-chunked"))
            fields.append(RequestField(Payload.decodedLengthField, String(body.decodedByteCount)))
            if let trailer = body.trailer {
                fields.append(RequestField(Payload.trailerField, trailer.fieldName))
            }
        }
        let scope = SigningScope(date: time.date, region: region)
        let canonical = try Self.canonical(method, target, fields, payload.text)
        let key = try key(secret, scope)
        let signature = canonical.signature(key, at: time, in: scope)
        fields.append(
            RequestField(
                Authorization.field,
                "\(SigningText.algorithm) Credential=\(accessKeyID)/\(scope.text), "
                    + "SignedHeaders=\(canonical.signedNames.joined(separator: ";")), "
                    + "Signature=\(signature.text)"))
        return SignedRequest(
            head: RequestHead(method: method, target: target.encoded, fields: fields),
            chain: SignatureChain(key: key, time: time, scope: scope, seed: signature))
    }

    /// Signs in the query: whoever has the returned target can send the request, with whatever
    /// body, until it expires.
    ///
    /// - Parameters:
    ///   - fields: those that have to be sent with it, `host` among them.
    ///   - expirySeconds: one of `RequestLimits.expirySeconds`.
    /// - Returns: path and query, encoded.
    package func presign(
        method: String, _ target: RequestTarget, fields: [RequestField], now: Int64,
        expirySeconds: Int64, secret: RawSpan, sessionToken: String? = nil
    ) throws(SignatureRefusal) -> String {
        guard RequestLimits.expirySeconds.contains(expirySeconds) else {
            throw .malformed(.malformed(.expires), .query)
        }
        let time = SigningTime(secondsSince1970: now)
        let scope = SigningScope(date: time.date, region: region)
        let names = try Self.canonical(method, target, fields, "").signedNames
        var query = target.query
        for (part, value) in [
            (AuthorizationPart.algorithm, SigningText.algorithm),
            (.credential, "\(accessKeyID)/\(scope.text)"), (.date, time.text),
            (.expires, String(expirySeconds)), (.signedHeaders, names.joined(separator: ";")),
        ] {
            query.append(QueryItem(Authorization.queryPrefix + part.rawValue, value))
        }
        if let sessionToken {
            query.append(QueryItem(Authorization.tokenParameter, sessionToken))
        }
        let unsigned = RequestTarget(path: target.path, query: query)
        let signature = try Self.canonical(method, unsigned, fields, Payload.unsignedText)
            .signature(try key(secret, scope), at: time, in: scope)
        query.append(QueryItem(Authorization.signatureParameter, signature.text))
        return RequestTarget(path: target.path, query: query).encoded
    }

    private static func canonical(
        _ method: String, _ target: RequestTarget, _ fields: [RequestField], _ payload: String
    ) throws(SignatureRefusal) -> CanonicalRequest {
        let fields = try CanonicalFields(fields)
        guard fields.values["host"] != nil else { throw .hostMissing }
        return CanonicalRequest(
            method: method, target: target, unsignedParameter: nil,
            signedNames: fields.values.keys.filter { !neverSigned.contains($0) }.sorted {
                $0.utf8.lexicographicallyPrecedes($1.utf8)
            },
            fields: fields, payload: payload)
    }

    private func key(
        _ secret: RawSpan, _ scope: SigningScope
    ) throws(SignatureRefusal) -> SigningKey {
        do throws(SigningKeyFailure) {
            return try SigningKey(secret: secret, scope: scope, digests, in: keyMemory)
        } catch {
            throw .keyUnavailable(error)
        }
    }
}
