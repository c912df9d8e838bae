// SPDX-License-Identifier: Apache-2.0
internal import Ports
package import SimulationEngine

/// The smallest world in which everything of the engine happens: a client obtains a secret with a
/// lease from a server over a network with faults, keeps it alive, crashes, comes back on what is
/// on its disk, and ends in good order. The engine's own tests run it.
package struct LeaseClientScenario: SimulatedScenario {
    package static let name = "lease-client"
    package static let summary = "A client keeps a leased secret alive through faults and crashes."
    package static let sometimes = [
        "client.retried", "client.renewed", "client.crashed", "client.resumed",
        "client.lease-ran-out", "client.ended",
    ]
    package static let limits = RunLimits(duration: .seconds(3600), stepsMax: 100_000)

    package init() {}

    package func build(in run: SimulationRun) {
        let server = LeaseServer(run)
        let disk = ClientDisk()
        run.network.listen(at: "server", as: "server")
        run.report(ConditionChanged("client.served", holds: false))
        run.spawn("client") { context in
            await LeaseClient(context: context, server: server, disk: disk).work()
        }
        let crashes = run.choices.draw(below: 3, label: "workload/crashes")
        for _ in 0..<crashes {
            let second = run.choices.draw(in: 1...600, label: "workload/crash-time")
            run.after(.seconds(second)) {
                guard run.component("client")?.state == .running else { return }
                run.marks.hit("client.crashed")
                run.crash("client")
                run.report(ConditionChanged("client.served", holds: false))
                let pause = run.choices.draw(in: 1...30, label: "workload/crash-time")
                run.after(.seconds(pause)) { run.restart("client") }
            }
        }
        if run.choices.happens(1, in: 3, label: "workload/partition") {
            let second = run.choices.draw(in: 1...300, label: "workload/partition")
            run.after(.seconds(second)) { run.network.partition("client", "server") }
        }
        run.after(.seconds(900)) { run.heal() }
    }
}

/// What survives a crash of the client.
private final class ClientDisk {
    var hasWorkedBefore = false
}

/// Gives leases of a minute. Fault classes: `server.refuses`, `server.rate-limited`.
private final class LeaseServer {
    enum Answer {
        case lease(String, expires: MonotonicTime)
        case refused
        case wait(Duration)
    }

    static let lifetime = Duration.seconds(60)
    private let run: SimulationRun
    private var issued = 0
    private var expiries: [String: MonotonicTime] = [:]

    init(_ run: SimulationRun) {
        self.run = run
        run.oracles.oracle(TaintOracle.self)?.allow(
            .init(sink: .network, principal: "client"))
    }

    func issue() -> Answer {
        if let refusal { return refusal }
        issued += 1
        let lease = "lease-\(issued)"
        let secret = run.choices.seededBytes(32, label: "entropy/secret/\(lease)")
        run.report(SecretRegistered(lease, bytes: secret))
        run.report(SinkWritten(.network, stream: lease, principal: "client", bytes: secret))
        let expires = run.later(Self.lifetime)
        expiries[lease] = expires
        run.report(LeaseIssued(lease, holder: "client", expires: expires))
        return .lease(lease, expires: expires)
    }

    func renew(_ lease: String) -> Answer {
        if let refusal { return refusal }
        guard let end = expiries[lease], end >= run.now else { return .refused }
        let expires = run.later(Self.lifetime)
        expiries[lease] = expires
        run.report(LeaseRenewed(lease, expires: expires))
        return .lease(lease, expires: expires)
    }

    func revoke(_ lease: String) -> Answer {
        if let refusal { return refusal }
        expiries[lease] = nil
        run.report(LeaseRevoked(lease))
        return .lease(lease, expires: run.now)
    }

    private var refusal: Answer? {
        if run.faults.fires("server.refuses") { return .refused }
        guard run.faults.fires("server.rate-limited") else { return nil }
        return .wait(.seconds(run.choices.draw(in: 1...20, label: "server/retry-after")))
    }
}

/// One incarnation of the client.
private struct LeaseClient {
    private static let workUntil = MonotonicTime(nanoseconds: 1_800_000_000_000)
    private static let pauseMax = Duration.seconds(30)

    let context: ComponentContext
    let server: LeaseServer
    let disk: ClientDisk

    private var run: SimulationRun { context.run }

    func work() async {
        if disk.hasWorkedBefore { run.marks.hit("client.resumed") }
        disk.hasWorkedBefore = true
        while context.clock.monotonic() < Self.workUntil {
            guard let held = await ask(until: nil, { server.issue() }) else { continue }
            run.report(ConditionChanged("client.served", holds: true))
            await keep(held.lease, expires: held.expires)
        }
        run.marks.hit("client.ended")
        run.report(HolderEnded("client", isOrderly: true))
    }

    /// Renews a lease at two thirds of its life until the work is over or it is lost.
    private func keep(_ lease: String, expires: MonotonicTime) async {
        var expires = expires
        while true {
            run.report(LeaseUsed(lease))
            let life = context.clock.monotonic().duration(to: expires)
            await context.clock.sleep(for: life * 2 / 3)
            let isOver = context.clock.monotonic() >= Self.workUntil
            let answer = await ask(until: expires) {
                isOver ? server.revoke(lease) : server.renew(lease)
            }
            if isOver {
                if answer == nil { run.report(LeaseReported(lease)) }
                return
            }
            guard let answer else {
                run.marks.hit("client.lease-ran-out")
                run.report(LeaseReported(lease))
                run.report(ConditionChanged("client.served", holds: false))
                return
            }
            run.marks.hit("client.renewed")
            expires = answer.expires
        }
    }

    /// Asks until there is an answer, with pauses that double; nil when `deadline` comes first.
    private func ask(
        until deadline: MonotonicTime?, _ request: () -> LeaseServer.Answer
    ) async -> (lease: String, expires: MonotonicTime)? {
        var pause = Duration.seconds(1)
        while deadline.map({ context.clock.monotonic() < $0 }) ?? true {
            run.report(RequestSent(client: "client", server: "server"))
            switch await answer(request) {
            case .lease(let lease, let expires): return (lease, expires)
            case .wait(let delay):
                run.report(RetryAfterReceived(client: "client", server: "server", delay: delay))
                await context.clock.sleep(for: delay)
            case .refused:
                run.marks.hit("client.retried")
                await context.clock.sleep(for: pause)
                pause = min(pause * 2, Self.pauseMax)
            }
        }
        return nil
    }

    private func answer(_ request: () -> LeaseServer.Answer) async -> LeaseServer.Answer {
        switch run.network.route(from: "client", to: "server") {
        case .reached(_, let latency):
            await context.clock.sleep(for: latency)
            let answer = request()
            await context.clock.sleep(for: latency)
            return answer
        case .reset(_, let latency):
            await context.clock.sleep(for: latency)
            return .refused
        case .lost:
            await context.clock.sleep(for: .seconds(10))
            return .refused
        case .refused: return .refused
        }
    }
}
