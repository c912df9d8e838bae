// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Testing

/// Signals: who gets them, and what they do. Each case compares with a plain exec.
@Suite("Process duties: signals", .serialized)
struct SignalDutyTests {
    /// Everything that a process can be sent and can catch, but for those of its own faults.
    static let forwardable: [Int32] =
        [
            SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, 16, SIGCONT,
            SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH,
            SIGIO, 30,
        ] + [34, 35, 48, 63, 64]

    @Test("A signal reaches a program that waits for it", arguments: forwardable, Place.here)
    func forwarded(signal: Int32, place: Place) throws {
        try expectAsPlainExec(
            [DutyRun.probe, "await", "1"], place: place,
            meanwhile: {
                $0.awaitOutput("ready")
                $0.send(signal)
            }, control: { #expect($0.output == "ready\ngot \(signal)\n" && $0.status == 0) })
    }

    /// Those whose default action ends a process (signal(7)).
    static let ending: [Int32] = [
        SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, 16, SIGXCPU,
        SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO, 30, 34, 64,
    ]

    @Test(
        "A signal that the program does not catch ends it: 128 + n", arguments: ending, Place.here)
    func defaultAction(signal: Int32, place: Place) throws {
        try expectAsPlainExec(
            [DutyRun.probe, "linger"], place: place,
            meanwhile: {
                $0.awaitOutput("ready")
                $0.send(signal)
            }, control: { #expect($0.status == 128 + signal) })
    }

    /// Its own doing, faults included.
    static let ownDeaths: [Int32] = [
        SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGKILL, SIGTERM, SIGINT, 40,
    ]

    @Test("A program that dies by a signal of its own: 128 + n", arguments: ownDeaths, Place.here)
    func dies(signal: Int32, place: Place) throws {
        try expectAsPlainExec(
            [DutyRun.probe, "die", String(signal)], place: place,
            control: { #expect($0.status == 128 + signal) })
    }

    @Test(
        "A signal whose default is to be ignored ends nothing", arguments: [SIGWINCH, SIGURG],
        Place.here)
    func harmless(signal: Int32, place: Place) throws {
        try expectAsPlainExec(
            [DutyRun.probe, "linger"], place: place,
            meanwhile: {
                $0.awaitOutput("ready")
                $0.send(signal)
                $0.send(SIGTERM)
            }, control: { #expect($0.status == 128 + SIGTERM) })
    }

    @Test(
        "A program that ignores a signal stays", arguments: [SIGTERM, SIGHUP, SIGINT], Place.here)
    func ignores(signal: Int32, place: Place) throws {
        try expectAsPlainExec(
            [DutyRun.probe, "linger", String(signal)], place: place,
            meanwhile: {
                $0.awaitOutput("ready")
                $0.send(signal)
                $0.send(SIGUSR1)
            }, control: { #expect($0.status == 128 + SIGUSR1) })
    }

    @Test(
        "A signal that its starter ignored is ignored in the program", arguments: [1, 2, 3, 17],
        Place.here)
    func inheritedIgnored(signal: Int32, place: Place) throws {
        try expectAsPlainExec(
            [DutyRun.probe, "state"],
            starters: [DutyRun.probe, "with-ignored", String(signal)], place: place,
            ignoring: { !$0.hasPrefix("Sig") },
            control: { end in
                let ignored = end.output.split(separator: "\n").first { $0.hasPrefix("SigIgn") }
                let bits = ignored.flatMap { UInt64($0.split(separator: "\t")[1], radix: 16) } ?? 0
                #expect(bits >> UInt64(signal - 1) & 1 == 1)
            })
    }

    @Test(
        "With SIGCHLD ignored by the starter the end is known all the same", arguments: Place.here)
    func ignoredChildSignal(place: Place) throws {
        try expectAsPlainExec(
            [DutyRun.probe, "exit", "33"], starters: [DutyRun.probe, "with-ignored", "17"],
            place: place,
            control: { #expect($0.status == 33) })
    }

    @Test("A signal that its starter blocked is blocked in the program", arguments: [10, 15, 17])
    func inheritedMask(signal: Int32) throws {
        try expectAsPlainExec(
            [DutyRun.probe, "state"],
            starters: [DutyRun.probe, "with-blocked", String(signal)],
            ignoring: { !$0.hasPrefix("Sig") },
            control: { #expect(!$0.output.contains("SigBlk:\t0000000000000000")) })
    }

    @Test("Different signals all arrive", arguments: Place.here)
    func several(place: Place) throws {
        let signals = [SIGUSR1, SIGUSR2, SIGHUP, SIGTERM, SIGWINCH, 40]
        try expectAsPlainExec(
            [DutyRun.probe, "await", String(signals.count)], place: place,
            ignoring: { !$0.hasPrefix("ready") },
            meanwhile: { run in
                run.awaitOutput("ready")
                for signal in signals { run.send(signal) }
                for signal in signals { #expect(run.awaitOutput("got \(signal)\n")) }
            })
    }

    @Test("A signal between the start and the exec is not lost", arguments: Place.here)
    func early(place: Place) throws {
        // The exec waits: the program's first sign of life comes after the signal was sent.
        for above in Above.wrapped {
            let run = try DutyRun(above, [DutyRun.probe, "await", "1"], place: place)
            run.awaitOutput("ready")
            run.send(SIGTERM)
            let end = run.finish()
            guard !end.isRefused else { continue }
            #expect(end.output.hasSuffix("got \(SIGTERM)\n"), "\(above): \(end)")
        }
    }

    @Test("A stopped wrapper goes on when it is continued", arguments: Place.here)
    func stoppedWrapper(place: Place) throws {
        try expectAsPlainExec(
            [DutyRun.probe, "await", "1"], place: place, ignoring: { $0 == "got \(SIGCONT)" },
            meanwhile: { run in
                run.awaitOutput("ready")
                run.send(SIGSTOP)
                run.send(SIGUSR1)
                run.send(SIGCONT)
            }, control: { #expect($0.status == 0) })
    }

    @Test("The program's own alarm is its own")
    func alarm() throws {
        try expectAsPlainExec(
            [DutyRun.probe, "alarm"], control: { #expect($0.output == "alarm \(SIGALRM)\n") })
    }
}
