// SPDX-License-Identifier: Apache-2.0
import CurlHTTP
import Kubeconfig
import KubernetesPorts
import KubernetesServer
import LoopbackPKI
import Testing

/// Reads by libcurl, and everything else as the real API server's bench does it.
struct CurlBench: ClusterBench {
    private let base: KubernetesBench

    init() throws { base = try KubernetesBench.shared.get() }

    func api(_ user: ClusterUser) throws -> any KubernetesAPI {
        let reader = try CurlClusterReader(
            ClusterEndpoint(
                server: base.server.address,
                authorities: Array(base.server.pki.authority.certificatePEM.utf8)),
            credentials: FixedCredentials(
                ClusterCredential(bearerToken: KubernetesBench.token(of: user))),
            time: .seconds(300))
        return ReadingBy(reader: reader, base: try base.api(user))
    }

    func forget() throws -> String { try base.forget() }

    func serve(
        _ answer: @escaping @Sendable ([UInt8]) -> [UInt8]
    ) async throws -> AdmissionService { try await base.serve(answer) }
}

private struct ReadingBy: KubernetesAPI {
    let reader: CurlClusterReader
    let base: any KubernetesAPI

    func get(_ object: ObjectReference) async throws(KubernetesFailure) -> [UInt8] {
        try await reader.get(object)
    }

    func list(
        _ collection: ResourceCollection, _ selection: ObjectSelection, limit: Int,
        continuation: String?
    ) async throws(KubernetesFailure) -> ObjectPage {
        try await reader.list(collection, selection, limit: limit, continuation: continuation)
    }

    func watch(
        _ collection: ResourceCollection, _ selection: ObjectSelection,
        since resourceVersion: String, time: Duration,
        receive: (WatchEvent) async -> WatchDecision
    ) async throws(KubernetesFailure) {
        try await base.watch(
            collection, selection, since: resourceVersion, time: time, receive: receive)
    }

    func create(
        _ object: [UInt8], in collection: ResourceCollection, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await base.create(object, in: collection, options)
    }

    func create(
        _ object: [UInt8], at reference: ObjectReference, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await base.create(object, at: reference, options)
    }

    func replace(
        _ reference: ObjectReference, with object: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await base.replace(reference, with: object, options)
    }

    func patch(
        _ reference: ObjectReference, _ kind: PatchKind, _ patch: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await base.patch(reference, kind, patch, options)
    }

    func delete(
        _ reference: ObjectReference, _ preconditions: DeletePreconditions,
        _ options: WriteOptions
    ) async throws(KubernetesFailure) {
        try await base.delete(reference, preconditions, options)
    }
}
