// SPDX-License-Identifier: Apache-2.0

/// What the supervisor knows about where one task is, and what to do at its next stop.
///
/// No I/O: the supervisor feeds stops and carries out the actions.
struct TaskStateMachine: Equatable {
    enum Phase: Equatable {
        /// Attached by its creator's fork or clone; its first stop has not been handled.
        case created
        case running
        /// Set up by us and about to execute the program: its environment is ours.
        case launching
        /// Seized at a notification, to be stopped (notified).
        case interrupting
        /// Its exec was taken back and will be issued again (notified).
        case restarting
        /// In an exec that was let through.
        case executing
    }

    enum Action: Equatable {
        /// Go on; at the next system-call stop too when `toSystemCall`.
        case resume(signal: Int32, toSystemCall: Bool)
        /// Stay in the group-stop, as job control asks.
        case listen
        /// First stop of a task that a traced task created.
        case adopt
        /// Tell who was created, and go on.
        case recordCreation(Stop)
        /// Look at the environment of an exec and let it through.
        case prepareExec
        /// Let the program's first exec through: its environment is ours.
        case launch
        /// Give the new image its values.
        case deliver
        /// The kernel refused the exec.
        case execFailed
        /// Forget the task.
        case ended(Stop)
        /// Nothing of the kind may happen here: kill it.
        case violation
    }

    private(set) var phase: Phase

    init(phase: Phase) { self.phase = phase }

    /// The exec's environment is in order; the next stop tells how it went.
    mutating func execPrepared(restarts: Bool) { phase = restarts ? .restarting : .executing }

    /// Its creator and its memory are known.
    mutating func adopted() { phase = .running }

    /// The exec will not happen, or is over.
    mutating func execEnded() { phase = .running }

    /// Whether the stop has nothing to do with an exec.
    func isBetweenExecs(at stop: Stop) -> Bool {
        guard phase == .running || phase == .created, !stop.isEnd else { return false }
        return stop != .seccomp
    }

    mutating func handle(_ stop: Stop) -> Action {
        switch stop {
        case .exited, .killed: return .ended(stop)
        case .groupStop: return .listen
        case .fork, .vfork, .clone: return .recordCreation(stop)
        case .signal(let signal):
            return .resume(signal: signal, toSystemCall: isInExec)
        case .trap: return handleTrap()
        case .seccomp: return handleSeccomp()
        case .exec:
            // An image without a prepared environment cannot be: every exec is trapped.
            guard phase == .executing else { return .violation }
            return .deliver
        case .systemCall: return handleSystemCall()
        case .vforkDone, .unknown: return .resume(signal: 0, toSystemCall: isInExec)
        }
    }

    private var isInExec: Bool { phase == .executing || phase == .restarting }

    private mutating func handleTrap() -> Action {
        switch phase {
        case .created: return .adopt
        case .interrupting: return .prepareExec
        case .launching, .running: return .resume(signal: 0, toSystemCall: false)
        case .restarting, .executing: return .resume(signal: 0, toSystemCall: true)
        }
    }

    private mutating func handleSeccomp() -> Action {
        switch phase {
        case .running: return .prepareExec
        case .launching: return .launch
        case .created, .interrupting, .restarting, .executing: return .violation
        }
    }

    private mutating func handleSystemCall() -> Action {
        switch phase {
        case .restarting:
            phase = .executing
            return .resume(signal: 0, toSystemCall: true)
        case .executing: return .execFailed
        case .created, .launching, .running, .interrupting:
            return .resume(signal: 0, toSystemCall: false)
        }
    }
}
