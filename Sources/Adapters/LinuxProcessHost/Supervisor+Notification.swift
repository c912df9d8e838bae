// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
internal import Ports

/// The listener's side: under `notified` every exec comes through here.
extension Supervisor {
    /// Takes one notification from the listener.
    func receiveNotification() {
        var notification = clinux_notification()
        guard clinux_notification_receive(listener, &notification) == 0 else { return }
        pending.append(notification)
    }

    /// Takes what is there, however busy this thread is with another exec.
    func takeWaitingNotifications() {
        guard follow != .attached else { return }
        var listening = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        while poll(&listening, 1, 0) > 0, listening.revents & Int16(POLLIN) != 0 {
            receiveNotification()
        }
    }

    func servePending() -> Bool {
        guard !pending.isEmpty else { return false }
        while !pending.isEmpty { serve(pending.removeFirst()) }
        return true
    }

    private func serve(_ notification: clinux_notification) {
        counters.notifications += 1
        // Nobody is expected to ask for a descriptor now: the kernel's own answer.
        guard !isHandOver(notification) else {
            _ = clinux_notification_answer(listener, notification.id, -EFAULT)
            return
        }
        do throws(StepFailure) {
            if tasks[notification.task] == nil {
                try beginExec(notification)
            } else {
                try continueExec(notification)
            }
        } catch {
            // A caller that died meanwhile is no failure.
            if error.errorNumber != ESRCH {
                killProcess(of: notification.task, because: error)
            }
            _ = clinux_notification_answer(listener, notification.id, -EPERM)
        }
    }

    /// Seizes the caller and takes its exec back: it will be issued again with an environment
    /// of ours.
    private func beginExec(_ notification: clinux_notification) throws(StepFailure) {
        let tracee = Tracee(task: notification.task)
        guard let process = ProcessStatus.group(of: notification.task) else { return }
        try take(.seizeCaller) {
            let seized = tracee.seize(options: Self.notifiedOptions)
            // A dying caller answers EPERM until it is reaped (ptrace_attach, kernel/ptrace.c),
            // and has taken its notification with it: there is no exec left to deliver to.
            let isGone = seized == -Int(EPERM) && !isWaiting(notification)
            return isGone ? -Int(ESRCH) : seized
        }
        tasks[notification.task] = TracedTask(
            machine: TaskStateMachine(phase: .interrupting), process: process,
            space: setUpSpace, exec: nil)
        try take(.interruptCaller) { tracee.interrupt() }
        // Was it the caller that was seized, or another task with its number? Another one is
        // let go at its stop, since it is in no exec of ours.
        guard isWaiting(notification) else { return }
        // Where the wait is killable only, the caller leaves it by this answer; else the
        // interruption has had the same effect, and nobody waits for the answer.
        _ = clinux_notification_answer(listener, notification.id, -Self.restartError)
    }

    /// Whether the caller of this very exec still waits for the answer.
    private func isWaiting(_ notification: clinux_notification) -> Bool {
        clinux_notification_valid(listener, notification.id) == 0
    }

    /// ERESTARTSYS (linux/errno.h): never seen by programs, the kernel issues the call again.
    static let restartError: Int32 = 512

    /// Whether the stopped task will issue its exec again.
    func isRestartingExec(_ registers: Registers) -> Bool {
        let number = Int32(truncatingIfNeeded: registers.orig_rax)
        return registers.rax == UInt64(bitPattern: Int64(-Self.restartError))
            && (number == SystemCallNumber.execve || number == SystemCallNumber.execveat)
    }

    /// The second time, or the program's first exec: let through.
    private func continueExec(_ notification: clinux_notification) throws(StepFailure) {
        guard let known = tasks[notification.task] else { return }
        switch known.machine.phase {
        case .launching:
            tasks[notification.task]?.machine.execPrepared(restarts: false)
        case .executing: break
        case .interrupting:
            // Its wait was interrupted, and it came again before its stop: take it back anew.
            _ = clinux_notification_answer(listener, notification.id, -Self.restartError)
            return
        case .created, .running, .restarting:
            throw StepFailure(step: .continueExec, errorNumber: EPROTO)
        }
        try take(.continueExec) {
            let answered = Int(clinux_notification_answer(listener, notification.id, 0))
            // The caller was interrupted: its next stop tells.
            return answered == -Int(ENOENT) ? 0 : answered
        }
    }
}
