// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// A stopped task that is made to issue system calls of ours.
struct Injection {
    let tracee: Tracee
    /// Registers to start from, and to go back to.
    let base: Registers
    /// Address of a `syscall` instruction.
    let instruction: UInt64
}

extension Supervisor {
    /// Lets the task issue one system call and stops it at the call's exit.
    ///
    /// The task is in any ptrace stop but a system call's entry. Its signals are held by the
    /// caller. Returns the call's result; -ESRCH when the task died.
    func inject(_ injection: Injection, _ number: Int, _ arguments: UInt64...) -> Int {
        let entered = enter(injection, number, arguments)
        guard entered >= 0 else { return entered }
        return leave(injection)
    }

    /// Up to the call's entry stop.
    func enter(_ injection: Injection, _ number: Int, _ arguments: [UInt64]) -> Int {
        var registers = injection.base
        let padded = arguments + [UInt64](repeating: 0, count: 6 - arguments.count)
        registers.rip = injection.instruction
        registers.rax = UInt64(number)
        (registers.rdi, registers.rsi, registers.rdx) = (padded[0], padded[1], padded[2])
        (registers.r10, registers.r8, registers.r9) = (padded[3], padded[4], padded[5])
        // Not in a system call as far as restarting goes.
        registers.orig_rax = UInt64(bitPattern: -1)
        let set = injection.tracee.setRegisters(registers)
        guard set >= 0 else { return set }
        return runToSystemCallStop(injection.tracee)
    }

    /// From the entry stop to the exit stop; the call's result.
    func leave(_ injection: Injection) -> Int {
        let stopped = runToSystemCallStop(injection.tracee)
        guard stopped >= 0 else { return stopped }
        return result(injection.tracee)
    }

    /// rax of a task at a call's exit.
    func result(_ tracee: Tracee) -> Int {
        var registers = Registers()
        let got = tracee.registers(into: &registers)
        guard got >= 0 else { return got }
        return Int(Int64(bitPattern: registers.rax))
    }

    /// Resumes the task up to its next system-call stop.
    func runToSystemCallStop(_ tracee: Tracee) -> Int {
        let resumed = tracee.resume(signal: 0, toSystemCall: true)
        guard resumed >= 0 else { return resumed }
        return awaitSystemCallStop(tracee)
    }

    /// Waits for this one task. Everything that blocks it here ends by itself or by its death.
    func awaitSystemCallStop(_ tracee: Tracee) -> Int {
        while true {
            var status: Int32 = 0
            let waited = waitpid(tracee.task, &status, waitAllTasks)
            if waited < 0 {
                if errno == EINTR { continue }
                return -Int(errno)
            }
            let stop = Stop(status: status)
            if let outcome = judge(stop, of: tracee) { return outcome }
        }
    }

    /// 0 at the stop waited for, -errno when it cannot come, nil to wait on.
    func judge(_ stop: Stop, of tracee: Tracee) -> Int? {
        counters.stops["injected", default: 0] += 1
        switch stop {
        case .systemCall: return 0
        case .exited, .killed:
            taskEnded(tracee.task, stop)
            return -Int(ESRCH)
        case .signal(let signal):
            // Only SIGSTOP passes the held mask; it is sent again once the image runs.
            deferredSignals[tracee.task, default: []].append(signal)
            return resumeToStop(tracee)
        case .trap, .groupStop:
            return resumeToStop(tracee)
        default:
            return -Int(EPROTO)
        }
    }

    private func resumeToStop(_ tracee: Tracee) -> Int? {
        let resumed = tracee.resume(signal: 0, toSystemCall: true)
        return resumed < 0 ? resumed : nil
    }

    /// Puts a copy of `descriptor` into the task as the result of a call that only the filter
    /// answers. Returns the descriptor's number in the task.
    ///
    /// A SIGSTOP, which no mask holds, interrupts the wait for the answer: then again.
    func handOver(_ descriptor: Int32, to injection: Injection) -> Int {
        for _ in 0..<Self.handOverAttempts {
            let answered = attemptHandOver(descriptor, to: injection)
            if answered != -Int(EINTR) { return answered }
        }
        return -Int(EINTR)
    }

    private func attemptHandOver(_ descriptor: Int32, to injection: Injection) -> Int {
        let entered = enter(
            injection, Int(SystemCallNumber.execve), [SystemCallFilter.handOverAddress])
        guard entered >= 0 else { return entered }
        let resumed = injection.tracee.resume(signal: 0, toSystemCall: true)
        guard resumed >= 0 else { return resumed }
        let answered = answerHandOver(descriptor, to: injection.tracee)
        if answered == -Int(ENOENT) {
            // Interrupted after it had asked; its call ends without an answer.
            let stopped = awaitSystemCallStop(injection.tracee)
            return stopped < 0 ? stopped : -Int(EINTR)
        }
        guard answered >= 0 else { return answered }
        let stopped = awaitSystemCallStop(injection.tracee)
        return stopped < 0 ? stopped : result(injection.tracee)
    }

    private func answerHandOver(_ descriptor: Int32, to tracee: Tracee) -> Int {
        for _ in 0..<Self.handOverPolls {
            var poll = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
            guard Glibc.poll(&poll, 1, Self.handOverPollMilliseconds) > 0 else {
                var status: Int32 = 0
                let options = WNOHANG | waitAllTasks
                guard waitpid(tracee.task, &status, options) == tracee.task else { continue }
                // It did not come to ask: it died, or was interrupted.
                if let outcome = judge(Stop(status: status), of: tracee) {
                    return outcome < 0 ? outcome : -Int(EINTR)
                }
                continue
            }
            var notification = clinux_notification()
            guard clinux_notification_receive(listener, &notification) == 0 else { continue }
            guard notification.task == tracee.task, isHandOver(notification) else {
                pending.append(notification)
                continue
            }
            return Int(
                clinux_notification_send_descriptor(listener, notification.id, descriptor))
        }
        return -Int(ETIMEDOUT)
    }

    private static let handOverAttempts = 16
    /// Together ten seconds.
    private static let handOverPolls = 200
    private static let handOverPollMilliseconds: Int32 = 50

    func isHandOver(_ notification: clinux_notification) -> Bool {
        notification.number == SystemCallNumber.execve
            && notification.arguments.0 == SystemCallFilter.handOverAddress
    }
}

/// x86-64 system call numbers (asm/unistd_64.h).
enum SystemCallNumber {
    static let close: Int32 = 3
    static let mmap: Int32 = 9
    static let mprotect: Int32 = 10
    static let rtSigprocmask: Int32 = 14
    static let mremap: Int32 = 25
    static let getpid: Int32 = 39
    static let clone: Int32 = 56
    static let fork: Int32 = 57
    static let vfork: Int32 = 58
    static let execve: Int32 = 59
    static let prctl: Int32 = 157
    static let execveat: Int32 = 322
    static let clone3: Int32 = 435
}
