// SPDX-License-Identifier: Apache-2.0
import AsyncClock
import Kubeconfig
import KubernetesFormat
import KubernetesHTTP
import KubernetesPorts
import KubernetesServer
import LoopbackPKI
import Operator
import Ports
import Synchronization
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
        let api = try KubernetesHTTP(endpoint, credentials: credentials)
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
            var settings = KubernetesHTTPSettings()
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
        let lease = name("lock")
        let log = EventList()
        let signals = EventList()
        let clock = AsyncClock()
        let times = try #require(
            LeaderElectionTimes(
                checked: 4, renewWithin: .seconds(3), retryAfter: .milliseconds(500)))
        let api = try KubernetesBench.shared.get().api
        @Sendable func candidate(
            _ identity: String, _ stop: @escaping @Sendable () async -> Void
        ) async {
            let election = LeaderElection(
                api: api, clock: clock, name: lease, namespace: "default", identity: identity,
                times: times)
            await election.run(until: stop) { leadership in
                log.add("+" + identity)
                while leadership.isCurrent, !Task.isCancelled {
                    await clock.sleep(for: .milliseconds(50))
                }
                log.add("-" + identity)
            }
        }
        @Sendable func forever() async {
            while !Task.isCancelled { await clock.sleep(for: .seconds(60)) }
        }
        func wait(for event: String) async -> MonotonicTime {
            for _ in 0..<1200 where !log.events.contains(event) {
                await clock.sleep(for: .milliseconds(50))
            }
            return clock.monotonic()
        }
        let one = Task { await candidate("one") { await forever() } }
        _ = await wait(for: "+one")
        let two = Task {
            await candidate("two") {
                while !signals.events.contains("retire"), !Task.isCancelled {
                    await clock.sleep(for: .milliseconds(50))
                }
            }
        }
        await clock.sleep(for: .seconds(2))
        // Its calls are cut off with it: nothing is given back.
        one.cancel()
        let killed = await wait(for: "-one")
        let taken = await wait(for: "+two")
        #expect(killed.duration(to: taken) > .seconds(2))
        #expect(killed.duration(to: taken) < .seconds(20), "on a busy machine")
        let three = Task { await candidate("three") { await forever() } }
        await clock.sleep(for: .seconds(1))
        signals.add("retire")
        let retired = await wait(for: "-two")
        #expect(retired.duration(to: await wait(for: "+three")) < .seconds(4))
        #expect(log.events == ["+one", "-one", "+two", "-two", "+three"])
        await two.value
        three.cancel()
    }
}

/// What happened, in order.
private final class EventList: Sendable {
    private let list = Mutex<[String]>([])

    var events: [String] { list.withLock { $0 } }
    func add(_ event: String) { list.withLock { $0.append(event) } }
}
