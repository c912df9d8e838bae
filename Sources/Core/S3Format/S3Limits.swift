// SPDX-License-Identifier: Apache-2.0

/// Bounds of requests and documents. Those with a source are S3's own
/// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
package enum S3Limits {
    /// Bytes of a key's UTF-8.
    package static let keyBytesMax = 1024
    /// Bytes of a request's path as it is sent: a bucket, and a key of which each byte is encoded.
    package static let pathBytesMax = 4 << 10
    /// Bytes of a request's query as it is sent.
    package static let queryBytesMax = 16 << 10
    package static let queryParametersMax = 64
    /// Bytes of a version's or upload's identifier, or of a token of a list.
    package static let identifierBytesMax = 1024
    /// Characters of a bucket's name.
    package static let bucketCharacters = 3...63
    /// Bytes of the names and values of `x-amz-meta-*`, without that prefix.
    package static let metadataBytesMax = 2 << 10
    package static let partNumbers = 1...10_000
    /// Bytes of a part that is not the last of its object.
    package static let partBytesMin: Int64 = 5 << 20
    /// Bytes of one upload without parts, of one part, and of one copied part or object.
    package static let partBytesMax: Int64 = 5 << 30
    /// Entries of one page of a list.
    package static let pageEntriesMax = 1000
    /// Keys of one request to delete several.
    package static let deleteKeysMax = 1000
    package static let tagsMax = 10
    /// Characters, as UTF-16 counts them.
    package static let tagKeyCharactersMax = 128
    package static let tagValueCharactersMax = 256
    /// Bytes of a document, from clients and from servers: 1000 keys of which each byte is written
    /// as a reference, or 10,000 parts with five checksums each.
    package static let documentBytesMax = 8 << 20
    package static let documentElementsMax = 1 << 17
    package static let documentDepthMax = 8
    package static let elementNameBytesMax = 64
    /// Attributes of one element. None is read.
    package static let attributesMax = 8
    /// Bytes of a tag with all that is in it.
    package static let tagBytesMax = 1 << 10
}
