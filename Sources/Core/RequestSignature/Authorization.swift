// SPDX-License-Identifier: Apache-2.0

/// Who a request says that it is from, read and not yet checked against anything.
struct Authorization {
    let form: AuthorizationForm
    let accessKeyID: String
    let scope: SigningScope
    /// Ends the credential; `SigningScope.terminator` in a good one.
    let terminator: String
    /// In lower case, ascending.
    let signedNames: [String]
    let signature: Signature
    /// The query form's own time, and how many seconds it is good for.
    let window: (start: SigningTime, seconds: Int64)?
}

extension Authorization {
    static let field = "authorization"
    static let queryPrefix = "X-Amz-"
    /// The one parameter that is not signed.
    static let signatureParameter = "X-Amz-Signature"
    static let tokenParameter = "X-Amz-Security-Token"
    static let contentParameter = "X-Amz-Content-Sha256"

    /// Finds the one authorization of a request.
    init(of head: RequestHead, _ target: RequestTarget) throws(SignatureRefusal) {
        let values = head.values(of: Self.field)
        let isInQuery = [AuthorizationPart.algorithm, .credential, .signature].contains {
            !target.values(of: Self.queryPrefix + $0.rawValue).isEmpty
        }
        guard values.isEmpty || !isInQuery else { throw .twoMechanisms }
        if let value = values.first {
            guard values.count == 1 else { throw .twoMechanisms }
            try self.init(header: value)
        } else if isInQuery {
            try self.init(query: target)
        } else {
            // Version 2 in the query.
            guard target.values(of: "AWSAccessKeyId").isEmpty else { throw .unsupportedMechanism }
            throw .anonymous
        }
    }

    // MARK: - Header

    private init(header value: String) throws(SignatureRefusal) {
        let prefix = SigningText.algorithm + " "
        guard value.utf8.starts(with: prefix.utf8) else { throw .unsupportedMechanism }
        var found: [AuthorizationPart: String] = [:]
        for component in value.utf8.dropFirst(prefix.utf8.count).split(separator: Self.comma) {
            let text = component.drop { $0 == Self.space }
            guard let equals = text.firstIndex(of: UInt8(ascii: "=")),
                let part = AuthorizationPart(rawValue: String(Substring(text[..<equals]))),
                Self.headerParts.contains(part)
            else { throw .malformed(.unknownPart, .header) }
            let partValue = Self.trimmed(text[equals...].dropFirst())
            guard found.updateValue(partValue, forKey: part) == nil else {
                throw .malformed(.malformed(part), .header)
            }
        }
        func part(_ part: AuthorizationPart) throws(SignatureRefusal) -> String {
            guard let text = found[part] else { throw .malformed(.missing(part), .header) }
            return text
        }
        try self.init(
            form: .header, credential: try part(.credential),
            signedHeaders: try part(.signedHeaders), signature: try part(.signature), window: nil)
    }

    private static let headerParts: Set<AuthorizationPart> = [
        .credential, .signedHeaders, .signature,
    ]

    private static let comma = UInt8(ascii: ",")
    private static let space = UInt8(ascii: " ")

    private static func trimmed(_ text: Substring.UTF8View) -> String {
        var text = text
        while text.last == space { text.removeLast() }
        return String(Substring(text))
    }

    // MARK: - Query

    private init(query target: RequestTarget) throws(SignatureRefusal) {
        func part(_ part: AuthorizationPart) throws(SignatureRefusal) -> String {
            let values = target.values(of: Self.queryPrefix + part.rawValue)
            guard let value = values.first else { throw .malformed(.missing(part), .query) }
            guard values.count == 1, let text = String(validating: value, as: UTF8.self) else {
                throw .malformed(.malformed(part), .query)
            }
            return text
        }
        guard try part(.algorithm) == SigningText.algorithm else {
            throw .malformed(.malformed(.algorithm), .query)
        }
        guard let start = SigningTime(basic: try part(.date)) else {
            throw .malformed(.malformed(.date), .query)
        }
        let digits = try part(.expires)
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let seconds = Int64(digits), RequestLimits.expirySeconds.contains(seconds)
        else { throw .malformed(.malformed(.expires), .query) }
        try self.init(
            form: .query, credential: try part(.credential),
            signedHeaders: try part(.signedHeaders), signature: try part(.signature),
            window: (start, seconds))
    }

    // MARK: - Both

    private init(
        form: AuthorizationForm, credential: String, signedHeaders: String, signature: String,
        window: (start: SigningTime, seconds: Int64)?
    ) throws(SignatureRefusal) {
        // The access key ID may hold slashes, what follows it may not.
        let parts = credential.utf8.split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false
        ).map { String(Substring($0)) }
        let accessKeyID = parts.dropLast(4).joined(separator: "/")
        guard parts.count >= 5, !accessKeyID.isEmpty,
            accessKeyID.utf8.count <= RequestLimits.accessKeyIDBytesMax,
            accessKeyID.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw .malformed(.malformed(.credential), form) }
        let names = signedHeaders.utf8.split(
            separator: UInt8(ascii: ";"), omittingEmptySubsequences: false
        ).map { String(Substring($0)) }
        guard names.count <= RequestLimits.fieldCountMax else {
            throw .tooLarge(.fields, limit: RequestLimits.fieldCountMax)
        }
        guard names.allSatisfy({ !$0.isEmpty && $0 == $0.lowercased() }),
            zip(names, names.dropFirst()).allSatisfy({
                $0.utf8.lexicographicallyPrecedes($1.utf8)
            })
        else { throw .malformed(.malformed(.signedHeaders), form) }
        guard let signature = Signature(signature) else {
            throw .malformed(.malformed(.signature), form)
        }
        self.form = form
        self.accessKeyID = accessKeyID
        scope = SigningScope(
            date: parts[parts.count - 4], region: parts[parts.count - 3],
            service: parts[parts.count - 2])
        terminator = parts[parts.count - 1]
        signedNames = names
        self.signature = signature
        self.window = window
    }
}
