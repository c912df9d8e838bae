// SPDX-License-Identifier: Apache-2.0
package import Ports

/// A fault planted on purpose, which must turn one oracle red and no other. An oracle without a
/// canary counts as absent.
package struct OracleCanary: Sendable {
    /// Unique: `taint/log/base64`.
    package let name: String
    /// The oracle that has to go red.
    package let oracle: String
    let plant: @Sendable (SimulationRun) -> Void

    package init(
        _ name: String, oracle: String, plant: @escaping @Sendable (SimulationRun) -> Void
    ) {
        self.name = name
        self.oracle = oracle
        self.plant = plant
    }

    package enum Verdict: String, Sendable, Equatable {
        /// Red with the plant, green without: as it must be.
        case red
        /// The plant was not seen.
        case green
        /// Red without a plant, or another oracle was red too.
        case confused
    }

    /// Runs the healthy world with and without the plant.
    package func verdict(with runner: SimulationRunner) -> Verdict {
        let limits = RunLimits(
            duration: .seconds(7200), stepsMax: 100_000, stepsAtOnceMax: 1000)
        func oracles(planted: Bool) -> Set<String> {
            let result = runner.run(named: "canary", limits: limits, seed: 1) { run in
                CanaryWorld.build(in: run)
                if planted { plant(run) }
            }
            return Set(result.findings.map(\.oracle))
        }
        guard oracles(planted: false).isEmpty else { return .confused }
        let red = oracles(planted: true)
        return red.isEmpty ? .green : red == [oracle] ? .red : .confused
    }
}

/// A small healthy world: everything an oracle knows of happens in it, and rightly.
enum CanaryWorld {
    static let secret = "canary-secret"

    static func bytes(in run: SimulationRun) -> [UInt8] {
        run.choices.seededBytes(32, label: "entropy/secret/canary")
    }

    static func build(in run: SimulationRun) {
        let secret = bytes(in: run)
        run.report(SecretRegistered(Self.secret, bytes: secret))
        run.oracles.oracle(TaintOracle.self)?.allow(
            .init(secret: Self.secret, sink: .delivery, principal: "application"))
        run.report(
            SinkWritten(.delivery, stream: "memory", principal: "application", bytes: secret))
        for sink in Sink.named {
            run.report(SinkWritten(sink, stream: "plain", principal: "anybody", text: "all well"))
        }
        run.report(DecisionRecorded(subject: "application", allows: true, reason: "complete"))
        run.report(ProgramStarted(subject: "application"))
        run.report(AttackHandled("AV-001#1"))
        run.report(SecurityEventRecorded("AV-001#1"))
        run.report(AttackPlayed("AV-001#1", .blocked, hasGained: false))
        run.report(AttackPlayed("AV-080#1", .succeeds, hasGained: true, ended: ["application"]))
        run.report(QuantityObserved("queue", value: 10, limit: 10))
        run.report(LeaseIssued("lease-1", holder: "holder", expires: run.later(.seconds(60))))
        run.report(ConditionChanged("serving", holds: false))
        run.after(.seconds(40)) {
            run.report(LeaseUsed("lease-1"))
            run.report(LeaseRenewed("lease-1", expires: run.later(.seconds(60))))
        }
        run.after(.seconds(50)) {
            run.report(LeaseRevoked("lease-1"))
            run.report(HolderEnded("holder", isOrderly: true))
        }
        run.after(.seconds(100)) { run.heal() }
        run.after(.seconds(200)) { run.report(ConditionChanged("serving", holds: true)) }
        run.spawn("client") { context in
            for _ in 0..<10 {
                run.report(RequestSent(client: "client", server: "server"))
                await context.clock.sleep(for: .seconds(10))
            }
            run.report(
                RetryAfterReceived(client: "client", server: "server", delay: .seconds(5)))
            await context.clock.sleep(for: .seconds(5))
            run.report(RequestSent(client: "client", server: "server"))
        }
    }
}

extension SimulationRun {
    /// So much later than now.
    package func later(_ delay: Duration) -> MonotonicTime { now.advanced(by: delay) }
}
