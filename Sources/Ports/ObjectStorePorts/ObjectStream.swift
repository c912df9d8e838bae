// SPDX-License-Identifier: Apache-2.0

/// Bounds of every call. An adapter may be stricter, never more generous.
package enum ObjectStoreLimits {
    /// Bytes of one chunk of a stream.
    package static let chunkBytesMax = 256 << 10
    /// Bytes that a store takes from a source, or from the network, before they are wanted.
    package static let readAheadBytesMax = 1 << 20
    /// Time of one call without a body, its retries included.
    package static let callTime = Duration.seconds(60)
    /// Of a copy or of completing an upload, for which a store may take minutes.
    package static let longCallTime = Duration.seconds(900)
    /// How long a stream may stand still.
    package static let silenceTime = Duration.seconds(60)
}

/// A body on its way from a store, pulled chunk by chunk: whoever reads it sets the pace.
///
/// Contract:
/// - `next` gives from 1 to `chunkBytesMax` bytes, or nil when all bytes of the answer have come.
/// - A body that ends early is `truncated` or another failure, never nil. What has been given until
///   then is what the store has, in order, but not all of it.
/// - After nil or a failure, `next` gives the same again.
/// - Nothing is fetched beyond `readAheadBytesMax` that has not been asked for.
/// - One task reads, and only until `read` of the store gives the stream up.
package protocol ObjectStream: AnyObject, Sendable {
    func next() async throws(ObjectStoreFailure) -> [UInt8]?
}

/// The client went away, or what it sent is not what it said. The store has to know nothing more.
package struct ObjectSourceFailure: Error, Sendable, Hashable {
    package init() {}
}

/// A body on its way to a store.
///
/// Contract: `next` gives from 1 to `chunkBytesMax` bytes, or nil for the end. The store calls it
/// from one task, not again before the last call returned, not again after nil or a failure, and
/// not while `readAheadBytesMax` of earlier chunks have not left.
package protocol ObjectSource: AnyObject, Sendable {
    func next() async throws(ObjectSourceFailure) -> [UInt8]?
}

/// What is to be stored.
package struct ObjectBody: Sendable {
    package let source: any ObjectSource
    /// Bytes; nil: not known before the end.
    package let length: Int64?

    package init(_ source: any ObjectSource, length: Int64?) {
        self.source = source
        self.length = length
    }
}
