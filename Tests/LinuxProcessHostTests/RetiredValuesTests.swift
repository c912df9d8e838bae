// SPDX-License-Identifier: Apache-2.0
import CLinux
import Delivery
import Glibc
import Ports
import SecretMemory
import Testing

@testable import LinuxProcessHost

private func hasSecretMemory() -> Bool {
    let descriptor = clinux_memfd_secret(UInt32(O_CLOEXEC))
    if descriptor >= 0 { close(descriptor) }
    return descriptor >= 0
}

@Suite("Values that were replaced", .enabled(if: hasSecretMemory(), "needs memfd_secret"))
struct RetiredValuesTests {
    private func values(_ value: String) throws -> DeliveredValues {
        var image = try DeliveryImage(minimumTier: .ordinary)
        try image.append(name: "NAME", value: Array(value.utf8).span.bytes)
        return try DeliveredValues(image)
    }

    private func knows(_ retired: RetiredValues, _ value: String) -> Bool {
        let text = Array("NAME=\(value)".utf8) + [0]
        return text.withUnsafeBytes { bytes in
            retired.contains(entry: 0) { position, count in
                let end = min(count, bytes.count)
                guard position < end else { return nil }
                return UnsafeRawBufferPointer(rebasing: bytes[position..<end])
            }
        }
    }

    @Test("As many as the limit are remembered; with one more the oldest is forgotten")
    func limit() throws {
        let retired = try RetiredValues()
        for number in 0..<RetiredValues.countMax { retired.add(try values("value-\(number)")) }
        for number in 0..<RetiredValues.countMax { #expect(knows(retired, "value-\(number)")) }
        #expect(!knows(retired, "value-\(RetiredValues.countMax)"))
        retired.add(try values("value-\(RetiredValues.countMax)"))
        #expect(!knows(retired, "value-0"))
        for number in 1...RetiredValues.countMax { #expect(knows(retired, "value-\(number)")) }
    }

    @Test("A prefix, a longer value and an empty one are not taken for a value")
    func others() throws {
        let retired = try RetiredValues()
        retired.add(try values("value"))
        retired.add(try values(""))
        #expect(knows(retired, "value"))
        for other in ["valu", "values", ""] { #expect(!knows(retired, other)) }
    }
}

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
            // Control: SIGQUIT is ignored so far.
            kill(getpid(), SIGQUIT)
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
