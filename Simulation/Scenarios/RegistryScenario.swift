// SPDX-License-Identifier: Apache-2.0
package import ImageFormat
package import ImagePorts
package import SimulationEngine

/// The operator looks images up while registries are slow, refuse, and send other content, and
/// while new images are pushed under the same tags.
package struct RegistryScenario: SimulatedScenario {
    package static let name = "registry-lookups"
    package static let summary = "Images are looked up at registries that fail in every way."
    package static let sometimes = [
        "registry.found", "registry.failed", "registry.late", "registry.corrupted",
        "registry.disagreed", "registry.pushed",
    ]
    package static let limits = RunLimits(duration: .seconds(1000), stepsMax: 400_000)

    package static func makeOracles() -> [any Oracle] {
        StandardOracles.make() + [TrueImageOracle()]
    }

    package static let canaries =
        StandardCanaries.all
        + ImageJudged.Verdict.allCases.map { verdict in
            OracleCanary("true-image/\(verdict.rawValue)", oracle: "true-image") { run in
                run.report(ImageJudged(image: "app", verdict: verdict))
            }
        }

    /// What the broken copies change.
    package struct Tampering: Sendable {
        package var wrap: @Sendable (any ImageRegistry) -> any ImageRegistry = { $0 }
        package var wrapHasher: @Sendable (any ContentHasher) -> any ContentHasher = { $0 }

        package init() {}
    }

    private let tampering: Tampering

    package init() { tampering = Tampering() }
    package init(tampering: Tampering) { self.tampering = tampering }

    package func build(in run: SimulationRun) {
        let world = RegistryWorld(run, tampering)
        run.spawn("operator") { await world.work($0.clock) }
        run.after(RegistryWorld.healTime) { run.heal() }
    }
}

/// An answer about an image that must not be.
package struct ImageJudged: SimulationFact {
    package enum Verdict: String, Sendable, CaseIterable {
        /// No image of that name has started so for as long as a tag is believed.
        case untrue
        /// It came when the review was over.
        case late
        /// Nothing was wrong any more, and it was not found.
        case lost
    }

    package let image: String
    package let verdict: Verdict

    package init(image: String, verdict: Verdict) {
        self.image = image
        self.verdict = verdict
    }

    package var summary: String? { "\(image) \(verdict.rawValue)" }
}

/// What is said of an image is true, in time, and said again once registries work.
package final class TrueImageOracle: Oracle {
    package let name = "true-image"

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        registry.on(ImageJudged.self) { [name, unowned registry] judged in
            registry.report(name, "the answer about \(judged.image) is \(judged.verdict.rawValue)")
        }
    }

    package func finish() {}
}
