// SPDX-License-Identifier: Apache-2.0
import ElectionTrial
import Foundation
import Kubeconfig
import KubernetesFormat
import KubernetesHTTP
import KubernetesPorts
import KubernetesServer
import LoopbackPKI
import SimulationEngine
import Testing

/// What only a real API server can show.
@Suite(
    "RealClusterAccessTests",
    .enabled(if: KubernetesServer.programs != nil, "CLOUDTASER_KUBERNETES names no directory"))
struct RealClusterAccessTests {
    static let count = 3

    private func name(_ prefix: String) -> String {
        prefix + "-" + String(UInt64.random(in: 0 ... .max), radix: 36)
    }

    @Test("a kubeconfig with a token leads to the server")
    func token() async throws {
        let server = try KubernetesBench.shared.get().server
        let (endpoint, credentials) = try Kubeconfig.load(
            path: server.kubeconfigFile, environment: [:])
        let api = try KubernetesHTTP(endpoint, credentials: credentials, settings: .patient)
        let page = try await api.list(.namespaces, .init(), limit: 500, continuation: nil)
        #expect(page.items.contains { (try? JSONTree($0))?.meta("name") == "default" })
    }

    @Test("a client certificate says who calls; one of another authority says nothing")
    func certificate() async throws {
        let server = try KubernetesBench.shared.get().server
        func attempt(_ identity: Identity) async throws -> KubernetesFailure? {
            let files = name("user")
            let certificate = try server.file(files + ".pem", identity.certificatePEM)
            let key = try server.file(files + "-key.pem", identity.keyPEM)
            let path = try server.file(
                files + ".yaml",
                """
                clusters: [{name: c, cluster: {server: "\(server.address)",
                  certificate-authority: \(server.authorityFile)}}]
                users: [{name: u, user: {client-certificate: \(certificate), client-key: \(key)}}]
                contexts: [{name: x, context: {cluster: c, user: u}}]
                current-context: x
                """)
            let (endpoint, credentials) = try Kubeconfig.load(path: path, environment: [:])
            var settings = KubernetesHTTPSettings.patient
            settings.isRetrying = false
            let api = try KubernetesHTTP(endpoint, credentials: credentials, settings: settings)
            do {
                _ = try await api.list(.namespaces, .init(), limit: 1, continuation: nil)
                return nil
            } catch { return error }
        }
        // Known, and without rights.
        guard case .forbidden(let message) = try await attempt(server.pki.client()) else {
            Issue.record("the certificate was not understood")
            return
        }
        #expect(message.contains("User \"workload\""))
        let stranger = try LoopbackPKI(commonName: "Another CA").client()
        #expect(try await attempt(stranger) == .unauthorized)
    }

    @Test("when the leader is killed another leads after its lease, when it retires at once")
    func election() async throws {
        let api = BlockingKubernetesAPI(try KubernetesBench.shared.get().api)
        let lease = name("lock")
        // It waits for its calls, which need one of the few threads that tests have.
        let trial = await onOwnThread {
            ElectionTrial.outcome(lease: lease, { _, _ in api }) { election, run in
                election.spawn("one", after: 0)
                election.spawn("two", after: 5, retires: 95)
                // Its calls are cut off with it: nothing is given back.
                run.after(.seconds(60)) { run.crash("one") }
                election.spawn("three", after: 90)
            }
        }
        #expect(trial.findings == [])
        #expect(trial.names == ["+one", "+two", "-two", "+three"])
        let seconds = try #require(trial.seconds.count == 4 ? trial.seconds : nil)
        // The last renewal was up to 2 s before the crash, and the others look every 2 s.
        #expect((73...80).contains(seconds[1]), "\(seconds)")
        #expect((100...100.5).contains(seconds[2]), "\(seconds)")
        #expect(seconds[3] < 103, "\(seconds)")
        #expect(trial.failures.allSatisfy { $0.isConflict }, "\(trial.failures)")
    }

    private func onOwnThread<Answer: Sendable>(
        _ work: @escaping @Sendable () -> Answer
    ) async -> Answer {
        await withCheckedContinuation { waiting in
            let thread = Thread { waiting.resume(returning: work()) }
            thread.stackSize = 8 << 20
            thread.start()
        }
    }
}
