// SPDX-License-Identifier: Apache-2.0

/// What a request is about.
package enum S3Target: Sendable, Hashable {
    case service
    case bucket(S3Bucket)
    case object(S3Bucket, S3Key)

    package var bucket: S3Bucket? {
        switch self {
        case .service: nil
        case .bucket(let bucket), .object(let bucket, _): bucket
        }
    }

    package var key: S3Key? { if case .object(_, let key) = self { key } else { nil } }

    var level: S3Route.Level {
        switch self {
        case .service: .service
        case .bucket: .bucket
        case .object: .object
        }
    }
}

/// What holds for all requests.
package struct S3Rules: Sendable, Equatable {
    /// Hosts below which a bucket's name may stand: `s3.example.eu`. In lower case, without a port.
    package var domains: [String]
    /// Where the proxy keeps what is its own; no client gets there.
    package var reservedPrefix: S3Key

    package static let defaultReservedPrefix = S3Key(".cloudtaser/") ?? .empty

    package init(domains: [String] = [], reservedPrefix: S3Key = Self.defaultReservedPrefix) {
        self.domains = domains
        self.reservedPrefix = reservedPrefix
    }

    /// Whether a key is the proxy's own.
    package func isReserved(_ key: S3Key) -> Bool {
        !reservedPrefix.isEmpty && key.hasPrefix(reservedPrefix)
    }

    /// A key of the proxy's own; nil: too long, or with a NUL.
    package func ownKey(_ rest: String) -> S3Key? {
        // Without a reserved prefix nothing is the proxy's own.
        guard let key = S3Key(bytes: reservedPrefix.bytes + Array(rest.utf8)), isReserved(key),
            key.count <= S3Limits.keyBytesMax
        else { return nil }
        return key
    }

    package static let reservedRefusal = S3Error(
        .accessDenied, "Keys under this prefix are reserved; use another key.")
}

/// A request, as far as its head says what is wanted. Refuses whatever is not known to be safe.
package struct S3Request: Sendable, Equatable {
    package let operation: S3Operation
    package let target: S3Target
    package let query: S3Query
    /// With those that a presigned address carries in its query.
    package let headers: S3Headers
    /// Of the query, or nil.
    package let versionID: String?
    package let uploadID: String?
    package let partNumber: Int?
    package let copySource: S3CopySource?

    /// - Parameters:
    ///   - path: as it was sent, up to `?`. It is decoded once, and nothing of it is left out:
    ///     `//` and `..` are parts of keys.
    ///   - rawQuery: as it was sent, behind `?`.
    package init(
        method: String, path: String, rawQuery: String, headers: S3Headers, rules: S3Rules
    ) throws(S3Error) {
        query = try S3Query(raw: rawQuery)
        self.headers = try query.hoisted(into: headers)
        target = try S3Target(path: path, host: headers["host"], rules: rules)
        let source = self.headers[S3CopySource.header]
        let route = try S3Route.find(
            method: method, target.level, query, hasCopySource: source != nil)
        operation = route.operation
        versionID = try query.identifier("versionId")
        uploadID = try query.identifier("uploadId")
        partNumber = try query.partNumber()
        if route.hasCopySource, let source {
            let source = try S3CopySource(source)
            guard !rules.isReserved(source.key) else { throw S3Rules.reservedRefusal }
            copySource = source
        } else {
            copySource = nil
        }
        try check(rules)
    }

    private func check(_ rules: S3Rules) throws(S3Error) {
        if let key = target.key, rules.isReserved(key) { throw S3Rules.reservedRefusal }
        try S3Metadata.refuseReserved(headers)
        // A value out of a query may hold what would end a header when it is sent on.
        let overrides = query.parameters.filter { S3Route.overrides.contains($0.name) }
        guard headers.fields.map(\.value).allSatisfy(S3Headers.isValue),
            overrides.map(\.value).allSatisfy(S3Headers.isValue)
        else { throw S3Error(.invalidArgument, "A header holds a control character.") }
        guard headers.fields.filter({ $0.name == "host" }).count <= 1 else {
            throw S3Error(.invalidRequest, "The request has more than one Host.")
        }
        guard !headers.fields.contains(where: { Self.isRefused($0.name) }) else {
            throw S3Error(.notImplemented)
        }
        switch operation {
        case .uploadPart, .uploadPartCopy:
            guard uploadID != nil, partNumber != nil else {
                throw S3Error(.invalidArgument, "A part needs an uploadId and a partNumber.")
            }
        case .listParts, .completeMultipartUpload, .abortMultipartUpload:
            guard uploadID != nil else {
                throw S3Error(.invalidArgument, "The parameter uploadId is empty.")
            }
        case .listObjectsV2:
            guard query["list-type"] == "2" else {
                throw S3Error(.invalidArgument, "The parameter list-type must be 2.")
            }
        default: break
        }
    }

    /// Keys of the client's own (it holds the plaintext's key, the server would decrypt), and bytes
    /// appended to an object.
    private static func isRefused(_ name: String) -> Bool {
        name.hasPrefix("x-amz-server-side-encryption-customer-")
            || name.hasPrefix("x-amz-copy-source-server-side-encryption-customer-")
            || name == "x-amz-write-offset-bytes"
    }
}

