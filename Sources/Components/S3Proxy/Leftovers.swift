// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import Synchronization

/// Uploads that are over and could not be cleared away at once, mostly because the client's going
/// ended the task of its request. Bounded: what finds no room is left to the store's own rules.
final class Leftovers: Sendable {
    static let countMax = 1024

    private let uploads = Mutex<[ObjectUpload]>([])

    func add(_ upload: ObjectUpload) {
        uploads.withLock { uploads in
            if uploads.count < Self.countMax { uploads.append(upload) }
        }
    }

    func take() -> [ObjectUpload] {
        uploads.withLock { uploads in
            defer { uploads = [] }
            return uploads
        }
    }
}

extension S3Proxy {
    /// Ends an upload that nobody will complete: its parts would be paid for.
    func abandon(_ upload: ObjectUpload) async {
        do throws(ObjectStoreFailure) { try await store.abortUpload(upload) } catch {
            if error == .cancelled || error.isTransient { leftovers.add(upload) }
        }
    }

    /// Clears away what could not be before.
    package func tidy() async {
        for upload in leftovers.take() {
            await abandon(upload)
            await forget(upload)
        }
    }
}
