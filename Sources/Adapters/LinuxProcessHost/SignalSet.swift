// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
internal import Ports

/// The signals that are forwarded, blocked in this thread and in those that it creates, and read
/// from a descriptor.
struct SignalSet: Sendable {
    let descriptor: Int32
    /// Readable while a signal that asks to stop waits.
    let stopDescriptor: Int32
    /// What was blocked before, for the program.
    let before: sigset_t
    /// Whether SIGCHLD was ignored before; the program finds it so.
    let ignoresChildren: Bool
    /// Whether there is a terminal. The program then stays in this process's group: one of its
    /// own would have to take the terminal from the shell, from the rest of a pipeline, or from
    /// the script that goes on afterwards.
    let sharesTerminal: Bool

    /// Caused by this thread's own faults, or not to be caught: never forwarded.
    private static let excluded = [
        SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS,
    ]

    /// Ask this process to stop while there is no program that could be asked instead.
    static let stopping = [SIGTERM, SIGINT, SIGQUIT, SIGHUP]

    static func block() throws(ProcessHostFailure) -> SignalSet {
        var all = sigset_t()
        sigfillset(&all)
        for signal in excluded { sigdelset(&all, signal) }
        var before = sigset_t()
        let blocked = pthread_sigmask(SIG_BLOCK, &all, &before)
        guard blocked == 0 else { throw .systemCall("pthread_sigmask", errorNumber: blocked) }
        let descriptor = clinux_signal_descriptor(&all)
        guard descriptor >= 0 else {
            throw .systemCall("signalfd", errorNumber: -descriptor)
        }
        var asking = sigset_t()
        sigemptyset(&asking)
        for signal in stopping { sigaddset(&asking, signal) }
        let stopDescriptor = clinux_signal_descriptor(&asking)
        guard stopDescriptor >= 0 else {
            Glibc.close(descriptor)
            throw .systemCall("signalfd", errorNumber: -stopDescriptor)
        }
        let terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)
        if terminal >= 0 { Glibc.close(terminal) }
        return SignalSet(
            descriptor: descriptor, stopDescriptor: stopDescriptor, before: before,
            ignoresChildren: clinux_take_child_signal() == 1, sharesTerminal: terminal >= 0)
    }

    /// A signal that waited for this process.
    struct Received: Equatable {
        let signal: Int32
        /// The program has it already: the terminal signals the whole group.
        let isProgramsToo: Bool
        /// Job control stops the whole group, and the shell waits for this process to stop.
        let stopsGroup: Bool
    }

    /// Nil when none is there.
    func read() -> Received? {
        var code: Int32 = 0
        let signal = clinux_signal_read(descriptor, &code)
        guard signal > 0 else { return nil }
        return Self.judge(signal, code: code, sharesTerminal: sharesTerminal)
    }

    static func judge(_ signal: Int32, code: Int32, sharesTerminal: Bool) -> Received {
        let isFromKernel = code == kernelCode
        return Received(
            signal: signal,
            isProgramsToo: sharesTerminal && isFromKernel && ofTerminal.contains(signal),
            stopsGroup: sharesTerminal && jobControl.contains(signal))
    }

    /// SI_KERNEL (sigaction(2)).
    static let kernelCode: Int32 = 0x80
    private static let jobControl = [SIGTSTP, SIGTTIN, SIGTTOU]
    /// What the terminal sends to its foreground group. SIGHUP is not: it goes to the leader of
    /// the session.
    private static let ofTerminal = [SIGINT, SIGQUIT, SIGWINCH] + jobControl

    /// Stops this process as SIGTSTP does, until it is continued; not when nobody could do that
    /// (an orphaned group, the first process of a PID namespace).
    func stopAsJob() {
        var stop = sigset_t()
        sigemptyset(&stop)
        sigaddset(&stop, SIGTSTP)
        raise(SIGTSTP)
        pthread_sigmask(SIG_UNBLOCK, &stop, nil)
        pthread_sigmask(SIG_BLOCK, &stop, nil)
    }

    /// The next waiting signal that asks to stop, while no program runs; what else waits is of no
    /// use to anybody and is taken away. `SIGCHLD` tells that a process may wait to be reaped.
    func readStopRequest() -> Int32? {
        while let received = read() {
            if Self.stopping.contains(received.signal) { return received.signal }
        }
        return nil
    }

    /// The signals stay blocked: one that comes after the program's end, or was sent to the whole
    /// group and has ended the program, must not change how this process ends.
    func close() {
        Glibc.close(descriptor)
        Glibc.close(stopDescriptor)
    }
}
