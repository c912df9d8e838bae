// SPDX-License-Identifier: Apache-2.0
internal import Delivery
import Glibc
internal import Ports

/// A program that was started and what is followed of its tree. Used on the thread that started
/// it only: ptrace, PTRACE_O_EXITKILL and PR_SET_PDEATHSIG all belong to that thread.
protocol ProgramTree: AnyObject {
    var program: pid_t { get }
    /// Whether the program's first image is there, with its values.
    var isLaunched: Bool { get }
    var programEnd: ChildExit? { get }
    /// To be waited for; negative ones are not there.
    var listener: Int32 { get }
    var keeperDescriptor: Int32 { get }
    func owns(_ task: pid_t) -> Bool
    /// Whether a process of the tree is known under this number.
    func knows(process: pid_t) -> Bool
    func handle(_ task: pid_t, _ stop: Stop)
    /// Takes one notification from the listener.
    func receiveNotification()
    /// Takes what the listener has, however busy this thread is with an exec.
    func takeWaitingNotifications()
    /// Serves what was taken. True when there was something.
    func servePending() -> Bool
    func hearKeeper()
    /// Later execs get these.
    func replaceValues(_ values: DeliveredValues) throws(ProcessHostFailure)
    /// The program has ended: ends what is followed, and tells how.
    func finish() throws(ProcessHostFailure) -> ChildExit
    /// Kills the program and waits for it: it may not run.
    func abandon()
}

/// The trees of one thread, and what the kernel tells of tasks that none of them knows yet.
final class TreeHub {
    var trees: [any ProgramTree] = []
    /// First stops of tasks whose creator has not told us about them yet.
    var early: Set<pid_t> = []
    var counters = SupervisorCounters()
    /// Where the area of each image is put.
    let areaBase: UInt64
    /// Gets each delivery that failed for a process other than the program.
    var deliveryFailed: (FailedDelivery) -> Void = { _ in }

    init(areaBase: UInt64) { self.areaBase = areaBase }

    private var isAnyOver: Bool { trees.contains { $0.programEnd != nil } }

    /// Handles every stop and end that is there, until a program has ended.
    ///
    /// Without __WNOTHREAD: the kernel gives orphans to the first thread of the subreaper, which
    /// is not this one (find_alive_thread, kernel/exit.c). No other thread waits for children
    /// while this one does.
    func drain() {
        while !isAnyOver {
            for tree in trees { tree.takeWaitingNotifications() }
            var status: Int32 = 0
            let task = waitpid(-1, &status, WNOHANG | waitAllTasks)
            guard task > 0 else { return }
            route(task, Stop(status: status))
        }
    }

    /// Waits for one stop or end, for a tree that is being killed; false when none can come.
    func drainOne(for tree: any ProgramTree) -> Bool {
        if tree.keeperDescriptor >= 0 {
            tree.hearKeeper()
            return tree.programEnd == nil
        }
        var status: Int32 = 0
        let task = waitpid(-1, &status, waitAllTasks)
        if task > 0 { route(task, Stop(status: status)) }
        return task > 0 || errno == EINTR
    }

    func route(_ task: pid_t, _ stop: Stop) {
        if let tree = owner(of: task, stop) {
            tree.handle(task, stop)
            return
        }
        switch stop {
        case .exited, .killed:
            early.remove(task)
            counters.orphansReaped += 1
        case .trap: early.insert(task)
        default:
            // A group-stop may come first; any other stop of a stranger is let pass.
            if case .groupStop = stop { early.insert(task) }
        }
    }

    func owner(of task: pid_t, _ stop: Stop) -> (any ProgramTree)? {
        if let tree = trees.first(where: { $0.owns(task) }) { return tree }
        // A thread that execs takes its leader's place.
        var former: UInt = 0
        guard stop == .exec, Tracee(task: task).eventMessage(into: &former) >= 0 else { return nil }
        return trees.first { $0.owns(pid_t(former)) }
    }

    /// Whether a process of any tree created the task.
    func isChildOfKnownProcess(_ task: pid_t) -> Bool {
        guard let parent = ProcessStatus.parent(of: task) else { return false }
        return trees.contains { $0.knows(process: parent) }
    }

    /// Whether a process of another tree created the task.
    func isOfOtherTree(_ task: pid_t, than tree: any ProgramTree) -> Bool {
        guard let parent = ProcessStatus.parent(of: task) else { return false }
        return trees.contains { $0 !== tree && $0.knows(process: parent) }
    }
}
