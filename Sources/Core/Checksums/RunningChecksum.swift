// SPDX-License-Identifier: Apache-2.0

/// A checksum of what was given so far.
package struct RunningChecksum: Sendable {
    private enum State: Sendable {
        case crc32(CyclicRedundancy<UInt32>)
        case crc64(CyclicRedundancy<UInt64>)
        case digest(any RunningDigest)
    }

    package let algorithm: ChecksumAlgorithm
    private var state: State

    package init(_ algorithm: ChecksumAlgorithm, _ digests: any MessageDigests) {
        self.algorithm = algorithm
        state =
            switch algorithm {
            case .crc32: .crc32(CyclicRedundancy(.crc32))
            case .crc32c: .crc32(CyclicRedundancy(.crc32c))
            case .crc64nvme: .crc64(CyclicRedundancy(.crc64nvme))
            case .sha1: .digest(digests.begin(.sha1))
            case .sha256: .digest(digests.begin(.sha256))
            }
    }

    package mutating func update(_ bytes: RawSpan) {
        switch state {
        case .crc32(var running):
            running.update(bytes)
            state = .crc32(running)
        case .crc64(var running):
            running.update(bytes)
            state = .crc64(running)
        case .digest(var running):
            running.update(bytes)
            state = .digest(running)
        }
    }

    /// `algorithm.byteCount` bytes, a CRC's most significant byte first, as S3 encodes it.
    package func finished() -> [UInt8] {
        switch state {
        case .crc32(let running): Self.bigEndian(running.checksum)
        case .crc64(let running): Self.bigEndian(running.checksum)
        case .digest(let running): running.finished(byteCount: algorithm.byteCount)
        }
    }

    private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}
