// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import TestKit
import Testing
import VaultListener

/// What the wrapper does to what surrounds it: its own environment block, the terminal.
@Suite("The wrapper in its surroundings") struct SurroundingsTests {
    @Test func `overwrites every entry of a credential's name, and uses the first that is set`()
        throws
    {
        let wrapper = try WrapperProgram("token once-a-token\ntoken twice-a-token")
        wrapper.environment["VAULT_TOKEN"] = nil
        let tokens = ["VAULT_TOKEN=", "VAULT_TOKEN=once-a-token", "VAULT_TOKEN=twice-a-token"]
        let script = "echo $DB_PASSWORD; tr '\\0' '\\n' < /proc/$PPID/environ"
        let (status, output) = try Self.run(
            [ProgramRun.path(of: "cloudtaser-wrapper"), "run", "--", "/bin/sh", "-c", script],
            entries: wrapper.environment.map { "\($0.key)=\($0.value)" } + tokens)
        #expect(output.contains("hunter2-äöü\n"), "\(output)")
        #expect(!output.contains("a-token"))
        // Control: root sees the rest of the block, nobody else any of it.
        #expect(output.contains("VAULT_ADDR=") == (geteuid() == 0), "\(status) \(output)")
        let plain = try Self.run(["/bin/cat", "/proc/self/environ"], entries: tokens)
        #expect(plain.output.contains("twice-a-token"))
    }

    @Test func `leaves the terminal where it was: in front, beside and afterwards`() throws {
        let wrapper = try WrapperProgram()
        // Field 5 is the process group, 8 the one in front of the terminal (proc_pid_stat(5)).
        let script = """
            look() { read -r _ _ _ _ group _ _ front _ < /proc/self/stat
                [ "$group" = "$front" ] && echo "$1 in front" || echo "$1 behind"; }
            """
        let inside = try wrapper.write("inside", "\(script)\nlook inside\n")
        let mark = wrapper.folder.path(percentEncoded: false) + "/mark"
        let program = ProgramRun.path(of: "cloudtaser-wrapper")
        let outside = try wrapper.write(
            "outside",
            """
            \(script)
            look before
            \(program) run -- sh \(inside); look after
            \(program) run -- sh -c ': > \(mark); sleep 1' &
            until [ -e \(mark) ]; do sleep 0.01; done
            look beside; wait
            """)
        let run = try ProgramRun(
            path: "/usr/bin/script", ["-qec", "sh \(outside)", "/dev/null"],
            environment: wrapper.environment)
        let lines = run.output.split(whereSeparator: \.isNewline).filter {
            $0.hasSuffix("in front") || $0.hasSuffix("behind")
        }
        let expected = ["before", "inside", "after", "beside"].map { "\($0) in front" }
        #expect(lines.map(String.init) == expected, "\(run)")
    }

    @Test func `keeps its own descriptors off closed streams, and leaves them closed`() throws {
        let wrapper = try WrapperProgram()
        let program = ProgramRun.path(of: "cloudtaser-wrapper")
        let seen = wrapper.folder.path(percentEncoded: false) + "/seen"
        let inside = try wrapper.write(
            "inside",
            """
            for stream in 0 1 2; do [ -e /proc/$$/fd/$stream ] || echo closed; done > \(seen)
            for stream in 0 1 2; do readlink /proc/$PPID/fd/$stream; done >> \(seen)
            """)
        // The shell opens the script as a number above 2.
        let run = try ProgramRun(
            path: "/bin/sh",
            ["-c", "exec \(program) run -- sh \(inside) <&- >&- 2>&-"],
            environment: wrapper.environment)
        let lines = try String(contentsOfFile: seen, encoding: .utf8).split(separator: "\n")
        // Root alone may look at the wrapper's.
        let own = [Substring](repeating: "/dev/null", count: geteuid() == 0 ? 3 : 0)
        #expect(lines == ["closed", "closed"] + own, "\(run)")
    }

    @Test func `asks nobody at the terminal for a key's passphrase`() throws {
        let wrapper = try WrapperProgram()
        // What the key holds is never reached.
        let key = """
            -----BEGIN EC PRIVATE KEY-----
            Proc-Type: 4,ENCRYPTED
            DEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF

            AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
            -----END EC PRIVATE KEY-----

            """
        wrapper.environment["VAULT_CLIENT_CERT"] = wrapper.vault.authorityFile
        wrapper.environment["VAULT_CLIENT_KEY"] = try wrapper.write("key.pem", key)
        let program = ProgramRun.path(of: "cloudtaser-wrapper")
        let run = try ProgramRun(
            path: "/usr/bin/script", ["-qec", "\(program) run -- echo ran", "/dev/null"],
            environment: wrapper.environment)
        #expect(run.status == 82 && run.output.contains("key.pem"), "\(run)")
        #expect(!run.output.contains("pass phrase:"), "\(run)")
    }

    /// With entries that a dictionary cannot hold: a name more than once.
    private static func run(
        _ words: [String], entries: [String]
    ) throws -> (status: Int32, output: String) {
        let program = try SpawnedProgram(words, entries: entries)
        let output = program.reader.readDataToEndOfFile()
        return (program.wait(), String(decoding: output, as: UTF8.self))
    }
}
