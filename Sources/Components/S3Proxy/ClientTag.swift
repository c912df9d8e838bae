// SPDX-License-Identifier: Apache-2.0
internal import S3Format

/// Entity tags as clients see them: the store's, with a suffix, so that none looks like the MD5 of
/// the content, which clients would compare. An object in parts has a suffix already.
///
/// One rule in every answer, and back again in conditions: `"x"` is `"x-0"` and `"x-3"` stays.
enum ClientTag {
    private static let suffix = "-0"

    static func client(_ upstream: S3EntityTag) -> S3EntityTag {
        parts(of: upstream) == nil ? S3EntityTag("\"\(upstream.bare)\(suffix)\"") : upstream
    }

    static func upstream(_ client: S3EntityTag) -> S3EntityTag {
        guard client.bare.hasSuffix(suffix) else { return client }
        return S3EntityTag("\"\(client.bare.dropLast(suffix.count))\"")
    }

    /// How many parts the store has, when its tag says so; nil: one piece, or it does not say.
    static func parts(of upstream: S3EntityTag) -> Int? {
        let bare = upstream.bare
        guard let dash = bare.lastIndex(of: "-") else { return nil }
        let digits = bare[dash...].dropFirst()
        guard let first = digits.utf8.first, first != UInt8(ascii: "0"),
            digits.utf8.count <= 5, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(digits), S3Limits.partNumbers.contains(number)
        else { return nil }
        return number
    }
}

extension S3Conditions {
    /// A client's, as the store is asked.
    var upstream: S3Conditions {
        var conditions = self
        conditions.ifMatch = ifMatch.map(Self.upstream)
        conditions.ifNoneMatch = ifNoneMatch.map(Self.upstream)
        return conditions
    }

    private static func upstream(_ tags: Tags) -> Tags {
        switch tags {
        case .any: .any
        case .some(let tags): .some(tags.map(ClientTag.upstream))
        }
    }

    /// Only the very content that was seen.
    static func only(_ tag: S3EntityTag) -> S3Conditions { S3Conditions(ifMatch: .some([tag])) }
}
