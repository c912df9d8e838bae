// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

@testable import LinuxProcessHost

@Suite("Which signals are passed on")
struct SignalSetTests {
    private static let userCode: Int32 = 0

    @Test(
        "With a terminal, what the kernel sends to the whole group is the program's already",
        arguments: [SIGINT, SIGQUIT, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU])
    func fromTerminal(signal: Int32) {
        let kernel = SignalSet.kernelCode
        #expect(SignalSet.judge(signal, code: kernel, sharesTerminal: true).isProgramsToo)
        // Control: from a process, or without a terminal, it is this process's alone.
        #expect(!SignalSet.judge(signal, code: Self.userCode, sharesTerminal: true).isProgramsToo)
        #expect(!SignalSet.judge(signal, code: kernel, sharesTerminal: false).isProgramsToo)
    }

    @Test("What the terminal sends to the session's leader alone is passed on")
    func hangUp() {
        for signal in [SIGHUP, SIGCONT, SIGTERM] {
            let received = SignalSet.judge(
                signal, code: SignalSet.kernelCode, sharesTerminal: true)
            #expect(!received.isProgramsToo && !received.stopsGroup)
        }
    }

    @Test(
        "Job control stops this process too, and only where there is a terminal",
        arguments: [SIGTSTP, SIGTTIN, SIGTTOU])
    func stopping(signal: Int32) {
        for code in [SignalSet.kernelCode, Self.userCode] {
            #expect(SignalSet.judge(signal, code: code, sharesTerminal: true).stopsGroup)
            #expect(!SignalSet.judge(signal, code: code, sharesTerminal: false).stopsGroup)
        }
    }
}
