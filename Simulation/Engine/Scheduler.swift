// SPDX-License-Identifier: Apache-2.0
internal import CSimulationHooks
package import Ports
internal import Synchronization

/// How long a run may go on.
package struct RunLimits: Sendable, Equatable {
    /// Virtual time after which a run ends in good order.
    package var duration: Duration
    /// Jobs and timers after which a run counts as a hot loop: a finding.
    package var stepsMax: Int
    /// Jobs in a row without any virtual time passing after which a run counts as a hot loop.
    package var stepsAtOnceMax: Int

    package init(
        duration: Duration = .seconds(3600), stepsMax: Int = 1_000_000,
        stepsAtOnceMax: Int = 20_000
    ) {
        self.duration = duration
        self.stepsMax = stepsMax
        self.stepsAtOnceMax = stepsAtOnceMax
    }
}

/// One thread, one run queue for each component, virtual time.
///
/// The next component and its next job are drawn (label `schedule`; 0 is the first). Time advances
/// only when nothing is runnable, to the earliest timer; timers of one moment fire in the order in
/// which they were set.
package final class Scheduler: @unchecked Sendable {
    package private(set) var now = MonotonicTime(nanoseconds: 0)
    /// Jobs and timers so far.
    package private(set) var steps = 0
    private(set) var components: [Component] = []
    /// Whose job runs; nil in the engine and in timers of the world.
    private(set) var current: Component?
    let foreignJobs = Atomic<Int>(0)
    private var timers = TimerHeap()
    private var stepsAtOnce = 0
    private var isStopped = false

    private let choices: Choices
    private let limits: RunLimits
    private let trace: Trace
    /// Told about escapes and hot loops.
    var onTripwire: (_ component: String, _ message: String) -> Void = { _, _ in }

    init(choices: Choices, limits: RunLimits, trace: Trace) {
        self.choices = choices
        self.limits = limits
        self.trace = trace
    }

    var isOnItsThread: Bool {
        csimulation_current() == UnsafeMutableRawPointer(Unmanaged.passUnretained(self).toOpaque())
    }

    // MARK: - Components

    func add(_ component: Component) { components.append(component) }

    /// The label of whoever runs, `-` for the engine.
    package var currentLabel: String { current?.label ?? "-" }

    func start(_ component: Component, _ context: ComponentContext) {
        let executor = component.beginIncarnation(scheduler: self)
        nonisolated(unsafe) let body = component.body

        Task(executorPreference: executor) {
            await body(context)
            context.ended()
        }
    }

    // MARK: - Timers

    /// Calls `action` at `time`, or at once after the running job when it has passed.
    @discardableResult
    package func schedule(at time: MonotonicTime, _ action: @escaping () -> Void) -> TimerToken {
        timers.insert(at: max(time, now), action)
    }

    package func cancel(_ token: TimerToken) { timers.cancel(token) }

    // MARK: - Running

    /// Ends the run after the running job.
    package func stop() { isStopped = true }

    /// Runs until the time is over, nothing is left to do or somebody stops it. On the thread that
    /// entered the simulation.
    func run() {
        let end = MonotonicTime(nanoseconds: 0).advanced(by: limits.duration)
        while !isStopped {
            guard steps < limits.stepsMax else {
                onTripwire(currentLabel, "hot loop: \(steps) steps within one run")
                return
            }
            if runOneJob() { continue }
            findLostComponents()
            guard !isStopped, let next = timers.earliest else { return }
            guard next <= end else {
                now = end
                return
            }
            if next > now { stepsAtOnce = 0 }
            now = next
            guard let action = timers.takeEarliest() else { return }
            step()
            action()
        }
    }

    /// - Returns: false when nothing is runnable.
    private func runOneJob() -> Bool {
        var runnable: [Component] = []
        for component in components where component.executor.isRunnable {
            runnable.append(component)
        }
        guard !runnable.isEmpty else { return false }
        let component = runnable[choices.draw(below: runnable.count, label: "schedule")]
        let executor = component.executor
        let job = executor.take(at: choices.draw(below: executor.jobs.count, label: "schedule"))
        step()
        guard stepsAtOnce < limits.stepsAtOnceMax else {
            stop()
            onTripwire(component.label, "hot loop: \(stepsAtOnce) steps without time passing")
            return true
        }
        current = component
        csimulation_component_runs(true)
        job.runSynchronously(on: executor.asUnownedTaskExecutor())
        csimulation_component_runs(false)
        checkAmbientCalls(of: component)
        current = nil
        return true
    }

    private func step() {
        steps += 1
        stepsAtOnce += 1
        trace.mix(now.nanoseconds)
    }

    // MARK: - The tripwire

    /// A job that the component handed to the global executor; it is run in the component's queue
    /// so that the run can end.
    func takeEscaped(_ job: UnownedJob) {
        onTripwire(
            currentLabel,
            "a job escaped to the global executor (Task { }, Task.detached, an "
                + "actor outside the component)")
        guard let current else { return }
        current.executor.enqueue(ExecutorJob(job))
    }

    private func checkAmbientCalls(of component: Component) {
        if let call = csimulation_take_ambient_call() {
            onTripwire(
                component.label,
                "asked for a real clock or real randomness: "
                    + String(cString: call))
        }
        if foreignJobs.exchange(0, ordering: .relaxed) > 0 || csimulation_foreign_jobs() > 0 {
            onTripwire(component.label, "a job came from another thread")
        }
    }

    /// Nothing is runnable: who has not ended must wait for the engine, or waits for something
    /// outside (Task.sleep, a foreign continuation).
    private func findLostComponents() {
        for component in components
        where component.state == .running && component.executor.openWaits == 0 {
            onTripwire(
                component.label,
                "waits for something outside the simulation (Task.sleep, a "
                    + "foreign continuation)")
        }
    }

    /// Lets go of what a finished run holds.
    func forget() {
        timers = TimerHeap()
        for component in components { component.executor.forget() }
        components = []
        onTripwire = { _, _ in }
    }
}
