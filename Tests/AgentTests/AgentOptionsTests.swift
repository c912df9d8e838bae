// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import Enforcement
import EnforcementEvents
import Ports
import Testing

/// Options that are read, or the text of the refusal.
private func read(_ words: String...) -> Result<AgentOptions, ArgumentFailure> {
    do throws(ArgumentFailure) { return .success(try AgentOptions(words)) } catch {
        return .failure(error)
    }
}

private func refusal(_ words: String...) -> String {
    do throws(ArgumentFailure) {
        _ = try AgentOptions(words)
        return "accepted"
    } catch { return error.text }
}

@Suite struct `The agent's flags` {
    @Test func `have defaults that deny and listen on loopback`() throws {
        let options = try read().get()
        #expect(options.settings == AgentSettings())
        #expect(options.settings.policy.mode == .deny && !options.settings.policy.lockModules)
        #expect(options.socket == "/run/cloudtaser/agent.sock")
        #expect(options.observation?.address == "127.0.0.1" && options.observation?.port == 9464)
        #expect(options.sinks.isEmpty && options.encoding == .native)
        #expect(options.checkpointKey == nil && options.configuration == nil)
    }

    @Test func `are all read, in both forms`() throws {
        let flags = [
            ("--mode", "detect"), ("--policy", "AV-026=detect"), ("--socket", "/a"),
            ("--listen", "[::1]:1"), ("--events", "file:/b"), ("--event-format", "ocsf"),
            ("--events-per-second", "7"), ("--heartbeat-seconds", "9"),
            ("--checkpoint-key", "/k"), ("--config", "/c"), ("--checkpoint-seconds", "8"),
        ]
        for options in [
            try AgentOptions(["--lock-modules"] + flags.flatMap { [$0.0, $0.1] }),
            try AgentOptions(flags.map { "\($0.0)=\($0.1)" } + ["--lock-modules"]),
        ] {
            #expect(options.settings.policy.mode == .detect && options.settings.policy.lockModules)
            #expect(options.settings.policy.exceptions.count == 1)
            #expect(options.socket == "/a" && options.configuration == "/c")
            #expect(options.observation?.address == "::1" && options.observation?.port == 1)
            #expect(options.sinks == [.file("/b")] && options.encoding == .ocsf)
            #expect(options.settings.rate == EnforcementRate(perSecond: 7, burst: 14))
            #expect(options.settings.heartbeatSeconds == 9 && options.checkpointKey == "/k")
            #expect(options.settings.checkpointSeconds == 8)
        }
    }

    @Test func `name a tier, and only signal lets workloads in without a denial`() throws {
        #expect(try read().get().tier == nil && read("--tier", "auto").get().tier == nil)
        for tier in EnforcementTier.forms {
            let options = try read("--tier", tier.word).get()
            #expect(options.tier == tier)
            #expect(options.settings.acceptedTier == tier)
        }
        #expect(try read("--tier", "signal", "--tier", "auto").get().settings.acceptedTier == nil)
    }

    @Test func `name wrappers' files, what a bad start means and where tiers are kept`() throws {
        let words = (1...AgentOptions.wrappersMax).flatMap { ["--wrapper", "/w\($0)"] }
        let options = try AgentOptions(words + ["--bad-start", "report", "--state", "/s"])
        #expect(options.wrappers.count == 16 && options.wrappers.first == "/w1")
        #expect(options.settings.badStart == .report && options.state == "/s")
        let usual = try AgentOptions([])
        #expect(usual.wrappers == [] && usual.settings.badStart == .refuse && usual.state == nil)
        #expect(try AgentOptions(["--state", "/s", "--state", "none"]).state == nil)
        #expect(refusal("--bad-start", "x").contains("refuse or report"))
        #expect(refusal("--wrapper", "w").contains("absolute"))
        #expect(refusal("--wrapper", "/w", "--wrapper", "/w").contains("at most 16 files once"))
        let text = (0...16).flatMap { ["--wrapper", "/w\($0)"] }
        #expect(throws: ArgumentFailure.self) { try AgentOptions(text) }
    }

    @Test func `name a vault's key that signs, or a file, and not both`() throws {
        let options = try read("--checkpoint-transit", "team/transit/events").get()
        #expect(options.checkpointTransit?.mount == "team/transit")
        #expect(options.checkpointTransit?.name == "events")
        for wrong in ["events", "/events", "transit/", "a//b", "a/../b", "a/b c", "a/ä"] {
            #expect(refusal("--checkpoint-transit", wrong).contains("MOUNT/KEY"), "\(wrong)")
        }
        let longest = "a/" + String(repeating: "b", count: TransitKey.bytesMax - 2)
        #expect(TransitKey(longest) != nil && TransitKey(longest + "b") == nil)
        let both = refusal("--checkpoint-transit", "transit/a", "--checkpoint-key", "/k")
        #expect(both.contains("one of them signs"))
    }

