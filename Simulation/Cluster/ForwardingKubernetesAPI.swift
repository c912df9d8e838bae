// SPDX-License-Identifier: Apache-2.0
package import KubernetesPorts

/// A client that does a few things in its own way and passes the rest on.
package protocol ForwardingKubernetesAPI: KubernetesAPI {
    var api: any KubernetesAPI { get }
}

extension ForwardingKubernetesAPI {
    package func get(_ object: ObjectReference) async throws(KubernetesFailure) -> [UInt8] {
        try await api.get(object)
    }

    package func list(
        _ collection: ResourceCollection, _ selection: ObjectSelection, limit: Int,
        continuation: String?
    ) async throws(KubernetesFailure) -> ObjectPage {
        try await api.list(collection, selection, limit: limit, continuation: continuation)
    }

    package func watch(
        _ collection: ResourceCollection, _ selection: ObjectSelection,
        since resourceVersion: String, time: Duration,
        receive: (WatchEvent) async -> WatchDecision
    ) async throws(KubernetesFailure) {
        try await api.watch(
            collection, selection, since: resourceVersion, time: time, receive: receive)
    }

    package func create(
        _ object: [UInt8], in collection: ResourceCollection, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await api.create(object, in: collection, options)
    }

    package func create(
        _ object: [UInt8], at reference: ObjectReference, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await api.create(object, at: reference, options)
    }

    package func replace(
        _ reference: ObjectReference, with object: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await api.replace(reference, with: object, options)
    }

    package func patch(
        _ reference: ObjectReference, _ kind: PatchKind, _ patch: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await api.patch(reference, kind, patch, options)
    }

    package func delete(
        _ reference: ObjectReference, _ preconditions: DeletePreconditions, _ options: WriteOptions
    ) async throws(KubernetesFailure) {
        try await api.delete(reference, preconditions, options)
    }
}
