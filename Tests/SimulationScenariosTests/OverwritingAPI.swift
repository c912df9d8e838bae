// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import KubernetesPorts
import SimulatedCluster
import Synchronization

/// An API client that reads a cache, one look behind, and replaces whatever state there is.
final class OverwritingAPI: ForwardingKubernetesAPI {
    let api: any KubernetesAPI
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
}
