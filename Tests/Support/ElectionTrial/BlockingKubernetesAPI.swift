// SPDX-License-Identifier: Apache-2.0
internal import Foundation
package import KubernetesPorts
internal import Synchronization

/// A real server in virtual time: the simulation's only thread stands still, and its clock with
/// it, while a call is under way. So no load makes a call late.
package struct BlockingKubernetesAPI: KubernetesAPI {
    private let api: any KubernetesAPI
    /// Where calls begin: a task of the simulation's thread would be the simulation's.
    private static let queue = DispatchQueue(label: "real-server", attributes: .concurrent)

    package init(_ api: any KubernetesAPI) { self.api = api }

    private func wait<Answer: Sendable>(
        _ call: @escaping @Sendable (any KubernetesAPI) async throws(KubernetesFailure) -> Answer
    ) throws(KubernetesFailure) -> Answer {
        let slot = Slot<Answer>()
        Self.queue.async { [api] in
            Task {
                do throws(KubernetesFailure) {
                    slot.put(.success(try await call(api)))
                } catch { slot.put(.failure(error)) }
            }
        }
        return try slot.take().get()
    }

    package func get(_ object: ObjectReference) async throws(KubernetesFailure) -> [UInt8] {
        try wait { api throws(KubernetesFailure) in try await api.get(object) }
    }

    package func list(
        _ collection: ResourceCollection, _ selection: ObjectSelection, limit: Int,
        continuation: String?
    ) async throws(KubernetesFailure) -> ObjectPage {
        try wait { api throws(KubernetesFailure) in
            try await api.list(collection, selection, limit: limit, continuation: continuation)
        }
    }

    /// A watch goes on while time passes, which it cannot here.
    package func watch(
        _ collection: ResourceCollection, _ selection: ObjectSelection,
        since resourceVersion: String, time: Duration,
        receive: (WatchEvent) async -> WatchDecision
    ) async throws(KubernetesFailure) {
        throw .configurationInvalid(detail: "no watch of a real server in virtual time")
    }

    package func create(
        _ object: [UInt8], in collection: ResourceCollection, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try wait { api throws(KubernetesFailure) in
            try await api.create(object, in: collection, options)
        }
    }

    package func create(
        _ object: [UInt8], at reference: ObjectReference, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try wait { api throws(KubernetesFailure) in
            try await api.create(object, at: reference, options)
        }
    }

    package func replace(
        _ reference: ObjectReference, with object: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try wait { api throws(KubernetesFailure) in
            try await api.replace(reference, with: object, options)
        }
    }

    package func patch(
        _ reference: ObjectReference, _ kind: PatchKind, _ patch: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try wait { api throws(KubernetesFailure) in
            try await api.patch(reference, kind, patch, options)
        }
    }

    package func delete(
        _ reference: ObjectReference, _ preconditions: DeletePreconditions, _ options: WriteOptions
    ) async throws(KubernetesFailure) {
        try wait { api throws(KubernetesFailure) in
            try await api.delete(reference, preconditions, options)
        }
    }
}

/// One answer, waited for by a thread.
private final class Slot<Answer: Sendable>: Sendable {
    private let result = Mutex<Result<Answer, KubernetesFailure>?>(nil)
    private let isFull = DispatchSemaphore(value: 0)

    func put(_ answer: Result<Answer, KubernetesFailure>) {
        result.withLock { $0 = answer }
        isFull.signal()
    }

    func take() -> Result<Answer, KubernetesFailure> {
        isFull.wait()
        return result.withLock { $0 } ?? .failure(.cancelled)
    }
}
