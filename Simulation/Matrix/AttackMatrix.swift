// SPDX-License-Identifier: Apache-2.0
package import AttackCatalogue
package import Ports
package import Simulation

/// Attack × kernel profile × delivery mode × enforcement mode × target, enumerated in full: what
/// the model derives beside what the catalogue expects.
package struct AttackMatrix: Sendable {
    /// What a run of one attack in one world came to.
    package struct Derived: Sendable, Equatable {
        package let verdict: CellVerdict
        package let gain: AttackGain
        /// Name of the error number that refused, nil when none did.
        package let errorName: String?
        /// Event types in the order they were reported.
        package let events: [String]
        /// Whether the attacker or the attacker's helper is gone afterwards.
        package let actorEnds: Bool
        /// Why, in words.
        package let reason: String
    }

    package struct Cell: Sendable {
        package let id: String
        package let at: CellCoordinates
        package let derived: Derived
        /// nil: the catalogue says nothing of it.
        package let expected: ExpectationRule?

        package var agrees: Bool { expected?.verdict == derived.verdict }
    }

    package let catalogue: AttackCatalogue
    package let profiles: [KernelProfile]
    /// The product's modes, each with the catalogue's expectation.
    package let cells: [Cell]
    /// Cells that `make vm-test` has compared with a real kernel.
    package let measured: Set<MeasuredCell>
    /// `cells` by vector and profile.
    let index: [Place: [Cell]]

    package var disagreements: [Cell] { cells.filter { !$0.agrees } }

    /// Runs every executable attack in every world.
    ///
    /// - Parameter rules: the model's rules; a test switches one off.
    /// - Throws: a profile's fact that is missing or unknown.
    package static func build(
        catalogue: AttackCatalogue, profiles: [KernelProfile],
        measured: Set<MeasuredCell> = [], rules: SimulatedKernel.Rules = SimulatedKernel.Rules()
    ) throws(KernelFeatures.UnknownFact) -> AttackMatrix {
        var cells: [Cell] = []
        for profile in profiles {
            let features = try KernelFeatures(
                facts: profile.facts, parameters: profile.parameters)
            for delivery in ModelledDelivery.allCases {
                for enforcement in EnforcementMode.allCases {
                    let world = World(features, delivery, enforcement, rules)
                    for attack in SimulatedAttacks.all {
                        for target in attack.targets {
                            let coordinates = CellCoordinates(
                                profile: profile.name, delivery: delivery.rawValue,
                                enforcement: enforcement.rawValue, target: target.rawValue)
                            let derived = world.run(attack, on: target)
                            cells.append(
                                Cell(
                                    id: attack.id, at: coordinates, derived: derived,
                                    expected: catalogue.expected(attack.id, at: coordinates)))
                        }
                    }
                }
            }
        }
        return AttackMatrix(
            catalogue: catalogue, profiles: profiles, cells: cells, measured: measured,
            index: Dictionary(grouping: cells) { Place(id: $0.id, profile: $0.at.profile) })
    }
}

/// One world, which every attack finds as it was.
private struct World {
    let workload: SimulatedWorkload?
    let obstacle: String

    init(
        _ features: KernelFeatures, _ delivery: ModelledDelivery, _ enforcement: EnforcementMode,
        _ rules: SimulatedKernel.Rules
    ) {
        do {
            var made = try SimulatedWorkload(
                features: features, delivery: delivery, enforcement: enforcement)
            made.kernel.rules = rules
            workload = made
            obstacle = ""
        } catch {
            workload = nil
            obstacle = "without memfd_secret the wrapper refuses this delivery mode"
        }
    }

    func run(_ attack: any SimulatedAttack.Type, on target: AttackTarget) -> AttackMatrix.Derived {
        guard let workload else { return notApplicable(obstacle) }
        let victim = target == .application ? workload.application : workload.wrapper
        let scene = AttackScene(
            attacker: attack.position == .outside ? workload.attacker : victim,
            neighbour: workload.neighbour, target: victim, secret: workload.secret)
        return derive(attack.init(), scene, workload.kernel)
    }

    private func derive(
        _ attack: some SimulatedAttack, _ scene: AttackScene, _ start: SimulatedKernel
    ) -> AttackMatrix.Derived {
        var kernel = start
        if let obstacle = attack.obstacle(scene, on: kernel) { return notApplicable(obstacle) }
        var gain = AttackGain.nothing
        var refusal: KernelFailure?
        do throws(KernelFailure) {
            gain = try attack.run(scene, on: &kernel)
        } catch {
            refusal = error
        }
        let events = kernel.takeEvents().events
        let verdict: CellVerdict =
            gain == .nothing ? .blocked : events.isEmpty ? .exposed : .detected
        return AttackMatrix.Derived(
            verdict: verdict, gain: gain, errorName: refusal?.name,
            events: events.map(\.type.rawValue),
            actorEnds: [scene.attacker, scene.neighbour].contains { kernel.process($0) == nil },
            reason: Self.reason(gain, refusal, events))
    }

    private func notApplicable(_ reason: String) -> AttackMatrix.Derived {
        AttackMatrix.Derived(
            verdict: .notApplicable, gain: .nothing, errorName: nil, events: [],
            actorEnds: false, reason: reason)
    }

    private static func reason(
        _ gain: AttackGain, _ refusal: KernelFailure?, _ events: [KernelEvent]
    ) -> String {
        let seen = events.last.map { " (\($0.type.rawValue) by \($0.hook))" } ?? ""
        return switch gain {
        case .secret: "the secret was had" + seen
        case .control: "the attacker controls the target or the kernel" + seen
        case .setting: "the setting was changed" + seen
        case .information: "addresses or relations were had, no byte of the secret" + seen
        case .nothing:
            if let denied = events.last(where: \.isDenied), let refusal {
                "\(denied.hook) denied it: \(refusal.name)"
            } else if let refusal {
                "the kernel answered \(refusal.name)" + seen
            } else {
                "it worked, and the secret was not in what it showed" + seen
            }
        }
    }
}
