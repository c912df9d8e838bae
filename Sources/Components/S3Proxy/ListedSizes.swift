// SPDX-License-Identifier: Apache-2.0
internal import Caching
internal import S3Format
internal import Synchronization

/// Sizes of objects in parts, which lists do not show: remembered by the store's tag, under which
/// the content does not change.
final class ListedSizes: Sendable {
    struct Name: Hashable, Sendable {
        let bucket: S3Bucket
        let key: S3Key
        let tag: String
    }

    static let entriesMax = 16 << 10

    // They never end: other content has another tag.
    private let known = Mutex(
        TimedCache<Name, Int64, Int>(countMax: ListedSizes.entriesMax, costMax: .max))

    subscript(name: Name) -> Int64? { known.withLock { $0.value(name, at: 0) } }

    func set(_ name: Name, _ size: Int64) {
        known.withLock { $0.set(name, size, cost: 0, until: 1) }
    }
}