    @Test func `have limits, tested at their edges`() throws {
        #expect(try read("--events-per-second", "0").get().settings.rate.perSecond == 0)
        #expect(try read("--events-per-second", "1000000").get().settings.rate.burst == 2_000_000)
        #expect(refusal("--events-per-second", "1000001").contains("0 to 1000000"))
        #expect(try read("--heartbeat-seconds", "1").get().settings.heartbeatSeconds == 1)
        #expect(try read("--heartbeat-seconds", "3600").get().settings.heartbeatSeconds == 3600)
        #expect(try read("--checkpoint-seconds", "1").get().settings.checkpointSeconds == 1)
        #expect(try read("--checkpoint-seconds", "3600").get().settings.checkpointSeconds == 3600)
        #expect(try read().get().settings.checkpointSeconds == 60)
        for wrong in ["0", "3601", "-1", "", "1s", "4294967296"] {
            #expect(refusal("--heartbeat-seconds=\(wrong)") != "accepted", "\(wrong)")
            #expect(refusal("--checkpoint-seconds=\(wrong)") != "accepted", "\(wrong)")
        }
        #expect(try read("--listen", "127.0.0.1:65535").get().observation?.port == 65535)
        #expect(try read("--listen", "none").get().observation == nil)
    }

    @Test(arguments: [
        (["--mode", "strict"], "detect, deny, deny+kill"), (["--mode"], "--mode needs a value"),
        (["--mode="], "--mode needs a value"), (["--policy", "AV-26=deny"], "AV-026=detect"),
        (["--policy", "AV-026=block"], "allow, detect, deny, deny+kill"),
        (["--policy", "AV-002=deny"], "docs/reference/"),
        (["--socket", "agent.sock"], "absolute path"), (["--listen", "9464"], "ADDRESS:PORT"),
        (["--listen", "::1:9464"], "[ADDRESS]:PORT"), (["--listen", "a:65536"], "ADDRESS:PORT"),
        (["--listen", "a:0"], "ADDRESS:PORT"),
        (["--events", "kafka:x"], "stdout, file:/PATH, syslog:"),
        (["--events", "stdout", "--events", "stdout"], "twice"),
        (["--event-format", "json"], "native, ocsf"), (["--checkpoint-key", "k"], "absolute path"),
        (["--config", "c"], "absolute path"), (["--lock-modules=yes"], "takes no value"),
        (["--tier", "syscall"], "--tier is auto or one of lsm, fmod_ret, signal, not 'syscall'"),
        (["--tier"], "--tier needs a value"),
        (["--verbose"], "unknown flag '--verbose'"), (["detect"], "unknown flag 'detect'"),
        (["--heartbeat-seconds", "x"], "1 to 3600"),
    ])
    func `with a wrong value name the right one`(_ words: [String], _ fix: String) {
        let failure = #expect(throws: ArgumentFailure.self) { try AgentOptions(words) }
        #expect(failure?.text.contains(fix) == true, "\(failure?.text ?? "")")
    }

    @Test func `that are there twice count with their last value`() throws {
        let options = read("--mode", "detect", "--mode", "deny", "--socket=/a", "--socket=/b")
        #expect(try options.get().settings.policy.mode == .deny)
        #expect(try options.get().socket == "/b")
    }

    @Test func `belong to a command`() {
        func kind(_ words: String...) -> String {
            switch AgentInvocation(words) {
            case .run(_, let words): "run \(words.joined(separator: " "))"
            case .selfTest(let json, let tier): "self-test \(json) \(tier?.word ?? "auto")"
            case .uninstall(let pins): "uninstall \(pins)"
            case .help: "help"
            case .version: "version"
            case .refused(let text): "refused: \(text)"
            }
        }
        #expect(kind("run", "--mode", "detect") == "run --mode detect")
        #expect(kind("run", "--help") == "help" && kind("help") == "help" && kind("-h") == "help")
        #expect(kind("version") == "version" && kind("--version") == "version")
        #expect(kind("uninstall") == "uninstall /sys/fs/bpf")
        #expect(kind("uninstall", "--pins", "/p") == "uninstall /p")
        #expect(kind("uninstall", "now").hasPrefix("refused: 'uninstall' knows '--pins PATH'"))
        #expect(kind("self-test") == "self-test false auto")
        #expect(kind("self-test", "-o", "json") == "self-test true auto")
        #expect(kind("self-test", "--output", "json") == "self-test true auto")
        #expect(kind("self-test", "--tier", "signal", "-o", "json") == "self-test true signal")
        #expect(kind("self-test", "--tier", "auto") == "self-test false auto")
        #expect(kind("self-test", "--tier", "x").hasPrefix("refused: --tier is auto or one of"))
        #expect(kind("self-test", "--tier").hasPrefix("refused: 'self-test' knows"))
        #expect(kind("self-test", "-o", "xml").hasPrefix("refused: 'self-test' knows '-o json'"))
        #expect(kind() == "refused: no command")
        #expect(kind("start") == "refused: unknown command 'start'")
        #expect(kind("run", "--mode", "x").hasPrefix("refused: --mode is one of"))
    }
}

