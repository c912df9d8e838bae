// SPDX-License-Identifier: Apache-2.0
package import S3Format

/// A store that speaks S3 (https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html).
///
/// Contract:
/// - A write takes effect at once and whole, when its body has come to its end, or not at all. Who
///   reads sees one write's content with the same write's tag, size and attributes.
/// - A failure says what it may have done (`ObjectStoreFailure.effect`). A body whose source fails,
///   or that has another length than was declared, leaves nothing.
/// - What a write has returned, a later read, `head` or copy finds. Lists may lag behind.
/// - A tag is opaque: the same from the write, `head`, `read` and lists, another after a write with
///   other content. It is not to be taken for a hash.
/// - Keys, metadata and content come back byte for byte. Lists are sorted by the bytes of the keys.
/// - Nothing is checked or stored that the caller does not say: no plaintext checksum goes out.
/// - Reads, lists, `head`, and what may be done twice are repeated by an adapter after a failure
///   that will pass. A call with a body never is: the body is gone.
/// - Each call ends within its limit of time, each stream moves or ends within `silenceTime`.
/// - Cancelling the task ends any call with `cancelled`, or with what it came to just then.
package protocol ObjectStore: Sendable {
    // MARK: - Objects

    func put(
        _ location: ObjectLocation, _ body: ObjectBody, _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten

    /// Reads all of an object or a range of it. A condition that does not hold is `notModified` or
    /// `preconditionFailed`; a range that the object does not have is `rangeUnsatisfiable`.
    ///
    /// - Parameter receive: gets the stream, which ends with it. When it returns early the rest is
    ///   not fetched.
    func read<Outcome: Sendable>(
        _ version: ObjectVersion, _ range: S3ByteRange?, _ conditions: S3Conditions,
        _ receive: (ObjectAnswer, any ObjectStream) async throws(ObjectStoreFailure) -> Outcome
    ) async throws(ObjectStoreFailure) -> Outcome

    /// As `read` without content.
    func head(
        _ version: ObjectVersion, _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectHead

    /// Deletes a version for good, or the latest: where the bucket has versions a mark then stands
    /// before it. What is not there is deleted too.
    ///
    /// - Parameter conditions: only `ifMatch`.
    func delete(
        _ version: ObjectVersion, _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectDeletion

    /// Each by itself: some may fail. At most `S3Limits.deleteKeysMax`.
    ///
    /// - Returns: one for each, in their order.
    func delete(
        _ entries: [S3DeleteRequest.Entry], in bucket: S3Bucket
    ) async throws(ObjectStoreFailure) -> [ObjectDeletionOutcome]

    /// Within the store, up to `S3Limits.partBytesMax`. The copy has the attributes of `write`,
    /// none of its source's.
    ///
    /// - Parameter conditions: on the source. One that does not hold is `preconditionFailed`.
    func copy(
        _ source: ObjectVersion, _ conditions: S3Conditions, to location: ObjectLocation,
        _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectWritten

    // MARK: - Lists

    func list(
        _ bucket: S3Bucket, _ query: ObjectQuery
    ) async throws(ObjectStoreFailure) -> ObjectListPage

    /// By key, of each key the latest first.
    func listVersions(
        _ bucket: S3Bucket, _ query: ObjectMarkerQuery
    ) async throws(ObjectStoreFailure) -> ObjectVersionPage

    // MARK: - Uploads in parts

    func createUpload(
        _ location: ObjectLocation, _ write: ObjectWrite
    ) async throws(ObjectStoreFailure) -> ObjectUpload

    /// Parts may come in any order and at the same time. A number that is there already is
    /// replaced, whole or not at all.
    ///
    /// - Parameter number: one of `S3Limits.partNumbers`.
    func uploadPart(
        _ upload: ObjectUpload, _ number: Int, _ body: ObjectBody
    ) async throws(ObjectStoreFailure) -> S3EntityTag

    /// A part that comes from within the store.
    ///
    /// - Parameter range: nil: all of the source.
    func copyPart(
        _ upload: ObjectUpload, _ number: Int, from source: ObjectVersion, _ range: Range<Int64>?,
        _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> S3EntityTag

    /// - Parameter number: parts behind this one.
    func listParts(
        _ upload: ObjectUpload, after number: Int, entriesMax: Int
    ) async throws(ObjectStoreFailure) -> ObjectPartPage

    /// Makes the object of these parts, in their order, and forgets those that are not named.
    /// Numbers ascend (`invalidPartOrder`), each part is there with this tag (`invalidPart`), and
    /// each but the last has `S3Limits.partBytesMin` (`partTooSmall`). After such a failure the
    /// upload is still there. When it has been completed it is gone: done again it is
    /// `noSuchUpload`, or the same result.
    func completeUpload(
        _ upload: ObjectUpload, _ parts: [S3NamedPart], _ conditions: S3Conditions
    ) async throws(ObjectStoreFailure) -> ObjectWritten

    /// Forgets the upload and its parts.
    func abortUpload(_ upload: ObjectUpload) async throws(ObjectStoreFailure)

    func listUploads(
        _ bucket: S3Bucket, _ query: ObjectMarkerQuery
    ) async throws(ObjectStoreFailure) -> ObjectUploadPage

    // MARK: - Tags

    func tags(_ version: ObjectVersion) async throws(ObjectStoreFailure) -> S3Tagging

    /// Replaces all tags.
    func setTags(
        _ version: ObjectVersion, _ tagging: S3Tagging
    ) async throws(ObjectStoreFailure)

    func removeTags(_ version: ObjectVersion) async throws(ObjectStoreFailure)

    // MARK: - Everything else

    /// Sends a request on as it is. Refusals (4xx, 501) are answers too, with the store's own
    /// document; failures are what the client can do nothing about: a credential that
    /// is refused, a server that is busy or broken, a network. Reads are repeated; changes only
    /// where they had no effect.
    func passOn(_ request: PassedRequest) async throws(ObjectStoreFailure) -> PassedAnswer
}
