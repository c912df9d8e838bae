// SPDX-License-Identifier: Apache-2.0
internal import CSimulationHooks
internal import Synchronization

/// A part of the system that can crash and come back on its own: a wrapper, an agent, a client.
///
/// It has one incarnation at a time, and each incarnation has a queue of its own. A crash means
/// that the queue is never drained again: no `defer` runs and no cancellation handler. What the
/// fakes keep is all that the next incarnation finds.
package final class Component: @unchecked Sendable {
    package enum State: Sendable, Equatable { case running, paused, ended, crashed }

    package let name: String
    /// From 1, raised by each restart.
    package private(set) var incarnation = 0
    package internal(set) var state = State.ended
    let body: (ComponentContext) async -> Void
    private(set) var executor: ComponentExecutor

    init(name: String, scheduler: Scheduler, body: @escaping (ComponentContext) async -> Void) {
        self.name = name
        self.body = body
        executor = ComponentExecutor(scheduler: scheduler)
        executor.component = self
    }

    /// `wrapper#2`
    package var label: String { "\(name)#\(incarnation)" }

    /// A new queue, so that what the last incarnation left cannot reach this one.
    func beginIncarnation(scheduler: Scheduler) -> ComponentExecutor {
        executor.isFrozen = true
        executor.forget()
        executor = ComponentExecutor(scheduler: scheduler)
        executor.component = self
        incarnation += 1
        state = .running
        return executor
    }
}

/// The queue of one incarnation. Swift's runtime hands it every job of the component's tasks,
/// child tasks and default actors.
final class ComponentExecutor: TaskExecutor, @unchecked Sendable {
    unowned let scheduler: Scheduler
    weak var component: Component?
    private(set) var jobs: [UnownedJob] = []
    /// Waits of the engine's own kind (sleeps, mailboxes) that are still open.
    var openWaits = 0
    /// A crashed or replaced incarnation: its jobs are dropped.
    var isFrozen = false

    init(scheduler: Scheduler) { self.scheduler = scheduler }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        guard scheduler.isOnItsThread else {
            // Another thread may not touch the queue; that it came here is the finding.
            scheduler.foreignJobs.add(1, ordering: .relaxed)
            return
        }
        guard !isFrozen else { return }
        jobs.append(job)
    }

    var isRunnable: Bool { !jobs.isEmpty && !isFrozen && component?.state != .paused }

    func take(at index: Int) -> UnownedJob { jobs.remove(at: index) }

    func forget() { jobs = [] }
}
