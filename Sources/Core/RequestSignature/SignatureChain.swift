// SPDX-License-Identifier: Apache-2.0
internal import Checksums

/// The signatures of a body's chunks, each of which signs the one before it; the first signs the
/// request's own, the seed
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html).
package struct SignatureChain: Sendable {
    private let key: SigningKey
    /// Time and scope, a line each.
    private let context: String
    private var previous: Signature

    init(key: SigningKey, time: SigningTime, scope: SigningScope, seed: Signature) {
        self.key = key
        context = time.text + "\n" + scope.text + "\n"
        previous = seed
    }

    /// The next chunk's signature.
    ///
    /// - Parameter hash: SHA-256 of the chunk's data.
    mutating func chunk(hash: [UInt8]) -> Signature {
        next(SigningText.chunkAlgorithm, SigningText.emptyHash + "\n", hash)
    }

    /// The trailer's signature.
    ///
    /// - Parameter lines: `name:value` and a line feed for each trailer, names in lower case.
    mutating func trailer(lines: [UInt8]) -> Signature {
        next(SigningText.trailerAlgorithm, "", key.hash(lines))
    }

    private mutating func next(
        _ algorithm: String, _ middle: String, _ hash: [UInt8]
    ) -> Signature {
        var text = Array((algorithm + "\n" + context).utf8)
        Hexadecimal.append(previous.bytes, to: &text)
        text.append(UInt8(ascii: "\n"))
        text += Array(middle.utf8)
        Hexadecimal.append(hash, to: &text)
        let signature = key.sign(text)
        previous = signature
        return signature
    }
}

extension Signature {
    /// In a time that does not depend on where they differ.
    func equals(_ other: Signature) -> Bool {
        ConstantTime.areEqual(bytes.span.bytes, other.bytes.span.bytes)
    }
}
