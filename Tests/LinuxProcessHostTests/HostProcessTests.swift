// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import Ports
import SecretMemory
import Testing

@testable import LinuxProcessHost

@Suite("What a host tells its caller") struct HostMailboxTests {
    @Test("So many failed deliveries wait and no more; the program's end always does")
    func limit() throws {
        let mailbox = try HostMailbox()
        let failed = FailedDelivery(
            process: 7, step: "create-region", errorNumber: ENOMEM, isMemoryExhausted: true)
        for _ in 0..<HostMailbox.waitingFailuresMax { #expect(mailbox.tell(failed)) }
        #expect(!mailbox.tell(failed))
        mailbox.tell(.event(.programEnded(.exited(code: 0))))
        for _ in 0..<HostMailbox.waitingFailuresMax {
            guard case .event(.deliveryFailed(failed)) = mailbox.takeNews() else {
                Issue.record("the order was lost")
                return
            }
        }
        #expect(mailbox.takeNews()?.endsProgram == true)
        #expect(mailbox.takeNews() == nil)
        #expect(mailbox.tell(failed))
    }
}

@Suite("The program's limit of locked memory") struct ProgramLockLimitTests {
    @Test(
        "is its own and the room for what it is given, up to the hard one",
        arguments: [
            (0, 0, 8192, 0), (0, 100_000, 8192, 8192), (65_536, 73_728, 8192, 73_728),
            (65_536, 73_727, 8192, 73_727), (65_536, 65_536, 8192, 65_536),
            (65_536, 100_000, 0, 65_536), (65_536, .max, 8192, 73_728),
            (.max, .max, 8192, .max), (.max, .max, 0, .max), (.max - 1, .max, 8192, .max),
        ] as [(UInt64, UInt64, Int, UInt64)])
    func softLimit(soft: UInt64, hard: UInt64, shared: Int, expected: UInt64) {
        let own = MemoryLockLimit(softBytes: soft, hardBytes: hard)
        #expect(ChildStart.softLockLimit(own, sharing: shared) == expected)
    }
}

@Suite("The process of a host") struct HostProcessTests {
    @Test("A request to stop before the first program interrupts, until it was told")
    func interrupt() async {
        await #expect(processExitsWith: .success) {
            var host = try LinuxProcessHost(readyWith: LinuxProcessHost.Options())
            func isReadable() -> Bool {
                var entry = pollfd(fd: host.interruptDescriptor, events: Int16(POLLIN), revents: 0)
                return poll(&entry, 1, 0) == 1
            }
            guard !isReadable() else { exit(1) }
            // To this thread: others of this process do not block it.
            pthread_kill(pthread_self(), SIGTERM)
            guard isReadable() else { exit(2) }
            guard try host.next(until: nil) == .stopRequested(signal: SIGTERM) else { exit(3) }
            exit(isReadable() ? 4 : 0)
        }
    }

    @Test("Signals that would print a backtrace get their default action, inherited as it may be")
    func hardening() async {
        let signals: [Int32] = [SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGBUS, SIGSEGV]
        await #expect(processExitsWith: .success) { [signals = signals as [Int32]] in
            for number in signals { signal(number, SIG_IGN) }
            // Control: SIGQUIT is ignored so far. One that is blocked, as whoever started this may
            // have it, would wait for its new action instead.
            var none = sigset_t()
            sigemptyset(&none)
            pthread_sigmask(SIG_SETMASK, &none, nil)
            pthread_kill(pthread_self(), SIGQUIT)
            try ProcessHardening.applyBeforeSecrets()
            for number in signals {
                var action = sigaction()
                sigaction(number, nil, &action)
                guard action.__sigaction_handler.sa_handler == nil else { exit(1) }
            }
            exit(clinux_prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 2)
        }
        await #expect(processExitsWith: .signal(SIGQUIT)) {
            signal(SIGQUIT, SIG_IGN)
            try ProcessHardening.applyBeforeSecrets()
            kill(getpid(), SIGQUIT)
            sleep(10)
        }
    }
}
