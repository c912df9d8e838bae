// SPDX-License-Identifier: Apache-2.0
import Foundation
import Injection
import Kubeconfig
import KubernetesHTTP
import KubernetesPorts
import Operator
import Ports
import ServerProcess

/// What the cluster tells, or files instead of it.
struct ClusterAccess: Sendable {
    static let policyBytesMax = 1 << 20

    let policies: any PolicySource
    let namespaces: any NamespaceSource
    /// nil: everything stands in files.
    let cluster: Cluster?

    struct Cluster: Sendable {
        let api: KubernetesHTTP
        /// For calls that have to be over soon.
        let hasty: KubernetesHTTP
        /// Of the configuration.
        let namespace: String?
        let mirroredPolicies: ClusterPolicies?
        let mirroredNamespaces: ClusterNamespaces
    }

    init(
        _ command: OperatorCommand, clock: any AsyncTimeSource, log: ProgramLog
    ) throws(StartFailure) {
        let fixed = try command.policyFile.map(Self.policy)
        if let fixed, command.kubeconfig == nil {
            (policies, namespaces, cluster) = (fixed, BareNamespaces(), nil)
            return
        }
        do throws(KubernetesFailure) {
            let environment = ProcessInfo.processInfo.environment
            let (endpoint, credentials) =
                if let path = command.kubeconfig {
                    try Kubeconfig.load(path: path, environment: environment)
                } else {
                    try InClusterConfiguration.load(environment: environment)
                }
            let api = try KubernetesHTTP(endpoint, credentials: credentials)
            var settings = KubernetesHTTPSettings()
            settings.requestTime = .seconds(2)
            settings.isRetrying = false
            let followed = ClusterPolicies(api: api, clock: clock) { log.failure("policies", $0) }
            let spaces = ClusterNamespaces(api: api, clock: clock) { log.failure("namespaces", $0) }
            policies = fixed.map { $0 as any PolicySource } ?? followed
            namespaces = spaces
            cluster = Cluster(
                api: api,
                hasty: try KubernetesHTTP(endpoint, credentials: credentials, settings: settings),
                namespace: endpoint.namespace, mirroredPolicies: fixed == nil ? followed : nil,
                mirroredNamespaces: spaces)
        } catch { throw StartFailure(text: "the cluster cannot be reached: \(error)") }
    }

    private static func policy(_ path: String) throws(StartFailure) -> FixedPolicy {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw StartFailure(text: "\(path) cannot be read; name a file with a policy's spec")
        }
        guard data.count <= policyBytesMax else {
            throw StartFailure(text: "\(path) is larger than \(policyBytesMax) bytes")
        }
        do throws(Refusal) {
            return FixedPolicy(try CloudTaserPolicy(spec: Array(data)))
        } catch { throw StartFailure(text: "\(path): \(error.message)") }
    }

    /// What is still to be read before anybody can be answered; empty: nothing.
    var missing: [String] {
        guard let cluster else { return [] }
        var missing: [String] = []
        if cluster.mirroredPolicies?.mirror.isKnown == false { missing.append("policies") }
        if !cluster.mirroredNamespaces.mirror.isKnown { missing.append("namespaces") }
        return missing
    }
}
