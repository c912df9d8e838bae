// SPDX-License-Identifier: Apache-2.0

/// A general purpose bucket's name
/// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
package struct S3Bucket: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let name: String

    /// Names of things that are no general purpose buckets: access points, directory buckets,
    /// table buckets. Their objects would be bound to a name that is not the bucket's.
    static let foreignPrefixes = ["xn--", "sthree-"]
    static let foreignSuffixes = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]

    /// nil: not allowed as a bucket's name. Those of before 2018, with capitals or `_`, are not
    /// either.
    package init?(_ name: some StringProtocol) {
        let bytes = Array(name.utf8)
        guard S3Limits.bucketCharacters.contains(bytes.count), let first = bytes.first,
            let last = bytes.last, Self.isLetterOrDigit(first), Self.isLetterOrDigit(last),
            bytes.allSatisfy({ Self.isLetterOrDigit($0) || $0 == 0x2D || $0 == 0x2E }),
            !name.contains(".."), !Self.isAddress(bytes),
            !Self.foreignPrefixes.contains(where: { name.hasPrefix($0) }),
            !Self.foreignSuffixes.contains(where: { name.hasSuffix($0) })
        else { return nil }
        self.name = String(name)
    }

    package var description: String { name }

    package static func < (left: S3Bucket, right: S3Bucket) -> Bool { left.name < right.name }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
    }

    /// Four numbers with points between them.
    private static func isAddress(_ bytes: [UInt8]) -> Bool {
        let parts = bytes.split(separator: 0x2E, omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in part.allSatisfy { (0x30...0x39).contains($0) } }
    }
}
