// SPDX-License-Identifier: Apache-2.0

/// Sizes and bounds of CT1 (docs/reference/ct1.md).
package enum SealedObjectLimits {
    /// Of a data key and of a key-encryption key.
    package static let keyBytes = 32
    package static let tagBytes = 16
    /// Of a segment's header.
    package static let headerBytes = 80
    /// Its part that keys are derived with.
    package static let headerPrefixBytes = 16
    /// Plaintext of every chunk but a segment's last.
    package static let chunkBytes = 1 << chunkBytesLog2
    package static let chunkBytesLog2 = 16
    package static let sealedChunkBytes = chunkBytes + tagBytes
    /// What the nonce's index can count.
    package static let chunksMax = 1 << 32
    /// Of one segment, and of all parts of an object together: 256 TiB. S3's own bound is 50 TB.
    package static let plainBytesMax = chunksMax * chunkBytes
    /// S3 counts parts up to 10,000; one may be needed for the footer.
    package static let partsMax = 9_999
    /// What one call of a state machine writes at most: a header and a chunk.
    package static let outputBytesMax = headerBytes + sealedChunkBytes

    // Names
    package static let tenantBytesMax = 255
    package static let bucketBytesMax = 255
    /// S3's bound, in UTF-8.
    package static let keyNameBytesMax = 1_024

    // Metadata
    /// Of `x-amz-meta-ct1`, in characters of base64url.
    package static let envelopeTextBytesMax = 400
    package static let keyReferenceBytesMax = 64
    /// Of `vault:vN:…`; one of an AES-256-GCM key has about 90.
    package static let vaultCiphertextBytesMax = 160
    /// Of `x-amz-meta-ct1m`. With the envelope and both names it stays below S3's 2 KiB, even where
    /// a server counts `x-amz-meta-` with the names.
    package static let userMetadataTextBytesMax = 1_600
    /// What of it is the client's, lengths included.
    package static let userMetadataPlainBytesMax =
        userMetadataTextBytesMax / 4 * 3 - Octets32.byteCount - tagBytes

    // Footer
    /// All of an object's plaintext digests, kind and length included.
    package static let digestBytesMax = 128
}
