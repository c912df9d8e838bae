// SPDX-License-Identifier: Apache-2.0
import Admission
import AdmissionServer
import AsyncClock
import Foundation
import KubernetesPorts
import Operator
import Ports
import ServerProcess

/// The parts of the program, put together.
struct OperatorProgram: Sendable {
    /// How long requests that are under way may take after the last new connection.
    static let answerTime = Duration.seconds(30)
    static let healthBodyBytesMax = 0

    private let command: OperatorCommand
    private let clock = AsyncClock()
    private let log: ProgramLog
    private let metrics = AdmissionMetrics()
    private let access: ClusterAccess
    private let registries: Registries
    /// nil: vaults are not asked.
    private let vaults: VaultProbe?
    private let election = Election()
    private let stopping = StopFlag()

    init(_ command: OperatorCommand) throws(StartFailure) {
        self.command = command
        log = ProgramLog(clock: AsyncClock())
        access = try ClusterAccess(command, clock: AsyncClock(), log: log)
        registries = try Registries(command.registries, clock: AsyncClock())
        vaults = try .wanted(by: command, policies: access.policies, clock: AsyncClock(), log: log)
    }

    func run() async throws {
        let signals = try StopSignals()
        DescriptorLimit.raise()
        let identity = ServerIdentity()
        let certificate = try ServedCertificate(
            command, access.cluster, identity, clock: clock, log: log)
        let webhooks: AdmissionServer
        let health: AdmissionServer
        do throws(ServerFailure) {
            webhooks = try await serveWebhooks(identity)
            health = try await serveHealth(webhooks, identity, certificate)
        } catch { throw StartFailure(text: explain(error)) }
        log.write(
            .notice, "serving", "webhooks and health are served",
            [("port", String(webhooks.port)), ("healthPort", String(health.port))])
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await certificate.keep(identity, clock: clock, log: log) }
            group.addTask { await registries.credentials.follow(clock: clock, log: log) }
            if let cluster = access.cluster {
                group.addTask { await cluster.mirroredNamespaces.mirror.run() }
                if let policies = cluster.mirroredPolicies {
                    group.addTask { await policies.mirror.run() }
                }
                group.addTask {
                    await election.takePart(
                        cluster, command, vaults: vaults, clock: clock, log: log)
                }
            }
            let signal = await signals.wait()
            log.write(.notice, "stopping", "stopping on signal \(signal)")
            stopping.set()
            webhooks.endReuse()
            // Whoever routes to this pod needs a moment to learn that it is not ready.
            await clock.sleep(for: .seconds(command.drainSeconds))
            await webhooks.drain(within: Self.answerTime)
            group.cancelAll()
        }
        await health.drain(within: .zero)
        log.write(.notice, "stopped", "everything that was asked is answered")
    }

    // MARK: - Servers

    private func serveWebhooks(
        _ identity: ServerIdentity
    ) async throws(ServerFailure) -> AdmissionServer {
        let handler = AdmissionHandler(
            policies: access.policies, namespaces: access.namespaces, images: registries.commands,
            selector: command.selector, clock: clock, metrics: metrics
        ) { [log] in log.refused($0) }
        var routes: [String: ServedRoute] = [:]
        for purpose in AdmissionPurpose.allCases {
            routes["/\(purpose.rawValue)"] = ServedRoute(
                .post, contentType: "application/json"
            ) { request in
                switch await handler.reply(to: request.body, purpose) {
                case .answer(let answer):
                    ServedAnswer(200, contentType: "application/json", answer.rendered())
                case .badRequest(let failure): ServedAnswer(400, failure.message)
                }
            }
        }
        var limits = ServerLimits(bodyBytesMax: AdmissionLimits.reviewBytesMax)
        limits.requestTime = .seconds(command.requestSeconds)
        return try await AdmissionServer(
            address: command.address, port: command.port, identity: identity, routes: routes,
            limits: limits
        ) { [metrics] path, status in metrics.refusedRequest(path, status: status) }
    }

    private func serveHealth(
        _ webhooks: AdmissionServer, _ identity: ServerIdentity, _ certificate: ServedCertificate
    ) async throws(ServerFailure) -> AdmissionServer {
        let page = OperatorPage(
            metrics: metrics, images: registries.commands, access: access, webhooks: webhooks,
            identity: identity, certificate: certificate.own, vaults: vaults,
            leads: { (command.leaseName, election.isLeading) },
            uninjectedCount: { election.uninjectedCount },
            unprotectedCount: { election.unprotectedCount })
        return try await AdmissionServer(
            address: command.address, port: command.healthPort, identity: nil,
            routes: [
                "/healthz": ServedRoute(.get) { _ in ServedAnswer(200, "ok") },
                "/readyz": ServedRoute(.get) { _ in page.readiness(isStopping: stopping.isSet) },
                "/metrics": ServedRoute(.get) { _ in page.metricsAnswer() },
            ], limits: ServerLimits(bodyBytesMax: Self.healthBodyBytesMax))
    }

    private func explain(_ failure: ServerFailure) -> String {
        switch failure {
        case .cannotListen(let address, let port, let detail):
            "cannot listen on \(address):\(port) (\(detail)); choose another port"
        case .identityInvalid(let detail): "no TLS with that certificate (\(detail))"
        }
    }
}
