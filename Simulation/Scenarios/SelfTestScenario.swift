// SPDX-License-Identifier: Apache-2.0
package import SimulationEngine

/// Fails on purpose, to show that a campaign notices: some seeds break an oracle, fewer end the
/// process by a trap, the rest is well. Never a part of a campaign about the product.
package struct SelfTestScenario: SimulatedScenario {
    package static let name = "self-test"
    package static let summary = "Fails on purpose: shows what a campaign does about failures."
    package static let sometimes = ["self-test.well", "self-test.never"]

    package init() {}

    package func build(in run: SimulationRun) {
        run.spawn("subject") { context in
            for step in 1...30 {
                await context.clock.sleep(for: .seconds(1))
                let choice = run.choices.draw(below: 1000, label: "workload")
                if choice == 998 { run.report(ProgramStarted(subject: "step-\(step)")) }
                precondition(choice != 999, "a trap on purpose in step \(step)")
            }
            run.marks.hit("self-test.well")
        }
    }
}
