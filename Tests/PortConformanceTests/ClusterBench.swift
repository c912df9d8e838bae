// SPDX-License-Identifier: Apache-2.0
import AsyncClock
import Foundation
import Kubeconfig
import KubernetesFormat
import KubernetesHTTP
import KubernetesPorts
import KubernetesServer
import LoopbackPKI
import ScriptedServer
import SimulatedCluster
import Synchronization
import Testing

/// Who calls.
enum ClusterUser: CaseIterable, Sendable {
    case administrator
    /// May read and write config maps, and read pods.
    case `operator`
    /// May do nothing.
    case nobody
    /// Has a token that the server does not know.
    case stranger
}

/// An API server that the checks run against. Checks run in parallel, each in a namespace of its
/// own.
protocol ClusterBench: Sendable {
    func api(_ user: ClusterUser) throws -> any KubernetesAPI
    /// Makes the server forget what pages and watches need from before now.
    ///
    /// - Returns: a version from before.
    func forget() throws -> String
    /// Has AdmissionReviews answered; the endpoint lasts as long as what is returned.
    func serve(
        _ answer: @escaping @Sendable (_ review: [UInt8]) -> [UInt8]
    ) async throws -> AdmissionService
}

/// Where a webhook is.
struct AdmissionService {
    let url: String
    /// PEM.
    let authority: String
    /// Keeps it going.
    let server: (any Sendable)?
}

extension ClusterBench {
    var api: any KubernetesAPI {
        get throws { try api(.administrator) }
    }

    /// A new namespace's name.
    func namespace() async throws -> String {
        let name = "check-" + UUID().uuidString.lowercased()
        let object: JSONTree = [
            "apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)],
        ]
        _ = try await api.create(object.rendered(), in: .namespaces, WriteOptions())
        return name
    }
}

extension ResourceCollection {
    static let namespaces = ResourceCollection(group: "", version: "v1", resource: "namespaces")

    static func configMaps(_ namespace: String?) -> ResourceCollection {
        ResourceCollection(group: "", version: "v1", resource: "configmaps", namespace: namespace)
    }

    static func leases(_ namespace: String) -> ResourceCollection {
        ResourceCollection(
            group: "coordination.k8s.io", version: "v1", resource: "leases", namespace: namespace)
    }
}

/// The rights of `operator`, for both kinds of server.
enum OperatorRights {
    static let simulated: [String: Set<String>] = [
        "configmaps": ["get", "list", "watch", "create", "update", "patch"], "pods": ["get"],
    ]
    static let rules = """
        [{"apiGroups": [""], "resources": ["configmaps"],
          "verbs": ["get", "list", "watch", "create", "update", "patch"]},
         {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
        """
}

/// The fake.
struct SimulatedClusterBench: ClusterBench {
    private let cluster = SimulatedCluster()

    init() {
        cluster.withServer { server in
            server.addUser(.administrator, token: "administrator")
            server.addUser(
                .init(name: "operator", verbs: OperatorRights.simulated), token: "operator")
            server.addUser(.init(name: "nobody", verbs: [:]), token: "nobody")
        }
    }

    func api(_ user: ClusterUser) -> any KubernetesAPI {
        SimulatedKubernetesAPI(
            cluster, token: "\(user)", clock: AsyncClock(), watchPause: .milliseconds(5))
    }

    func forget() -> String {
        cluster.withServer { server in
            server.compact()
            return "1"
        }
    }

    func serve(_ answer: @escaping @Sendable ([UInt8]) -> [UInt8]) -> AdmissionService {
        let url = "https://127.0.0.1:9443/" + UUID().uuidString
        cluster.serve(url) { review, _ in .answered(answer(review)) }
        return AdmissionService(url: url, authority: "", server: nil)
    }
}

extension KubernetesHTTPSettings {
    /// What takes long on a busy machine is no failure.
    static let patient: KubernetesHTTPSettings = {
        var settings = KubernetesHTTPSettings()
        settings.requestTime = .seconds(300)
        settings.connectTime = .seconds(300)
        settings.watchGrace = .seconds(300)
        return settings
    }()
}

/// The adapter on a real server.
final class KubernetesBench: ClusterBench {
    /// Starting takes seconds: one server for all checks.
    static let shared = Result { try KubernetesBench() }

    let server: KubernetesServer
    private let clients: [ClusterUser: KubernetesHTTP]

    init() throws {
        server = try KubernetesServer()
        try server.grant(OperatorRights.rules, to: "operator", name: "operator")
        let authorities = Array(server.pki.authority.certificatePEM.utf8)
        var clients: [ClusterUser: KubernetesHTTP] = [:]
        for user in ClusterUser.allCases {
            clients[user] = try KubernetesHTTP(
                ClusterEndpoint(server: server.address, authorities: authorities),
                credentials: FixedCredentials(
                    ClusterCredential(bearerToken: Self.token(of: user))),
                settings: .patient)
        }
        self.clients = clients
    }

    static func token(of user: ClusterUser) -> String {
        switch user {
        case .administrator: KubernetesServer.administratorToken
        case .operator: KubernetesServer.operatorToken
        case .nobody: KubernetesServer.nobodyToken
        case .stranger: "stranger"
        }
    }

    func api(_ user: ClusterUser) throws -> any KubernetesAPI { try #require(clients[user]) }

    func forget() throws -> String {
        try server.compact()
        return "1"
    }

    func serve(
        _ answer: @escaping @Sendable ([UInt8]) -> [UInt8]
    ) async throws -> AdmissionService {
        let webhook = try await ScriptedServer(pki: server.pki) { request, _ in
            ScriptedAnswer(
                200, String(decoding: answer(request.body), as: UTF8.self),
                headers: [("Content-Type", "application/json")])
        }
        return AdmissionService(
            url: webhook.address + "/admit", authority: server.pki.authority.certificatePEM,
            server: webhook)
    }
}
