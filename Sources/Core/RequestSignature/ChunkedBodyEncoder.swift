// SPDX-License-Identifier: Apache-2.0
package import Checksums
private import KubernetesFormat

/// Puts `aws-chunked` framing around a body. The caller writes what `head` returns, the chunk's
/// data, and `lineEnd`, for each chunk, and then what `end` returns.
package struct ChunkedBodyEncoder: Sendable {
    private let payload: ChunkedPayload
    private let digests: any MessageDigests
    private var chain: SignatureChain
    private var checksum: RunningChecksum?

    /// Follows each chunk's data.
    package static let lineEnd: [UInt8] = [13, 10]

    /// - Parameter chain: starts with the request's signature. Of no use for unsigned chunks.
    package init(_ payload: ChunkedPayload, chain: SignatureChain, _ digests: any MessageDigests) {
        self.payload = payload
        self.digests = digests
        self.chain = chain
        checksum = payload.trailer.map { RunningChecksum($0, digests) }
    }

    /// The line before a chunk's data.
    ///
    /// - Parameter data: not empty; at least `ChunkedBodyLimits.chunkBytesMin`, unless it is the
    ///   last.
    package mutating func head(of data: RawSpan) -> [UInt8] {
        precondition(data.byteCount > 0, "the empty chunk is the end")
        checksum?.update(data)
        return line(data)
    }

    /// The final chunk and the trailer.
    package mutating func end() -> [UInt8] {
        var text = line([UInt8]().span.bytes)
        if let checksum {
            let field =
                "\(checksum.algorithm.fieldName):\(Base64.encoded(checksum.finished()))"
            text += Array((field + "\r\n").utf8)
            if payload.isSigned {
                let signature = chain.trailer(lines: Array((field + "\n").utf8))
                text += Array("\(ChunkTrailer.signatureName):\(signature.text)\r\n".utf8)
            }
        }
        return text + Self.lineEnd
    }

    private mutating func line(_ data: RawSpan) -> [UInt8] {
        var text = Array(String(data.byteCount, radix: 16).utf8)
        if payload.isSigned {
            let signature = chain.chunk(hash: digests.digest(.sha256, of: data))
            text += Array((ChunkHead.extensionText + signature.text).utf8)
        }
        return text + Self.lineEnd
    }

    /// Length of a body with its framing, for `content-length`.
    ///
    /// - Parameter chunkByteCount: length of every chunk but the last.
    package static func byteCount(_ payload: ChunkedPayload, chunkByteCount: Int) -> Int {
        precondition(chunkByteCount > 0, "chunks have bytes")
        let signed =
            payload.isSigned
            ? ChunkHead.extensionText.utf8.count + 2 * Signature.byteCount : 0
        func chunk(_ count: Int) -> Int {
            String(count, radix: 16).utf8.count + signed + lineEnd.count
        }
        let rest = payload.decodedByteCount % chunkByteCount
        let whole = payload.decodedByteCount / chunkByteCount
        var count = whole * (chunk(chunkByteCount) + chunkByteCount + lineEnd.count)
        if rest > 0 { count += chunk(rest) + rest + lineEnd.count }
        count += chunk(0)
        if let trailer = payload.trailer {
            count += trailer.fieldName.utf8.count + 1 + (trailer.byteCount + 2) / 3 * 4
            count += lineEnd.count
            if payload.isSigned {
                count += ChunkTrailer.signatureName.utf8.count + 1 + 2 * Signature.byteCount
                count += lineEnd.count
            }
        }
        return count + lineEnd.count
    }
}
