// SPDX-License-Identifier: Apache-2.0

/// An entity tag, byte for byte as the server gave it, with its quotes. What is in it means
/// nothing.
package struct S3EntityTag: Sendable, Hashable, CustomStringConvertible {
    package let text: String

    package init(_ text: String) { self.text = text }

    package var description: String { text }

    /// Without quotes, and without the mark of a weak one: some clients leave the quotes out.
    package var bare: Substring {
        var rest = Substring(text)
        if rest.hasPrefix("W/") { rest = rest.dropFirst(2) }
        if rest.utf8.count >= 2, rest.first == "\"", rest.last == "\"" {
            rest = rest.dropFirst().dropLast()
        }
        return rest
    }

    /// In quotes, as headers and documents have it.
    package var quoted: String { text.hasPrefix("\"") ? text : "\"\(bare)\"" }

    package func matches(_ other: S3EntityTag) -> Bool { bare.utf8.elementsEqual(other.bare.utf8) }
}

/// The conditions of a request (RFC 9110, section 13.1).
package struct S3Conditions: Sendable, Hashable {
    package enum Tags: Sendable, Hashable {
        /// `*`
        case any
        case some([S3EntityTag])

        func contains(_ tag: S3EntityTag) -> Bool {
            switch self {
            case .any: true
            case .some(let tags): tags.contains { $0.matches(tag) }
            }
        }

        package var header: String {
            switch self {
            case .any: "*"
            case .some(let tags): tags.map(\.quoted).joined(separator: ", ")
            }
        }
    }

    package var ifMatch: Tags?
    package var ifNoneMatch: Tags?
    /// Seconds since 1970.
    package var ifModifiedSince: Int64?
    package var ifUnmodifiedSince: Int64?

    package static let none = S3Conditions()

    package init(
        ifMatch: Tags? = nil, ifNoneMatch: Tags? = nil, ifModifiedSince: Int64? = nil,
        ifUnmodifiedSince: Int64? = nil
    ) {
        self.ifMatch = ifMatch
        self.ifNoneMatch = ifNoneMatch
        self.ifModifiedSince = ifModifiedSince
        self.ifUnmodifiedSince = ifUnmodifiedSince
    }

    package enum Verdict: Sendable, Hashable {
        case proceed
        /// 304.
        case notModified
        /// 412.
        case failed
    }

    /// For a read (RFC 9110, section 13.2.2): tags count before times.
    package func verdict(tag: S3EntityTag, modified: Int64) -> Verdict {
        if let ifMatch {
            guard ifMatch.contains(tag) else { return .failed }
        } else if let ifUnmodifiedSince {
            guard modified <= ifUnmodifiedSince else { return .failed }
        }
        if let ifNoneMatch {
            guard !ifNoneMatch.contains(tag) else { return .notModified }
        } else if let ifModifiedSince {
            guard modified > ifModifiedSince else { return .notModified }
        }
        return .proceed
    }

    /// For the source of a copy: as for a read, but what a read answers with 304 fails
    /// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
    package func copyVerdict(tag: S3EntityTag, modified: Int64) -> Verdict {
        verdict(tag: tag, modified: modified) == .proceed ? .proceed : .failed
    }

    /// For a write.
    ///
    /// - Parameter tag: of what is there now; nil: nothing.
    package func writeVerdict(tag: S3EntityTag?) -> Verdict {
        guard let tag else { return ifMatch == nil ? .proceed : .failed }
        if let ifMatch, !ifMatch.contains(tag) { return .failed }
        if let ifNoneMatch, ifNoneMatch.contains(tag) { return .failed }
        return .proceed
    }

    /// - Parameters:
    ///   - prefix: empty, or `x-amz-copy-source-`.
    ///   - now: seconds since 1970, see `HTTPDate`. A time that cannot be read is no condition.
    package init(_ headers: S3Headers, prefix: String = "", now: Int64) {
        ifMatch = headers[prefix + "if-match"].flatMap(Self.tags)
        ifNoneMatch = headers[prefix + "if-none-match"].flatMap(Self.tags)
        ifModifiedSince = headers[prefix + "if-modified-since"].flatMap {
            HTTPDate.seconds($0, now: now)
        }
        ifUnmodifiedSince = headers[prefix + "if-unmodified-since"].flatMap {
            HTTPDate.seconds($0, now: now)
        }
    }

    package static let copySourcePrefix = "x-amz-copy-source-"

    /// Name and value of each condition.
    ///
    /// - Parameter prefix: as in `init`.
    package func headers(prefix: String = "") -> [S3Headers.Field] {
        [
            (prefix + "if-match", ifMatch?.header), (prefix + "if-none-match", ifNoneMatch?.header),
            (prefix + "if-modified-since", ifModifiedSince.map { HTTPDate.text($0) }),
            (prefix + "if-unmodified-since", ifUnmodifiedSince.map { HTTPDate.text($0) }),
        ].compactMap { name, value in value.map { S3Headers.Field(name, $0) } }
    }

    /// A list of tags. A comma within quotes does not end one.
    private static func tags(_ header: String) -> Tags? {
        var tags: [S3EntityTag] = []
        var current = ""
        var isQuoted = false
        for scalar in header.unicodeScalars {
            if scalar == "\"" { isQuoted.toggle() }
            if scalar == ",", !isQuoted {
                append(current, to: &tags)
                current = ""
            } else {
                current.unicodeScalars.append(scalar)
            }
        }
        append(current, to: &tags)
        guard !tags.isEmpty else { return nil }
        return tags == [S3EntityTag("*")] ? .any : .some(tags)
    }

    private static func append(_ text: String, to tags: inout [S3EntityTag]) {
        let trimmed = S3Headers.trimmed(text)
        if !trimmed.isEmpty { tags.append(S3EntityTag(trimmed)) }
    }
}
