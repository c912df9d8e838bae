// SPDX-License-Identifier: Apache-2.0

/// What one incarnation of a component is given instead of the machine: its clock, its randomness,
/// its telemetry.
package final class ComponentContext: @unchecked Sendable {
    package let run: SimulationRun
    package let component: Component
    /// From 1.
    package let incarnation: Int
    package let clock: SimulatedClock
    package let entropy: SimulatedEntropy
    package let telemetry: SimulatedTelemetry

    init(run: SimulationRun, component: Component) {
        self.run = run
        self.component = component
        incarnation = component.incarnation + 1
        clock = SimulatedClock(run: run, component: component.name)
        entropy = SimulatedEntropy(run: run, component: component.name)
        telemetry = SimulatedTelemetry(run: run, component: component.name)
    }

    package var name: String { component.name }

    /// The main task has returned.
    func ended() {
        guard component.incarnation == incarnation, component.state == .running else { return }
        component.state = .ended
        run.trace.add(.end, "", by: component.label, at: run.now)
    }
}
