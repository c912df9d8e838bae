// SPDX-License-Identifier: Apache-2.0
internal import CSimulationHooks
package import Ports

/// One run of a scenario: the world that its components live in.
///
/// Everything happens on one thread, so nothing here is locked and closures may capture what they
/// like. A scenario builds its fakes, spawns its components and reports facts; oracles judge.
package final class SimulationRun: @unchecked Sendable {
    package let seed: UInt64
    package let choices: Choices
    package let scheduler: Scheduler
    package let trace: Trace
    package let faults: FaultPlan
    package let network: SimulatedNetwork
    package let oracles: OracleRegistry
    package let marks: Marks
    /// Wall clocks that are wrong, by component; read when an incarnation starts.
    package var skews: [String: ClockSkew] = [:]

    private var components: [String: Component] = [:]

    init(seed: UInt64, replaying tape: Tape?, limits: RunLimits, trace: Trace) {
        self.seed = seed
        choices = Choices(seed: seed, replaying: tape)
        self.trace = trace
        scheduler = Scheduler(choices: choices, limits: limits, trace: trace)
        let log = EventLog(trace: trace, scheduler: scheduler)
        faults = FaultPlan(choices: choices, log: log)
        network = SimulatedNetwork(choices: choices, faults: faults, log: log)
        oracles = OracleRegistry(log: log)
        marks = Marks(log: log)
        let oracles = oracles
        scheduler.onTripwire = { component, message in
            oracles.report(tripwireName, message, component: component)
        }
    }

    /// Virtual time since the run's start.
    package var now: MonotonicTime { scheduler.now }

    // MARK: - Components

    /// Starts a component; its name is unique in the run. `body` runs as the component's main
    /// task: when it returns, the incarnation has ended.
    @discardableResult
    package func spawn(
        _ name: String, body: @escaping (ComponentContext) async -> Void
    ) -> Component {
        precondition(components[name] == nil, "two components named \(name)")
        let component = Component(name: name, scheduler: scheduler, body: body)
        components[name] = component
        scheduler.add(component)
        start(component)
        return component
    }

    /// nil when there is none of that name.
    package func component(_ name: String) -> Component? { components[name] }

    /// The component stops where it is and is never continued.
    package func crash(_ name: String) {
        guard let component = components[name], [.running, .paused].contains(component.state)
        else { return }
        component.state = .crashed
        component.executor.isFrozen = true
        component.executor.forget()
        note(.crash, "", by: component.label)
        report(ComponentCrashed(component: name))
    }

    /// A new incarnation of a component that crashed or ended; one that runs crashes first.
    package func restart(_ name: String) {
        guard let component = components[name] else { return }
        crash(name)
        start(component)
    }

    /// Like SIGSTOP: nothing of it runs until `resume`, its timers wait for it.
    package func pause(_ name: String) {
        guard let component = components[name], component.state == .running else { return }
        component.state = .paused
        note(.pause, "", by: component.label)
    }

    package func resume(_ name: String) {
        guard let component = components[name], component.state == .paused else { return }
        component.state = .running
        note(.resume, "", by: component.label)
    }

    private func start(_ component: Component) {
        let context = ComponentContext(run: self, component: component)
        scheduler.start(component, context)
        note(.start, "", by: component.label)
        report(ComponentStarted(component: component.name, incarnation: component.incarnation))
    }

    // MARK: - The world's own events

    /// Does something to the world at a time, outside every component (an operator seals the
    /// vault, a partition begins).
    package func at(_ time: MonotonicTime, _ action: @escaping () -> Void) {
        scheduler.schedule(at: time, action)
    }

    package func after(_ delay: Duration, _ action: @escaping () -> Void) {
        at(now.advanced(by: delay), action)
    }

    /// A line for the reader of the trace.
    package func note(_ text: String) { note(.note, text, by: scheduler.currentLabel) }

    /// Tells the oracles and the trace that something is so.
    package func report(_ fact: some SimulationFact) { oracles.observe(fact) }

    private func note(_ kind: Trace.Kind, _ text: String, by component: String) {
        trace.add(kind, text, by: component, at: now)
    }

    /// The end of faults: none fires any more, partitions are healed, and convergence is due.
    package func heal() {
        faults.heal()
        network.healAll()
        report(FaultsHealed())
    }

    // MARK: - Running

    /// On a thread that does nothing else.
    func run(_ build: (SimulationRun) -> Void) {
        let identity = UnsafeMutableRawPointer(Unmanaged.passUnretained(scheduler).toOpaque())
        csimulation_enter(identity) { job, simulation in
            guard let job, let simulation else { return }
            let scheduler = Unmanaged<Scheduler>.fromOpaque(simulation).takeUnretainedValue()
            scheduler.takeEscaped(unsafeBitCast(job, to: UnownedJob.self))
        }
        build(self)
        scheduler.run()
        csimulation_leave()
        oracles.finish()
    }

    /// Frozen tasks keep the run alive; they need not keep what it holds.
    func forget() {
        scheduler.forget()
        oracles.forget()
        trace.forget()
        choices.forget()
        components = [:]
    }
}

/// Where events go: the trace, with the time and whoever runs.
package final class EventLog: @unchecked Sendable {
    private let trace: Trace
    private let scheduler: Scheduler

    init(trace: Trace, scheduler: Scheduler) {
        self.trace = trace
        self.scheduler = scheduler
    }

    package var now: MonotonicTime { scheduler.now }

    /// The label of whoever runs, `-` for the engine.
    package var currentLabel: String { scheduler.currentLabel }

    package func add(_ kind: Trace.Kind, _ detail: String, by component: String? = nil) {
        trace.add(kind, detail, by: component ?? currentLabel, at: now)
    }
}
