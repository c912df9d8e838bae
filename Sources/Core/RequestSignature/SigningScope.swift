// SPDX-License-Identifier: Apache-2.0

/// What a signing key is good for: one day, one region, one service.
package struct SigningScope: Sendable, Equatable {
    /// `yyyyMMdd`.
    let date: String
    let region: String
    let service: String

    /// The only service here.
    package static let s3 = "s3"
    /// Ends every scope.
    static let terminator = "aws4_request"

    init(date: String, region: String, service: String = Self.s3) {
        self.date = date
        self.region = region
        self.service = service
    }

    /// `20130524/us-east-1/s3/aws4_request`.
    var text: String { "\(date)/\(region)/\(service)/\(Self.terminator)" }
}

/// A signature: 32 bytes, written as 64 digits in lower case.
package struct Signature: Sendable {
    package static let byteCount = 32

    let bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// nil: not 64 digits in lower case.
    init?(_ text: some StringProtocol) {
        guard let bytes = Hexadecimal.decoded(text.utf8, byteCount: Self.byteCount) else {
            return nil
        }
        self.bytes = bytes
    }

    /// 64 digits.
    package var text: String {
        var digits: [UInt8] = []
        Hexadecimal.append(bytes, to: &digits)
        return String(decoding: digits, as: UTF8.self)
    }
}

/// The texts of signing.
enum SigningText {
    static let algorithm = "AWS4-HMAC-SHA256"
    /// Starts what is signed of a chunk.
    static let chunkAlgorithm = "AWS4-HMAC-SHA256-PAYLOAD"
    /// Starts what is signed of a trailer.
    static let trailerAlgorithm = "AWS4-HMAC-SHA256-TRAILER"
    static let accessKeyPrefix = "AWS4"
    /// Of nothing.
    static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
}
