// SPDX-License-Identifier: Apache-2.0
package import KubernetesPorts
package import Operator
package import SimulationEngine

/// Storms of pods meet two replicas of the operator while policies, namespaces' labels and
/// certificates change, watches break off and lose their place, and replicas crash, hang and are
/// cut off.
package struct AdmissionScenario: SimulatedScenario {
    package static let name = "admission"
    package static let summary = "Pods are admitted by replicas that crash and are behind."
    package static let sometimes = [
        "admission.wrapped", "admission.not-asked", "admission.refused", "admission.webhook-away",
        "admission.reply-lost", "admission.not-believed", "admission.restartable",
        "admission.colliding", "admission.relabelled", "admission.policy-changed",
        "admission.forgotten", "admission.leaf-renewed", "admission.answer-lost",
    ]
    package static let limits = RunLimits(duration: .seconds(330), stepsMax: 200_000)
    /// Faults end.
    static let healTime = 200
    /// By then whoever waits longest between two attempts has made one.
    static let admitWithin = Duration.seconds(90)

    package static func makeOracles() -> [any Oracle] {
        StandardOracles.make() + [WrappedPodOracle(), GrantedPodOracle(), BystanderOracle()]
    }

    package static let canaries =
        StandardCanaries.all + [
            OracleCanary("wrapped-pod/bare", oracle: "wrapped-pod") { run in
                run.report(PodStored("pod", bare: ["web"]))
            },
            OracleCanary("granted-pod/foreign", oracle: "granted-pod") { run in
                run.report(PodStored("pod", foreign: ["web: https://evil.example:8200"]))
            },
            OracleCanary("bystander/refused", oracle: "bystander") { run in
                run.report(BystanderRefused(pod: "pod", reason: "the webhook is away"))
            },
        ]

    /// What the broken copies change.
    package struct Tampering: Sendable {
        /// Around the operator's client.
        package var wrap: @Sendable (any KubernetesAPI) -> any KubernetesAPI = { $0 }
        /// Changes a review, and what is answered to it.
        package var review: @Sendable ([UInt8]) -> [UInt8] = { $0 }
        package var patch: @Sendable (_ review: [UInt8], _ patch: [UInt8]) -> [UInt8] = { $1 }
        package var namespaces: @Sendable (ClusterNamespaces) -> any NamespaceSource = { $0 }

        package init() {}
    }

    private let tampering: Tampering

    package init() { tampering = Tampering() }
    package init(tampering: Tampering) { self.tampering = tampering }

    package func build(in run: SimulationRun) {
        run.oracles.oracle(ConvergenceOracle.self)?.within = Self.admitWithin
        let world = AdmissionWorld(run, tampering)
        run.network.listen(at: "server", as: "server")
        for name in AdmissionWorld.replicaNames {
            run.network.listen(at: name, as: name)
            run.spawn(name) { await world.work(name, $0) }
        }
        run.spawn("users") { await world.createPods($0) }
        world.upset()
        run.after(.seconds(Self.healTime)) { world.settle() }
    }
}

/// A pod that asks was stored.
package struct PodStored: SimulationFact {
    package let pod: String
    /// Containers that should start the wrapper and do not.
    package let bare: [String]
    /// Containers with a vault, role or path that no policy grants, and which.
    package let foreign: [String]

    package init(_ pod: String, bare: [String] = [], foreign: [String] = []) {
        self.pod = pod
        self.bare = bare
        self.foreign = foreign
    }

    package var summary: String? { pod }
}

/// A pod that does not ask was refused.
package struct BystanderRefused: SimulationFact {
    package let pod: String
    package let reason: String

    package init(pod: String, reason: String) {
        self.pod = pod
        self.reason = reason
    }

    package var summary: String? { pod }
}

/// No pod that asks is stored with a container that would start without the wrapper.
package final class WrappedPodOracle: Oracle {
    package let name = "wrapped-pod"

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        registry.on(PodStored.self) { [name, unowned registry] stored in
            guard !stored.bare.isEmpty else { return }
            registry.report(
                name,
                "\(stored.pod) asks, and is stored with bare \(stored.bare.joined(separator: ", "))"
            )
        }
    }

    package func finish() {}
}

/// No pod is wrapped with what no policy grants.
package final class GrantedPodOracle: Oracle {
    package let name = "granted-pod"

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        registry.on(PodStored.self) { [name, unowned registry] stored in
            guard !stored.foreign.isEmpty else { return }
            registry.report(
                name, "no policy grants \(stored.pod) \(stored.foreign.joined(separator: ", "))")
        }
    }

    package func finish() {}
}

/// Whoever does not ask is not refused, whatever is down.
package final class BystanderOracle: Oracle {
    package let name = "bystander"

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        registry.on(BystanderRefused.self) { [name, unowned registry] refused in
            registry.report(name, "\(refused.pod) does not ask, and is refused: \(refused.reason)")
        }
    }

    package func finish() {}
}