extension S3Target {
    /// From a path as it was sent, and the `Host` header.
    init(path: String, host: String?, rules: S3Rules) throws(S3Error) {
        let bytes = path.utf8
        guard bytes.count <= S3Limits.pathBytesMax else { throw S3Error(.keyTooLong) }
        guard bytes.first == UInt8(ascii: "/") else { throw S3Error(.invalidURI) }
        var rest = bytes.dropFirst()
        let name: String
        if let ofHost = Self.bucketName(ofHost: host, rules.domains) {
            name = ofHost
        } else {
            guard !rest.isEmpty else {
                self = .service
                return
            }
            let raw = rest.prefix { $0 != UInt8(ascii: "/") }
            rest = rest[raw.endIndex...].dropFirst()
            guard let decoded = PercentEncoding.decoded(raw, plusIsSpace: false) else {
                throw S3Error(.invalidURI)
            }
            name = String(decoding: decoded, as: UTF8.self)
        }
        guard let bucket = S3Bucket(name) else { throw S3Error(.invalidBucketName) }
        guard !rest.isEmpty else {
            self = .bucket(bucket)
            return
        }
        self = .object(bucket, try Self.key(rest))
    }

    private static func key(_ raw: some Collection<UInt8>) throws(S3Error) -> S3Key {
        guard let bytes = PercentEncoding.decoded(raw, plusIsSpace: false),
            let key = S3Key(bytes: bytes)
        else { throw S3Error(.invalidURI) }
        guard key.count <= S3Limits.keyBytesMax else {
            throw S3Error(
                .keyTooLong,
                details: [
                    .init("Size", String(key.count)),
                    .init("MaxSizeAllowed", String(S3Limits.keyBytesMax)),
                ])
        }
        return key
    }

    /// What stands before one of the domains; nil: the path names the bucket.
    private static func bucketName(ofHost host: String?, _ domains: [String]) -> String? {
        guard var name = host?.lowercased() else { return nil }
        // Behind the last bracket, so that an address of IPv6 keeps its colons.
        if let colon = name.lastIndex(of: ":"),
            name[colon...].dropFirst().allSatisfy({ $0.isASCII && $0.isNumber })
        {
            name = String(name[..<colon])
        }
        // The longest first: one domain may be below another.
        for domain in domains.sorted(by: { $0.utf8.count > $1.utf8.count }) {
            if name == domain { return nil }
            guard name.hasSuffix("." + domain) else { continue }
            return String(name.dropLast(domain.count + 1))
        }
        return nil
    }
}

extension S3Query {
    /// Parameters of a signature in the query.
    static let signature: Set<String> = [
        "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires",
        "x-amz-signedheaders", "x-amz-signature", "x-amz-security-token", "x-amz-content-sha256",
    ]

    private var isPresigned: Bool {
        parameters.contains { $0.name.lowercased() == "x-amz-signature" }
    }

    /// What belongs to the signature, or to nobody: S3 leaves `x-` to clients, for its logs.
    static func isIgnored(_ name: String) -> Bool { name.lowercased().hasPrefix("x-") }

    /// Some clients move headers into the query that they sign: they count as headers.
    func hoisted(into headers: S3Headers) throws(S3Error) -> S3Headers {
        var headers = headers
        for parameter in parameters {
            let name = parameter.name.lowercased()
            guard name.hasPrefix("x-amz-"), !Self.signature.contains(name) else { continue }
            guard isPresigned else { throw S3Error(.notImplemented) }
            guard headers[name] == nil else {
                throw S3Error(
                    .invalidArgument, "A header stands in the query and among the headers.")
            }
            headers.append(S3Headers.Field(name, parameter.value))
        }
        return headers
    }

    func partNumber() throws(S3Error) -> Int? {
        guard self["partNumber"] != nil else { return nil }
        let missing = 0
        let number = try number("partNumber", S3Limits.partNumbers, missing: missing)
        guard number != missing else {
            throw S3Error(.invalidArgument, "The parameter partNumber is empty.")
        }
        return number
    }
}
