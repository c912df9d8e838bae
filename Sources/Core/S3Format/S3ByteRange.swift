// SPDX-License-Identifier: Apache-2.0

/// One range of a `Range` header (RFC 9110, section 14.1.2).
package enum S3ByteRange: Sendable, Hashable {
    /// From the byte `first` to the byte `last`, which is one of the range; nil: to the end.
    case from(Int64, through: Int64?)
    /// The last so many bytes.
    case last(Int64)

    /// What an object of some size has of a range.
    package enum Resolution: Sendable, Hashable {
        /// 206.
        case part(Range<Int64>)
        /// 416.
        case unsatisfiable
    }

    /// nil: the whole object is sent, because the header is not of a form that is known or has
    /// several ranges, as S3 does.
    package init?(header: String) {
        let parts = header.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, Self.trimmed(parts[0]).lowercased() == "bytes" else { return nil }
        let ends = Self.trimmed(parts[1]).split(
            separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard ends.count == 2 else { return nil }
        let (first, last) = (Self.number(ends[0]), Self.number(ends[1]))
        switch (first, last, ends[0].isEmpty, ends[1].isEmpty) {
        case (let first?, let last?, _, _) where first <= last:
            self = .from(first, through: last)
        case (let first?, nil, _, true): self = .from(first, through: nil)
        case (nil, let count?, true, _): self = .last(count)
        default: return nil
        }
    }

    /// - Parameter size: of the object, in bytes. An empty one has no range.
    package func resolved(size: Int64) -> Resolution {
        guard size > 0 else { return .unsatisfiable }
        switch self {
        case .from(let first, let last):
            guard first < size else { return .unsatisfiable }
            return .part(first..<(min(last ?? (size - 1), size - 1) + 1))
        case .last(let count):
            guard count > 0 else { return .unsatisfiable }
            return .part(max(0, size - count)..<size)
        }
    }

    /// As it is sent upstream.
    package var header: String {
        switch self {
        case .from(let first, let last): "bytes=\(first)-" + (last.map { String($0) } ?? "")
        case .last(let count): "bytes=-\(count)"
        }
    }

    /// `bytes 0-9/100`, for `Content-Range`.
    package static func contentRange(_ part: Range<Int64>, size: Int64) -> String {
        "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)"
    }

    /// The answer to a range that the object does not have.
    package func refusal(size: Int64) -> S3Error {
        S3Error(
            .invalidRange,
            details: [
                .init("RangeRequested", header), .init("ActualObjectSize", String(size)),
            ])
    }

    /// `x-amz-copy-source-range`, which must have both ends.
    package static func copySource(_ header: String) throws(S3Error) -> Range<Int64> {
        guard case .from(let first, let last?)? = S3ByteRange(header: header), last < .max else {
            throw S3Error(
                .invalidArgument,
                "The x-amz-copy-source-range value must be of the form bytes=first-last where "
                    + "first and last are the zero-based offsets of the first and last bytes "
                    + "to copy")
        }
        return first..<(last + 1)
    }

    /// Larger than any object is as good as the largest number.
    private static func number(_ text: Substring) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Decimal.number(text.utf8, Int64.self) ?? .max
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " || text.first == "\t" { text = text.dropFirst() }
        while text.last == " " || text.last == "\t" { text = text.dropLast() }
        return text
    }
}
