// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
internal import Ports

/// The signals that are forwarded, blocked in this thread and read from a descriptor.
struct SignalSet {
    let descriptor: Int32
    /// What was blocked before, for the program and for afterwards.
    let before: sigset_t

    /// Caused by this thread's own faults, or not to be caught: never forwarded.
    private static let excluded = [
        SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS,
    ]

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
        return SignalSet(descriptor: descriptor, before: before)
    }

    func restore() {
        close(descriptor)
        var mask = before
        pthread_sigmask(SIG_SETMASK, &mask, nil)
    }
}
