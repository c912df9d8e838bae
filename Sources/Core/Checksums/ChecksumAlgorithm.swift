// SPDX-License-Identifier: Apache-2.0

/// A checksum that S3 takes in `x-amz-checksum-…`
/// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
package enum ChecksumAlgorithm: String, Sendable, CaseIterable {
    /// CRC-32/ISO-HDLC.
    case crc32
    /// CRC-32/ISCSI, Castagnoli's.
    case crc32c
    /// CRC-64/NVME.
    case crc64nvme
    case sha1
    case sha256

    private static let fieldPrefix = "x-amz-checksum-"

    /// The name of the header field or trailer that carries it, lower case.
    package var fieldName: String { Self.fieldPrefix + rawValue }

    /// nil: not the name of such a field. Case does not matter.
    package init?(fieldName: String) {
        let name = fieldName.lowercased()
        guard name.hasPrefix(Self.fieldPrefix) else { return nil }
        self.init(rawValue: String(name.dropFirst(Self.fieldPrefix.count)))
    }

    /// As error texts and `x-amz-checksum-algorithm` write it.
    package var name: String { rawValue.uppercased() }

    /// Length of the checksum, before it becomes base64.
    package var byteCount: Int {
        switch self {
        case .crc32, .crc32c: 4
        case .crc64nvme: 8
        case .sha1: 20
        case .sha256: 32
        }
    }
}
