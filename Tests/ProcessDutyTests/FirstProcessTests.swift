// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Testing

/// Being process 1: whether this host lets the suite try it, and what differs there.
@Suite("Process duties: the first process", .serialized)
struct FirstProcessTests {
    /// Bit of CAP_SYS_ADMIN in /proc/PID/status (capability.h).
    private static let administratorBit: UInt64 = 21

    private static func mayMakeNamespaces() throws -> Bool {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        let bits = line.flatMap { UInt64($0.split(separator: "\t")[1], radix: 16) }
        return try #require(bits) >> administratorBit & 1 == 1
    }

    @Test("The suite runs below process 1 wherever the tests may make a PID namespace")
    func availability() throws {
        let probe = try #require(Place.probe)
        if try Self.mayMakeNamespaces() {
            #expect(probe == DutyRun.End(status: 0, output: ""))
            #expect(Place.here == Place.allCases)
        } else {
            #expect(probe.status == 106 && probe.output.contains("first process refused"))
        }
    }

    @Test("The wrapper really is process 1", arguments: Above.wrapped)
    func parent(above: Above) throws {
        guard Place.here.contains(.first) else { return }
        let script = ["/bin/sh", "-c", "echo parent $PPID"]
        let end = try DutyRun(above, script, place: .first).finish()
        #expect(end.isRefused || end == DutyRun.End(status: 0, output: "parent 1\n"), "\(end)")
        // Control: elsewhere it has another number.
        let elsewhere = try DutyRun(above, script).finish()
        #expect(elsewhere.output != "parent 1\n", "\(elsewhere)")
    }

    /// The control of "Orphans in sessions of their own are reaped": they go to process 1, and a
    /// program that does not wait for them keeps them as zombies.
    @Test("What differs: a program that is process 1 itself has to reap others' orphans")
    func zombies() throws {
        guard Place.here.contains(.first) else { return }
        let words = [DutyRun.probe, "orphans", "3", "1"]
        let end = try DutyRun(.nothing, words, place: .first).finish()
        #expect(end == DutyRun.End(status: 94, output: "zombies\n"))
    }

    /// The kernel drops signals to process 1 that it has no handler for, so that a program started
    /// as a container's first process outlives `kill` (signal(7), pid_namespaces(7)). The wrapper
    /// has handlers for all of them, and its program is not process 1.
    @Test(
        "What differs: what ends the program below the wrapper does not end it as process 1 itself",
        arguments: [SIGTERM, SIGHUP, SIGUSR1, 34])
    func outlives(signal: Int32) throws {
        guard Place.here.contains(.first) else { return }
        let itself = try DutyRun(.nothing, [DutyRun.probe, "linger"], place: .first)
        itself.awaitOutput("ready")
        itself.send(signal)
        // A signal that had been taken would have fixed the status: the first one counts.
        itself.send(SIGKILL)
        #expect(itself.finish().status == 128 + SIGKILL)
        for above in Above.wrapped {
            let run = try DutyRun(above, [DutyRun.probe, "linger"], place: .first)
            run.awaitOutput("ready")
            run.send(signal)
            let end = run.finish()
            #expect(end.isRefused || end.status == 128 + signal, "\(above): \(end)")
        }
    }
}