@Suite struct `A sink's place` {
    @Test func `is read from each form`() throws {
        let four = try #require(SinkPlace("127.0.0.1:514"))
        let six = try #require(SinkPlace("[::1]:4318"))
        #expect(four.host == "127.0.0.1" && four.port == 514 && six.host == "::1")
        let forms: [(String, SinkChoice)] = [
            ("stdout", .standardOutput), ("file:/var/log/a b.jsonl", .file("/var/log/a b.jsonl")),
            ("syslog:/dev/log", .syslogSocket("/dev/log")),
            ("syslog:udp://127.0.0.1:514", .syslog(four, isStream: false)),
            ("syslog:tcp://127.0.0.1:514", .syslog(four, isStream: true)),
            ("otlp:http://[::1]:4318/v1/logs", .otlp(six, path: "/v1/logs")),
            ("otlp:http://[::1]:4318/", .otlp(six, path: "/")),
        ]
        for (text, choice) in forms { #expect(SinkChoice(text) == choice, "\(text)") }
    }

    @Test(arguments: [
        "", "stdout:", "Stdout", "file", "file:", "file:relative", "syslog", "syslog:",
        "syslog:udp://", "syslog:udp://127.0.0.1", "syslog:udp://:514", "syslog:udp://::1:514",
        "syslog:udp://127.0.0.1:0", "syslog:udp://127.0.0.1:65536", "syslog:tls://127.0.0.1:514",
        "syslog:127.0.0.1:514", "syslog:tcp://127.0.0.1:+5", "otlp:127.0.0.1:4318/v1/logs",
        "otlp:https://127.0.0.1:4318/v1/logs", "otlp:http://127.0.0.1:4318",
        "otlp:http://127.0.0.1/v1/logs", "otlp:http:///v1/logs",
    ])
    func `is not read from anything else`(_ text: String) {
        #expect(SinkChoice(text) == nil)
    }

    @Test func `has a name of its own in metrics and losses`() throws {
        let choices = try ["file:/a", "stdout", "file:/b", "syslog:/dev/log", "file:/c"].map {
            try #require(SinkChoice($0))
        }
        #expect(SinkChoice.names(of: choices) == ["file", "stdout", "file-2", "syslog", "file-3"])
    }
}

@Suite struct `The agent's configuration file` {
    private static func words(_ text: String) throws(ArgumentFailure) -> [String] {
        try AgentConfigurationFile.words(Array(text.utf8))
    }

    @Test func `has one flag a line, comments and empty lines`() throws {
        let text = """
            # the policy

              mode detect\u{20}
            --policy AV-026=detect
            policy   AV-008=deny+kill
            \tlock-modules
            --heartbeat-seconds=5\r
            events file:/var/log/with space # not a comment
            """
        #expect(
            try Self.words(text) == [
                "--mode", "detect", "--policy", "AV-026=detect", "--policy", "AV-008=deny+kill",
                "--lock-modules", "--heartbeat-seconds=5", "--events",
                "file:/var/log/with space # not a comment",
            ])
        #expect(try Self.words("") == [] && Self.words("#\n\n") == [])
    }

    @Test(arguments: [
        ("mode detect\nmode strict", "line 2: --mode is one of"),
        ("\n\nmode", "line 3: --mode needs"),
        ("verbose", "line 1: unknown flag '--verbose'"), ("config /other", "line 1: a file cannot"),
        ("--config=/other", "line 1: a file cannot"), ("lock-modules yes", "line 1: unknown flag"),
        ("policy AV-002=deny", "line 1: AV-002 has no hook"),
    ])
    func `names the line that is wrong, and the fix`(_ text: String, _ words: String) {
        let failure = #expect(throws: ArgumentFailure.self) { try Self.words(text) }
        #expect(failure?.text.hasPrefix(words) == true, "\(failure?.text ?? "")")
    }

    @Test func `is UTF-8 of a bounded length`() throws {
        let most = AgentConfigurationFile.bytesMax
        #expect(try AgentConfigurationFile.words([UInt8](repeating: 10, count: most)) == [])
        #expect(throws: ArgumentFailure.self) {
            try AgentConfigurationFile.words([UInt8](repeating: 10, count: most + 1))
        }
        #expect(throws: ArgumentFailure.self) { try AgentConfigurationFile.words([35, 0xff]) }
    }
}
