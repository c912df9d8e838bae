// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Testing

/// Ends, children, orphans and what a program inherits. Each case compares with a plain exec.
@Suite("Process duties: life and inheritance", .serialized)
struct LifeDutyTests {
    @Test(
        "The exit code is passed through", arguments: [0, 1, 2, 64, 103, 126, 127, 128, 254, 255],
        Place.here)
    func exitCode(code: Int32, place: Place) throws {
        try expectAsPlainExec(
            [DutyRun.probe, "exit", String(code)], place: place,
            control: { #expect($0.status == code) })
    }

    @Test(
        "A child's stop, continuation and end are its parent's to see", arguments: [19, 20, 21],
        Place.here)
    func stoppedChild(signal: Int32, place: Place) throws {
        try expectAsPlainExec(
            [DutyRun.probe, "stopped-child", String(signal)], place: place,
            control: { #expect($0.output.hasPrefix("stopped by \(signal)\n")) })
    }

    @Test("Orphans in sessions of their own are reaped", arguments: [1, 100], Place.here)
    func orphans(count: Int, place: Place) throws {
        // The control's orphans are those of whoever reaps above the tests.
        for above in Above.wrapped {
            let end = try DutyRun(
                above, [DutyRun.probe, "orphans", String(count)], place: place
            ).finish()
            guard !end.isRefused else { continue }
            #expect(end == DutyRun.End(status: 0, output: "all reaped\n"), "\(above)")
        }
    }

    @Test("A parent waits for its own children, hundreds of them", arguments: Place.here)
    func children(place: Place) throws {
        try expectAsPlainExec(
            [DutyRun.probe, "children", "300"], place: place,
            control: { #expect($0.output.hasPrefix("sum ") && $0.status == 0) })
    }

    @Test("A program that executes another ends as that does", arguments: Place.here)
    func executes(place: Place) throws {
        try expectAsPlainExec(
            ["/bin/sh", "-c", "exec \(DutyRun.probe) exit 44"], place: place,
            control: { #expect($0.status == 44) })
    }

    @Test("A program that executes another which dies by a signal", arguments: Place.here)
    func executesDying(place: Place) throws {
        try expectAsPlainExec(
            ["/bin/sh", "-c", "exec \(DutyRun.probe) die 11"], place: place,
            control: { #expect($0.status == 139) })
    }

    /// What is the wrapper's to add or take: the delivered entry, and under `file` its descriptor.
    private static func isDelivery(_ line: Substring) -> Bool {
        line.hasPrefix("entry 43545f44555459") || line == "open 100"
    }

    private func expectState(
        starters: [String] = [], entries: [String] = ["PATH=/usr/bin:/bin"],
        arguments: [String] = [], control: @escaping (String) -> Bool
    ) throws {
        try expectAsPlainExec(
            [DutyRun.probe, "state"] + arguments, starters: starters, entries: entries,
            ignoring: Self.isDelivery, control: { #expect(control($0.output), "\($0)") })
    }

    @Test("Everything that is inherited, with nothing unusual")
    func state() throws {
        try expectState { $0.contains("umask ") && $0.contains("SigIgn:\t0000000000000000") }
    }

    @Test("The working directory")
    func directory() throws {
        try expectState(starters: [DutyRun.probe, "with-directory", "/usr/share"]) {
            $0.contains("directory /usr/share\n")
        }
    }

    @Test("The file mode creation mask", arguments: [0, 63, 511])
    func mask(mask: Int) throws {
        try expectState(starters: [DutyRun.probe, "with-umask", String(mask)]) {
            $0.contains("umask \(String(mask, radix: 8))\n")
        }
    }

    @Test("Limits of resources")
    func limits() throws {
        try expectState(starters: [DutyRun.probe, "with-files", "321"]) {
            $0.contains("limit 7 321 321\n")
        }
    }

    @Test("The nice value")
    func nice() throws {
        try expectState(starters: [DutyRun.probe, "with-nice", "5"]) { $0.contains("nice 5\n") }
    }

    @Test("A closed standard stream stays closed", arguments: [0, 2])
    func closedStream(stream: Int) throws {
        // Output is what tells, so it is not closed. The wrapper's executable keeps off these
        // numbers; the harness does so for standard input through the test's own descriptors.
        try expectState(starters: [DutyRun.probe, "with-closed", String(stream)]) {
            !$0.contains("open \(stream)\n")
        }
    }

    @Test("A descriptor that its starter left open")
    func openDescriptor() throws {
        try expectState(starters: [DutyRun.probe, "with-open", "9"]) { $0.contains("open 9\n") }
    }

    @Test(
        "Arguments, byte for byte",
        arguments: [
            [""], ["a b", "", "c"], ["\u{e9}\u{1f512}", "--", "-x"], ["line\nline", "\\"],
        ])
    func arguments(words: [String]) throws {
        try expectState(arguments: words) { $0.contains("argument") }
    }

    @Test("Many arguments")
    func manyArguments() throws {
        try expectState(arguments: (0..<5000).map { "argument-\($0)" }) { $0.contains("argument") }
    }

    @Test(
        "Entries of the environment, byte for byte",
        arguments: [
            ["A=", "B=b=b", "=strange", "C"], ["L=line\nline", "E=\u{e9}"], ["T=1", "T=2"], [],
        ])
    func entries(entries: [String]) throws {
        try expectState(entries: entries + ["PATH=/usr/bin"]) { $0.contains("entry") }
    }

    @Test("Bytes that are not UTF-8 stay as they are")
    func rawBytes() throws {
        let script = "exec \(DutyRun.probe) state \"$(printf 'a\\377\\376b')\""
        let plain = try DutyRun(.nothing, ["/bin/sh", "-c", script]).finish()
        #expect(plain.output.contains("argument 61fffe62\n"))
        for above in Above.wrapped {
            let run = try DutyRun(
                above, [DutyRun.probe, "state", "@"],
                starters: ["/bin/sh", "-c", Self.replacingLast, "sh"])
            let end = run.finish()
            guard !end.isRefused else { continue }
            #expect(end.output.contains("argument 61fffe62\n"), "\(above): \(end)")
        }
    }

    /// Executes its arguments with bytes that are no UTF-8 in place of the last.
    private static let replacingLast = """
        n=$#; i=1; for a do [ $i -eq $n ] && a=$(printf 'a\\377\\376b'); set -- "$@" "$a"
        i=$((i + 1)); done; shift $n; exec "$@"
        """

    @Test("A name without a slash is looked for on PATH")
    func pathSearch() throws {
        for above in Above.wrapped {
            let end = try DutyRun(above, ["printf", "found"]).finish()
            guard !end.isRefused else { continue }
            #expect(end == DutyRun.End(status: 0, output: "found"), "\(above)")
        }
    }

    @Test("What is not there is 127, what may not be run is 126, as in a shell")
    func notThere() throws {
        for (program, code) in [("no-such-program", 127), ("/etc/passwd", 126), ("/usr", 126)] {
            let shell = try DutyRun(.nothing, ["/bin/sh", "-c", program]).finish()
            #expect(shell.status == Int32(code))
            for above in Above.wrapped {
                let end = try DutyRun(above, [program]).finish()
                #expect(end.isRefused || end.status == Int32(code), "\(above): \(end)")
            }
        }
    }

    @Test("Standard input and output are the program's")
    func streams() throws {
        try expectAsPlainExec(
            ["/bin/sh", "-c", "cat; echo out; echo err >&2"],
            control: { #expect($0.output == "out\nerr\n") })
    }

    @Test("More output than a pipe holds")
    func muchOutput() throws {
        try expectAsPlainExec(
            ["/bin/sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"],
            control: { #expect($0.output.utf8.count > 200_000) })
    }
}
