// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import KubernetesPorts
import Synchronization

/// An API client that reads a cache, one look behind, and replaces whatever state there is.
final class OverwritingAPI: KubernetesAPI {
    private let api: any KubernetesAPI
    private let cached = Mutex<[ObjectReference: [UInt8]]>([:])

    init(api: any KubernetesAPI) { self.api = api }

    func replace(
        _ reference: ObjectReference, with object: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        let current = try? JSONTree(try await api.get(reference))
        var changed = (try? JSONTree(object)) ?? .null
        var metadata = changed["metadata"] ?? [:]
        metadata["resourceVersion"] = current?.value(at: "metadata", "resourceVersion")
        changed["metadata"] = metadata
        return try await api.replace(reference, with: changed.rendered(), options)
    }

    func get(_ object: ObjectReference) async throws(KubernetesFailure) -> [UInt8] {
        let now = try await api.get(object)
        return cached.withLock { $0.updateValue(now, forKey: object) ?? now }
    }

    func list(
        _ collection: ResourceCollection, _ selection: ObjectSelection, limit: Int,
        continuation: String?
    ) async throws(KubernetesFailure) -> ObjectPage {
        try await api.list(collection, selection, limit: limit, continuation: continuation)
    }

    func watch(
        _ collection: ResourceCollection, _ selection: ObjectSelection,
        since resourceVersion: String, time: Duration,
        receive: (WatchEvent) async -> WatchDecision
    ) async throws(KubernetesFailure) {
        try await api.watch(
            collection, selection, since: resourceVersion, time: time, receive: receive)
    }

    func create(
        _ object: [UInt8], in collection: ResourceCollection, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await api.create(object, in: collection, options)
    }

    func create(
        _ object: [UInt8], at reference: ObjectReference, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await api.create(object, at: reference, options)
    }

    func patch(
        _ reference: ObjectReference, _ kind: PatchKind, _ patch: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await api.patch(reference, kind, patch, options)
    }

    func delete(
        _ reference: ObjectReference, _ preconditions: DeletePreconditions, _ options: WriteOptions
    ) async throws(KubernetesFailure) {
        try await api.delete(reference, preconditions, options)
    }
}
