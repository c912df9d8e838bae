// SPDX-License-Identifier: Apache-2.0
import CurlHTTP
import Kubeconfig
import KubernetesPorts
import KubernetesServer
import LoopbackPKI
import SimulatedCluster
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
        return ReadingBy(reader: reader, api: try base.api(user))
    }

    func forget() throws -> String { try base.forget() }

    func serve(
        _ answer: @escaping @Sendable ([UInt8]) -> [UInt8]
    ) async throws -> AdmissionService { try await base.serve(answer) }
}

private struct ReadingBy: ForwardingKubernetesAPI {
    let reader: CurlClusterReader
    let api: any KubernetesAPI

    func get(_ object: ObjectReference) async throws(KubernetesFailure) -> [UInt8] {
        try await reader.get(object)
    }

    func list(
        _ collection: ResourceCollection, _ selection: ObjectSelection, limit: Int,
        continuation: String?
    ) async throws(KubernetesFailure) -> ObjectPage {
        try await reader.list(collection, selection, limit: limit, continuation: continuation)
    }
}
