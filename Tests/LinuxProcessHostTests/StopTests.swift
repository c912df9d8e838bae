// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

@testable import LinuxProcessHost

@Suite("What a wait status says")
struct StopTests {
    private func stopped(_ signal: Int32, event: Int32 = 0) -> Stop {
        Stop(status: event << 16 | signal << 8 | 0x7f)
    }

    @Test("Ends carry their code or signal")
    func ends() {
        #expect(Stop(status: 7 << 8) == .exited(code: 7))
        #expect(Stop(status: 9) == .killed(signal: 9))
        // With a core dump's bit.
        #expect(Stop(status: 11 | 0x80) == .killed(signal: 11))
    }

    @Test("A system call's stop is told from a delivered SIGTRAP")
    func systemCall() {
        #expect(stopped(SIGTRAP | 0x80) == .systemCall)
        #expect(stopped(SIGTRAP) == .signal(SIGTRAP))
    }

    @Test(
        "Events are told apart",
        arguments: [
            (1, Stop.fork), (2, .vfork), (3, .clone), (4, .exec), (5, .vforkDone), (7, .seccomp),
        ] as [(Int32, Stop)])
    func events(event: Int32, expected: Stop) {
        #expect(stopped(SIGTRAP, event: event) == expected)
    }

    @Test("A group-stop is told from an interruption")
    func groupStop() {
        #expect(stopped(SIGSTOP, event: 128) == .groupStop(signal: SIGSTOP))
        #expect(stopped(SIGTSTP, event: 128) == .groupStop(signal: SIGTSTP))
        #expect(stopped(SIGTRAP, event: 128) == .trap)
        #expect(stopped(SIGSTOP) == .signal(SIGSTOP))
    }
}
