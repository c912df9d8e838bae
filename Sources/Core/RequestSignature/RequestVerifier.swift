// SPDX-License-Identifier: Apache-2.0
package import Checksums
package import SecretMemory

/// Lends the secret of an access key: calls `lend` once, with the secret access key and, for
/// temporary credentials, their session token. Calls it not at all when there is no such key.
package typealias AccessKeyLookup = (
    _ accessKeyID: String, _ lend: (_ secret: RawSpan, _ sessionToken: RawSpan?) -> Void
) -> Void

/// A request whose signature was checked.
package struct VerifiedRequest: Sendable {
    package let accessKeyID: String
    package let form: AuthorizationForm
    /// As it was signed. Act on this reading and on no other.
    package let target: RequestTarget
    package let payload: Payload
    /// For a body of signed chunks.
    package let chain: SignatureChain
}

/// Checks requests' signatures (AWS Signature Version 4 for S3). What S3 demands beyond the
/// signature itself is demanded here: `host` and every `x-amz-` field signed, the time close to
/// ours, the credential's date the request's.
package struct RequestVerifier: Sendable {
    /// The only one that credentials may name.
    package let region: String
    private let digests: any MessageDigests
    private let keyMemory: SecretArena

    /// - Parameter keyMemory: for signing keys: 32 bytes for each request until its body's end.
    package init(region: String, _ digests: any MessageDigests, keyMemory: SecretArena) {
        self.region = region
        self.digests = digests
        self.keyMemory = keyMemory
    }

    /// - Parameters:
    ///   - now: seconds since 1970.
    ///   - keys: where the secret is.
    package func verify(
        _ head: RequestHead, now: Int64, keys: AccessKeyLookup
    ) throws(SignatureRefusal) -> VerifiedRequest {
        guard (1...32).contains(head.method.utf8.count),
            head.method.utf8.allSatisfy({ (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) })
        else { throw .methodMalformed }
        let target = try RequestTarget(parsing: head.target)
        let fields = try CanonicalFields(head.fields)
        let authorization = try Authorization(of: head, target)
        let time = try Self.time(authorization, fields, now: now)
        try checkScope(authorization, time)
        try Self.checkSignedFields(authorization, fields)
        let content = try Self.content(authorization, target, fields)
        let canonical = CanonicalRequest(
            method: head.method, target: target,
            unsignedParameter: authorization.form == .query
                ? Authorization.signatureParameter : nil,
            signedNames: authorization.signedNames, fields: fields, payload: content)
        let payload = try Payload(content, fields)
        let key = try signingKey(
            authorization, token: try Self.sessionToken(authorization, target, fields), keys)
        guard
            canonical.signature(key, at: time, in: authorization.scope)
                .equals(authorization.signature)
        else { throw .signatureMismatch }
        return VerifiedRequest(
            accessKeyID: authorization.accessKeyID, form: authorization.form, target: target,
            payload: payload,
            chain: SignatureChain(
                key: key, time: time, scope: authorization.scope,
                seed: authorization.signature))
    }

    /// The request's time, when it is one at which the request is good.
    private static func time(
        _ authorization: Authorization, _ fields: CanonicalFields, now: Int64
    ) throws(SignatureRefusal) -> SigningTime {
        let skew = RequestLimits.skewSecondsMax
        if let window = authorization.window {
            let start = window.start.secondsSince1970
            guard start <= now + skew else { throw .notYetValid }
            guard now <= start + window.seconds else { throw .expired }
            return window.start
        }
        let time =
            if let value = fields.values["x-amz-date"] {
                SigningTime(basic: String(decoding: value, as: UTF8.self))
            } else if let value = fields.values["date"] {
                SigningTime(dateField: String(decoding: value, as: UTF8.self))
                    ?? SigningTime(basic: String(decoding: value, as: UTF8.self))
            } else {
                nil as SigningTime?
            }
        guard let time else { throw .dateUnreadable }
        guard (now - skew...now + skew).contains(time.secondsSince1970) else {
            throw .timeTooSkewed
        }
        return time
    }

    private func checkScope(
        _ authorization: Authorization, _ time: SigningTime
    ) throws(SignatureRefusal) {
        let (scope, form) = (authorization.scope, authorization.form)
        guard authorization.terminator == SigningScope.terminator else {
            throw .malformed(.wrongTerminator, form)
        }
        guard scope.service == SigningScope.s3 else { throw .malformed(.wrongService, form) }
        guard scope.region == region else {
            throw .malformed(.wrongRegion(expected: region), form)
        }
        guard scope.date == time.date else { throw .malformed(.dateMismatch, form) }
    }

    private static func checkSignedFields(
        _ authorization: Authorization, _ fields: CanonicalFields
    ) throws(SignatureRefusal) {
        guard fields.values["host"] != nil else { throw .hostMissing }
        let signed = Set(authorization.signedNames)
        let needed = fields.values.keys.filter { $0 == "host" || $0.hasPrefix("x-amz-") }
        if let name = needed.filter({ !signed.contains($0) }).min() {
            throw .fieldUnsigned(name: name)
        }
        if let name = authorization.signedNames.first(where: { fields.values[$0] == nil }) {
            throw .signedFieldMissing(name: name)
        }
    }

    /// What is signed of the body. A presigned request says nothing of it, unless it does.
    private static func content(
        _ authorization: Authorization, _ target: RequestTarget, _ fields: CanonicalFields
    ) throws(SignatureRefusal) -> String {
        let inField = fields.values[Payload.contentField]
        guard authorization.form == .query else {
            guard let inField else { throw .contentHashMissing }
            return String(decoding: inField, as: UTF8.self)
        }
        let inQuery = target.values(of: Authorization.contentParameter)
        guard inQuery.count + (inField == nil ? 0 : 1) <= 1 else { throw .contentHashMalformed }
        guard let content = inQuery.first ?? inField else { return Payload.unsignedText }
        return String(decoding: content, as: UTF8.self)
    }

    private static func sessionToken(
        _ authorization: Authorization, _ target: RequestTarget, _ fields: CanonicalFields
    ) throws(SignatureRefusal) -> [UInt8]? {
        let inField = fields.values["x-amz-security-token"]
        guard authorization.form == .query else { return inField }
        let inQuery = target.values(of: Authorization.tokenParameter)
        guard inQuery.count + (inField == nil ? 0 : 1) <= 1 else { throw .sessionTokenMismatch }
        return inQuery.first ?? inField
    }

    private func signingKey(
        _ authorization: Authorization, token: [UInt8]?, _ keys: AccessKeyLookup
    ) throws(SignatureRefusal) -> SigningKey {
        var made: Result<SigningKey, SignatureRefusal> = .failure(.unknownAccessKey)
        keys(authorization.accessKeyID) { secret, expectedToken in
            made = Result { () throws(SignatureRefusal) in
                guard Self.isSame(token, expectedToken) else { throw .sessionTokenMismatch }
                do throws(SigningKeyFailure) {
                    return try SigningKey(
                        secret: secret, scope: authorization.scope, digests, in: keyMemory)
                } catch {
                    throw .keyUnavailable(error)
                }
            }
        }
        return try made.get()
    }

    private static func isSame(_ token: [UInt8]?, _ expected: RawSpan?) -> Bool {
        guard let expected else { return token == nil }
        guard let token else { return false }
        return ConstantTime.areEqual(token.span.bytes, expected)
    }
}
