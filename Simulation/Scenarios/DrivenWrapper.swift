// SPDX-License-Identifier: Apache-2.0
package import Delivery
package import Ports
package import Simulation
package import SimulationEngine
package import Wrapper
package import WrapperConfiguration

/// A wrapper that is driven from outside: an action is performed at once on the fakes, time passes,
/// then its outcome is told. The production one, or a copy that a test has broken.
package protocol DrivenWrapper: AnyObject {
    func begin() -> WrapperStateMachine.Action
    func perform(_ action: WrapperStateMachine.Action) -> WrapperStateMachine.Event
    func handle(_ event: WrapperStateMachine.Event) -> WrapperStateMachine.Action
}

/// What a wrapper is made of in a run.
package struct WrapperParts {
    package let settings: WrapperSettings
    package let arguments: [RawText]
    package let environment: [RawText]
    /// For `SimulatedSecretStore`.
    package let server: SimulatedVaultServer
    package let credential: String?
    package let plan: (SecretStoreCall) -> SimulatedStoreFault?
    package let node: SimulatedNodeAgent
    package let machine: SimulatedMachine
    package let context: ComponentContext
    /// Where the wrapper's records go.
    package let telemetry: ObservedTelemetry
}

/// A component's telemetry that shows each record to somebody else first.
package final class ObservedTelemetry: Telemetry {
    private let telemetry: SimulatedTelemetry
    private let observe: (TelemetryRecord) -> Void

    package init(_ telemetry: SimulatedTelemetry, observe: @escaping (TelemetryRecord) -> Void) {
        self.telemetry = telemetry
        self.observe = observe
    }

    package func record(_ record: TelemetryRecord) throws(TelemetryFailure) {
        observe(record)
        try telemetry.record(record)
    }

    package func terminate(_ message: String) throws(TelemetryFailure) {
        try telemetry.terminate(message)
    }
}

/// The production wrapper, every line of it.
package final class ProductionWrapper: DrivenWrapper {
    private var run:
        WrapperRun<
            SimulatedSecretStore, SimulatedNodeAgent, SimulatedProcessHost, SimulatedClock,
            SimulatedEntropy,
            ObservedTelemetry
        >

    package init(_ parts: WrapperParts) throws(DeliveryFailure) {
        let clock = parts.context.clock
        run = WrapperRun(
            settings: parts.settings,
            image: try DeliveryImage(minimumTier: parts.settings.vault.minimumTier.tier),
            arguments: parts.arguments, environment: parts.environment,
            store: SimulatedSecretStore(
                server: parts.server, settings: parts.settings.vault,
                credential: parts.credential,
                secondsSince1970: { clock.secondsSince1970() }, plan: parts.plan),
            node: parts.node, host: SimulatedProcessHost(machine: parts.machine), time: clock,
            entropy: parts.context.entropy, telemetry: parts.telemetry)
    }

    package func begin() -> WrapperStateMachine.Action { run.begin() }

    package func perform(
        _ action: WrapperStateMachine.Action
    ) -> WrapperStateMachine.Event { run.perform(action) }

    package func handle(
        _ event: WrapperStateMachine.Event
    ) -> WrapperStateMachine.Action { run.handle(event) }
}
