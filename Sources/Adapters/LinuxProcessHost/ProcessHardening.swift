// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
package import Ports

/// What the wrapper does to itself before the first byte of a secret arrives.
package enum ProcessHardening {
    /// Makes this process undumpable, which keeps core dumps away and other processes of the same
    /// user out of its memory (PR_SET_DUMPABLE(2const)); gives up every way to gain privileges
    /// (PR_SET_NO_NEW_PRIVS(2const)).
    ///
    /// Also takes the crash handlers of the Swift runtime away: its backtrace prints the memory
    /// that registers point at, and SWIFT_BACKTRACE in the environment can switch it on.
    package static func applyBeforeSecrets() throws(ProcessHostFailure) {
        for number in [SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGBUS, SIGSEGV] {
            signal(number, SIG_DFL)
        }
        try control("prctl(PR_SET_DUMPABLE)", PR_SET_DUMPABLE, 0)
        try control("prctl(PR_SET_NO_NEW_PRIVS)", PR_SET_NO_NEW_PRIVS, 1)
    }

    private static func control(
        _ name: String, _ operation: Int32, _ value: UInt
    ) throws(ProcessHostFailure) {
        let result = clinux_prctl(operation, value, 0, 0, 0)
        guard result >= 0 else { throw .systemCall(name, errorNumber: -result) }
    }
}
