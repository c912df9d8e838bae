// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Keeps a signal that a system call sends to its own thread from ending the program: SIGPIPE for
/// a reader that is gone, SIGXFSZ for a file at its limit. The error number says the same.
func withBlockedSignal<Result>(_ signal: Int32, _ body: () -> Result) -> Result {
    var only = sigset_t()
    var before = sigset_t()
    var pending = sigset_t()
    sigemptyset(&only)
    sigaddset(&only, signal)
    sigpending(&pending)
    let wasPending = sigismember(&pending, signal) == 1
    guard pthread_sigmask(SIG_BLOCK, &only, &before) == 0 else { return body() }
    let result = body()
    let errorNumber = errno
    if !wasPending {
        var none = timespec()
        sigtimedwait(&only, nil, &none)
    }
    pthread_sigmask(SIG_SETMASK, &before, nil)
    errno = errorNumber
    return result
}
