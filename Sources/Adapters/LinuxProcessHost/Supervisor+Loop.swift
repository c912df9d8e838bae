// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
internal import Ports

/// __WALL: children of every kind.
let waitAllTasks: Int32 = 0x4000_0000

extension Supervisor {
    /// The keeper tells of the program's end; its own end must not leave the tree unguarded.
    func hearKeeper() {
        if let message = keeper?.read() {
            if message.process == program { programEnded(Stop(status: message.status)) }
            return
        }
        report("the keeper has died; the tree is killed")
        kill(program, SIGKILL)
        // Its children are ours now.
        _ = clinux_end_children()
        programEnd = programEnd ?? .signalled(signal: SIGKILL)
    }

    func owns(_ task: pid_t) -> Bool { tasks[task] != nil || task == program }

    func knows(process: pid_t) -> Bool { tasks.values.contains { $0.process == process } }

    /// Carries out what the task's state machine says.
    func handle(_ task: pid_t, _ stop: Stop) {
        counters.stops[stop.kind, default: 0] += 1
        if stop == .exec { followExec(task) }
        guard tasks[task] != nil else {
            // The program itself, between two execs under `notified`.
            if stop.isEnd { programEnded(stop) }
            return
        }
        let lowered = tasks[task].flatMap { $0.space.lowering == task ? $0.space : nil }
        if let lowered, continueLowering(lowered, task, stop) { return }
        if tasks[task]?.machine.isBetweenExecs(at: stop) == true {
            counters.stopsBetweenExecs += 1
        }
        guard let action = tasks[task]?.machine.handle(stop) else { return }
        perform(action, task)
        if let lowered { settleDumpable(lowered) }
    }

    private func perform(_ action: TaskStateMachine.Action, _ task: pid_t) {
        let tracee = Tracee(task: task)
        switch action {
        case .resume(let signal, let toSystemCall):
            _ = tracee.resume(signal: signal, toSystemCall: toSystemCall)
        case .listen: _ = tracee.listen()
        case .adopt: adopt(task)
        case .recordCreation(let stop): recordCreation(by: task, stop)
        case .prepareExec: prepareExec(task)
        case .launch: launch(task)
        case .deliver: deliver(task)
        case .execFailed: execFailed(task)
        case .ended(let stop): taskEnded(task, stop)
        case .violation:
            killProcess(
                of: task, because: StepFailure(step: .continueExec, errorNumber: EPROTO))
        }
    }

    /// A thread that execs takes its leader's place; the state belongs to the thread.
    private func followExec(_ leader: pid_t) {
        var message: UInt = 0
        guard Tracee(task: leader).eventMessage(into: &message) >= 0 else { return }
        let former = pid_t(message)
        guard former != leader, let state = tasks.removeValue(forKey: former) else { return }
        if let replaced = tasks[leader] {
            // Nobody tells of its end, which may have been in the midst of an exec of its own.
            replaced.space.members.remove(leader)
            replaced.space.slots.waiting.removeAll { $0 == leader }
            leaveRaised(replaced, leader)
            releaseSlot(of: replaced)
        }
        state.space.members.remove(former)
        tasks[leader] = state
    }

    /// Books a task's end.
    func taskEnded(_ task: pid_t, _ stop: Stop) {
        if task == program { programEnded(stop) }
        forget(task)
        guard case .killed = stop else { return }
        // Its fork may have been interrupted between the child's creation and the report. The
        // child has executed nothing: to end it is as if the fork had not happened.
        for child in hub.early where !hub.isChildOfKnownProcess(child) { kill(child, SIGKILL) }
    }

    private func programEnded(_ stop: Stop) {
        programEnd = ChildExit(stop) ?? programEnd
    }

    /// Removes every trace of the task.
    func forget(_ task: pid_t) {
        deferredSignals[task] = nil
        guard let known = tasks.removeValue(forKey: task) else { return }
        known.space.members.remove(task)
        known.space.slots.waiting.removeAll { $0 == task }
        leaveRaised(known, task)
        releaseSlot(of: known)
    }

    /// The program has ended: nothing of its tree outlives the supervisor.
    ///
    /// A traced task is its tracer's to reap before its parent's: the keeper waits for us. The
    /// kernel tells of a leader's end only after all its threads were reaped, and some of them
    /// may not have been heard of yet: whoever ends first is taken first.
    func killTree() {
        for process in Set(tasks.values.map(\.process)) { kill(process, SIGKILL) }
        // Of another tree only if its creator has not told yet; then it is let be.
        let mine = hub.early.filter { !hub.isOfOtherTree($0, than: self) }
        for task in mine { kill(task, SIGKILL) }
        var rest = mine.union(tasks.keys)
        while !rest.isEmpty {
            var status: Int32 = 0
            let task = waitpid(-1, &status, waitAllTasks)
            if task < 0, errno == EINTR { continue }
            guard task > 0 else { return }
            let stop = Stop(status: status)
            if let other = hub.owner(of: task, stop), other !== self {
                other.handle(task, stop)
                continue
            }
            guard stop.isEnd else {
                kill(task, SIGKILL)
                continue
            }
            rest.remove(task)
            hub.early.remove(task)
            // A thread that was in an exec may have ended under its leader's number.
            rest = rest.filter { tasks[$0]?.process != task }
        }
    }

    /// Waits for the end of a killed task; a thread's may have been its leader's.
    func reap(_ task: pid_t) {
        var status: Int32 = 0
        while true {
            let waited = waitpid(task, &status, waitAllTasks)
            if waited < 0, errno == EINTR { continue }
            guard waited == task, !Stop(status: status).isEnd else { return }
        }
    }
}

extension Supervisor {
    /// The program's first exec: the environment is the one that was built for it.
    func launch(_ task: pid_t) {
        do throws(StepFailure) {
            tasks[task]?.machine.execPrepared(restarts: false)
            try take(.resumeExec) {
                Tracee(task: task).resume(signal: 0, toSystemCall: true)
            }
        } catch {
            killProcess(of: task, because: error)
        }
    }
}
