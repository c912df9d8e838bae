// SPDX-License-Identifier: Apache-2.0
internal import Caching
internal import ObjectStorePorts
internal import Ports
internal import Synchronization

/// Uploads whose state was read a while ago.
final class KnownUploads: Sendable {
    static let entriesMax = 1024

    private let known = Mutex(
        TimedCache<ObjectUpload, UploadState, MonotonicTime>(
            countMax: KnownUploads.entriesMax, costMax: .max))

    subscript(upload: ObjectUpload, at now: MonotonicTime) -> UploadState? {
        known.withLock { $0.value(upload, at: now) }
    }

    func set(_ state: UploadState, until end: MonotonicTime) {
        known.withLock { $0.set(state.upload, state, cost: 0, until: end) }
    }

    func forgetEnded(at now: MonotonicTime) { known.withLock { $0.removeEnded(at: now) } }

    func remove(_ upload: ObjectUpload) { known.withLock { $0.remove(upload) } }
}
