// SPDX-License-Identifier: Apache-2.0
internal import Simulation
internal import SimulationEngine

/// The attacker of a run: vectors at random times, on the application or the wrapper.
///
/// Labels: `attack` (how many steps), `attack/N` (vector, time and target of step N; a vector of 0
/// is no step, so that shrinking drops steps one by one).
extension WrapperCluster {
    /// Attacks in one run at most.
    private static let stepsMax = 12
    /// Before faults are healed (seconds): some attacks end the program.
    private static let secondsMax = 850

    func planAttacks() {
        let count = run.choices.draw(in: 0...Self.stepsMax, label: "attack")
        for number in 0..<count {
            let label = "attack/\(number + 1)"
            let vector = run.choices.draw(
                in: 0...SimulatedAttacks.all.count, label: label)
            let time = run.choices.draw(below: Self.secondsMax, label: label)
            let target = run.choices.draw(below: AttackTarget.allCases.count, label: label)
            guard vector > 0 else { continue }
            let attack = SimulatedAttacks.all[vector - 1]
            let isPossible = attack.targets.contains(AttackTarget.allCases[target])
            let victim = isPossible ? AttackTarget.allCases[target] : attack.targets[0]
            run.after(.seconds(time)) { [self] in
                play(attack, on: victim, as: "\(attack.id)#\(number + 1)")
            }
        }
    }

    private func play(
        _ attack: any SimulatedAttack.Type, on target: AttackTarget, as name: String
    ) {
        guard let container else { return }
        container.machine.advance(to: run.now)
        let isRunning = container.machine.runningProgram != nil
        switch stage.play(attack, on: target, as: name, isRunning: isRunning) {
        case .none: break
        case .programEnded:
            run.marks.hit("attack.program_ended")
            container.deliver(signal: Self.killSignal)
        case .wrapperEnded:
            run.marks.hit("attack.wrapper_ended")
            crash()
        }
    }

    private static let killSignal: Int32 = 9
}
