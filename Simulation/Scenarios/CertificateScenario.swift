// SPDX-License-Identifier: Apache-2.0
package import KubernetesPorts
package import SimulationEngine

/// Replicas of the operator keep their certificates and the API server's trust in them, through
/// rotations, faults, crashes, hangs, and somebody who deletes and breaks what they keep. API
/// servers, each some seconds behind, call whoever is ready.
package struct CertificateScenario: SimulatedScenario {
    package static let name = "webhook-certificates"
    package static let summary = "Certificates rotate under an API server that is behind."
    package static let sometimes = [
        "trust.called", "trust.authority-added", "trust.authority-dropped", "trust.leaf-renewed",
        "trust.secret-replaced", "trust.configuration-healed", "trust.answer-lost",
    ]
    package static let limits = RunLimits(duration: .seconds(1000), stepsMax: 400_000)

    package static func makeOracles() -> [any Oracle] {
        StandardOracles.make() + [TrustedWebhookOracle()]
    }

    package static let canaries =
        StandardCanaries.all + [
            OracleCanary("trusted-webhook/refused", oracle: "trusted-webhook") { run in
                run.report(WebhookRefused(replica: "one", server: 0))
            }
        ]

    /// What the broken copies change.
    package struct Tampering: Sendable {
        /// Seconds that API servers have a new authority before it is used.
        package var settle: Int64 = 30
        /// Seconds that the last authority is believed beside the next one. Longer than faults can
        /// make looks fail in a row, of which life has 1,440 in an overlap.
        package var overlap: Int64 = 200
        package var wrap: @Sendable (any KubernetesAPI) -> any KubernetesAPI = { $0 }

        package init() {}
    }

    private let tampering: Tampering

    package init() { tampering = Tampering() }
    package init(tampering: Tampering) { self.tampering = tampering }

    package func build(in run: SimulationRun) {
        let world = CertificateWorld(run, tampering)
        run.network.listen(at: "server", as: "server")
        for name in ["one", "two"] {
            run.spawn(name) { await world.work(name, $0) }
        }
        world.upset()
        run.after(.seconds(500)) { run.heal() }
        world.look()
    }
}

/// An API server did not believe a replica that was ready.
package struct WebhookRefused: SimulationFact {
    package let replica: String
    /// Which API server.
    package let server: Int

    package init(replica: String, server: Int) {
        self.replica = replica
        self.server = server
    }

    package var summary: String? { "\(replica), server \(server)" }
}

/// No admission fails for a certificate.
package final class TrustedWebhookOracle: Oracle {
    package let name = "trusted-webhook"

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        registry.on(WebhookRefused.self) { [name, unowned registry] refused in
            registry.report(
                name, "\(refused.replica) is ready, and API server \(refused.server) refuses it")
        }
    }

    package func finish() {}
}
