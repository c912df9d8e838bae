// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

/// The built program's command line. What its flags do is tested beside their reader
/// (Tests/AgentTests), what it denies in vm-tests.
@Suite("The agent's program") struct AgentProgramTests {
    private static func run(_ words: String...) throws -> ProgramRun {
        try ProgramRun("cloudtaser-agent", words, environment: [:])
    }

    /// A file that is removed with its owner.
    private final class File {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "agent-\(UUID().uuidString).conf").path(percentEncoded: false)

        init(_ text: String) throws { try Data(text.utf8).write(to: URL(filePath: path)) }

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    @Test func `helps with every flag`() throws {
        let help = try Self.run("help")
        #expect(help.status == 0 && help.errors.isEmpty)
        for flag in [
            "--mode", "--policy", "--lock-modules", "--socket", "--listen", "--events",
            "--event-format", "--checkpoint-key", "--checkpoint-transit", "--events-per-second",
            "--heartbeat-seconds",
            "--config", "--tier", "--wrapper", "--bad-start", "--state",
        ] {
            #expect(help.output.contains("  \(flag) "), "\(flag)")
        }
        #expect(try Self.run("run", "--help").output == help.output)
        #expect(try Self.run("--help").output == help.output)
        let version = try Self.run("version").output
        #expect(version.wholeMatch(of: /cloudtaser-agent [0-9]+\.[0-9]+\.[0-9]+\n/) != nil)
    }

    @Test(
        arguments: [
            ([], "no command"), (["start"], "unknown command 'start'"),
            (["self-test", "-o", "xml"], "-o json"),
            (["self-test", "--tier", "kprobe"], "lsm, fmod_ret, signal"),
            (["run", "--mode", "x"], "detect, deny, deny+kill"),
            (["run", "--policy", "AV-002=deny"], "AV-002 has no hook"),
            (["run", "--listen", "9464"], "ADDRESS:PORT"),
            (["run", "--events", "x"], "syslog:udp://"),
            (["run", "--events", "syslog:udp://log.example:514"], "use a numeric address"),
            (["run", "--events", "otlp:http://collector:4318/v1/logs"], "use a numeric address"),
            (["run", "--event-format", "x"], "native, ocsf"),
            (["run", "--verbose"], "unknown flag"),
            (["run", "--heartbeat-seconds", "0"], "1 to 3600"),
            (["run", "--config", "/nowhere/agent.conf"], "/nowhere/agent.conf: No such file"),
            (["run", "--config", "/tmp"], "/tmp: Is a directory"),
        ] as [([String], String)])
    func `refuses what it does not understand, names the fix and ends with 64`(
        _ words: [String], _ fix: String
    ) throws {
        let run = try ProgramRun("cloudtaser-agent", words, environment: [:])
        #expect(run.status == 64 && run.output.isEmpty, "\(run)")
        #expect(run.errors.contains(fix), "\(run.errors)")
        #expect(run.errors.hasSuffix("Run `cloudtaser-agent --help`.\n"))
    }

    @Test func `reads its file, where the command line counts more`() throws {
        let file = try File("# policy\nmode detect\nevents syslog:udp://log.example:514\n")
        let run = try Self.run("run", "--config", file.path)
        #expect(run.status == 64 && run.errors.contains("use a numeric address"))
        let wrong = try File("mode detect\n\nmode strict\n")
        let refused = try Self.run("run", "--config=\(wrong.path)")
        #expect(refused.status == 64 && refused.errors.contains("\(wrong.path): line 3: --mode is"))
        let long = try File(String(repeating: "#\n", count: 40_000))
        #expect(try Self.run("run", "--config", long.path).errors.contains("more than 65536 bytes"))
    }

    @Test func `gets as far as the kernel with flags that are right`() throws {
        let file = try File("mode detect\npolicy AV-026=deny\n")
        // A kernel that takes the programs must not make an agent of the test.
        let run = try Self.run(
            "run", "--config", file.path, "--lock-modules", "--socket", "/nowhere/agent.sock",
            "--listen", "none", "--pins", "none", "--successor", "any",
            "--events", "syslog:/dev/log", "--events", "otlp:http://127.0.0.1:4318/v1/logs",
            "--events", "syslog:tcp://[::1]:514", "--event-format", "ocsf",
            "--events-per-second", "0", "--heartbeat-seconds", "3600")
        #expect(run.status == 1, "\(run)")
        #expect(
            run.errors.contains("nothing is denied on this node: bpf(2) is not permitted")
                || run.errors.contains("cannot listen on /nowhere/agent.sock"))
    }

    @Test func `says what a place for pins that is none needs`() throws {
        let run = try Self.run("run", "--pins", "/tmp")
        #expect(run.status == 1)
        #expect(run.errors.contains("/tmp is no BPF file system. Mount one (mount -t bpf"))
    }

    @Test func `does not say that nothing is pinned where nothing can be`() throws {
        for place in ["/tmp", "/nowhere"] {
            let run = try Self.run("uninstall", "--pins", place)
            #expect(run.status == 1, "\(run)")
            #expect(run.errors.contains("\(place) is no BPF file system, and nothing was"))
        }
    }

    @Test func `is started by its unit with flags that it knows, and capabilities that it needs`()
        throws
    {
        let path = Checkout.root + "deploy/systemd/cloudtaser-agent.service"
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        func value(_ name: String) throws -> [Substring] {
            let line = try #require(lines.first { $0.hasPrefix(name + "=") })
            return line.dropFirst(name.utf8.count + 1).split(separator: " ")
        }
        let words = try value("ExecStart").dropFirst().map(String.init)
        #expect(words.first == "run")
        let help = try Self.run("help").output
        for flag in words where flag.hasPrefix("--") { #expect(help.contains("  \(flag) ")) }
        // Another file, that is not there: no agent may come of a test.
        let flags = words.map { $0.hasPrefix("/") ? "/nowhere" + $0 : $0 }
        let run = try ProgramRun("cloudtaser-agent", flags, environment: [:])
        #expect(run.status == 64 && run.errors.contains("agent.conf: No such file"), "\(run)")
        let capabilities = try value("CapabilityBoundingSet")
        for needed in ["CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN"] {
            #expect(capabilities.contains { $0 == needed }, "\(needed)")
        }
    }

    @Test func `says of its self-test what was seen, or that nothing is denied`() throws {
        for words in [["self-test"], ["self-test", "-o", "json"]] {
            let run = try ProgramRun("cloudtaser-agent", words, environment: [:])
            guard run.output.isEmpty else {
                #expect(run.output.contains("AV-044") && run.errors.isEmpty)
                // Whoever is killed was not denied: that is no success.
                if run.output.contains("signal") { #expect(run.status == 1) }
                continue
            }
            // The kernel of this host refuses the programs to everybody.
            #expect(run.status == 1)
            #expect(
                run.errors.contains("bpf(2) is not permitted") && run.errors.contains("CAP_BPF"))
        }
    }
}
