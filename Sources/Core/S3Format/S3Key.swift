// SPDX-License-Identifier: Apache-2.0

/// An object's key, or a part of one: a prefix, a delimiter, a marker. Only as a part it may be
/// empty.
///
/// Not a String, because two strings are equal when they look alike (`é` as one character and as
/// two), and sort so too. Keys are equal and sorted byte by byte.
package struct S3Key: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// UTF-8 without NUL.
    package let bytes: [UInt8]

    package static let empty = S3Key(unchecked: [])

    /// nil: no UTF-8, or with a NUL, which no document can hold.
    package init?(bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        guard !bytes.contains(0), String(validating: bytes, as: UTF8.self) != nil else {
            return nil
        }
        self.bytes = bytes
    }

    /// nil: with a NUL.
    package init?(_ text: some StringProtocol) { self.init(bytes: text.utf8) }

    private init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    package var text: String { String(decoding: bytes, as: UTF8.self) }
    package var description: String { text }
    package var isEmpty: Bool { bytes.isEmpty }
    package var count: Int { bytes.count }

    package func hasPrefix(_ prefix: S3Key) -> Bool { bytes.starts(with: prefix.bytes) }

    package static func < (left: S3Key, right: S3Key) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }

    /// Up to and with the first `delimiter` behind `prefix`; nil: there is none. What a list rolls
    /// up into a common prefix.
    package func commonPrefix(_ prefix: S3Key, delimiter: S3Key) -> S3Key? {
        guard !delimiter.isEmpty, hasPrefix(prefix),
            let found = bytes[prefix.count...].firstRange(of: delimiter.bytes)
        else { return nil }
        // Both ends are ends of UTF-8 sequences, so what is between them is UTF-8 too.
        return S3Key(unchecked: Array(bytes[..<found.upperBound]))
    }
}
