// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import Synchronization

/// Uploads that are over and could not be cleared away at once: the client's going ended the task
/// of its request, or the store failed. Bounded: what finds no room, or fails again and again, is
/// left to the store's own rules.
final class Leftovers: Sendable {
    static let countMax = 1024
    static let triesMax = 10

    private struct State {
        var waiting: [ObjectUpload] = []
        /// Of those that wait, and of those that are being cleared away.
        var tries: [ObjectUpload: Int] = [:]
    }

    private let state = Mutex(State())

    func add(_ upload: ObjectUpload) {
        state.withLock { state in
            guard !state.waiting.contains(upload) else { return }
            let tries = state.tries[upload, default: 0]
            guard tries < Self.triesMax, state.waiting.count < Self.countMax else {
                state.tries[upload] = nil
                return
            }
            state.tries[upload] = tries + 1
            state.waiting.append(upload)
        }
    }

    func take() -> [ObjectUpload] {
        state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
    }

    /// Nothing is left of it, unless somebody has said otherwise meanwhile.
    func remove(_ upload: ObjectUpload) {
        state.withLock { state in
            if !state.waiting.contains(upload) { state.tries[upload] = nil }
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
