// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentProtocol
import Enforcement
import Ports

/// What the command line asks for.
enum AgentInvocation {
    case run(AgentOptions)
    case selfTest(json: Bool)
    case help
    case version
    case refused(String)
}

/// Flags of `run`.
struct AgentOptions {
    var settings = AgentSettings()
    var socket = Registration.socketPath
    var observation: (address: String, port: UInt16)? = ("127.0.0.1", 9464)
    var sinks: [SinkChoice] = []
    /// PEM file of an Ed25519 key that signs checkpoints.
    var checkpointKey: String?
}

/// Where events go.
enum SinkChoice: Equatable {
    case standardOutput
    case file(String)

    /// `stdout`, `file:/var/log/events.jsonl`.
    init?(_ text: String) {
        if text == "stdout" {
            self = .standardOutput
        } else if text.hasPrefix("file:/") {
            self = .file(String(text.dropFirst("file:".count)))
        } else {
            return nil
        }
    }
}

extension AgentInvocation {
    init(_ words: [String]) {
        switch words.first {
        case nil: self = .refused("no command")
        case "help", "--help", "-h": self = .help
        case "version", "--version": self = .version
        case "run":
            if words.contains("--help") || words.contains("-h") {
                self = .help
                return
            }
            do throws(ArgumentFailure) {
                self = .run(try AgentOptions(Array(words.dropFirst())))
            } catch { self = .refused(error.text) }
        case "self-test":
            switch Array(words.dropFirst()) {
            case []: self = .selfTest(json: false)
            case ["-o", "json"], ["--output", "json"]: self = .selfTest(json: true)
            case ["--help"], ["-h"]: self = .help
            default: self = .refused("'self-test' knows '-o json' and nothing else")
            }
        case .some(let other): self = .refused("unknown command '\(other)'")
        }
    }
}

struct ArgumentFailure: Error {
    let text: String
}

extension AgentOptions {
    init(_ words: [String]) throws(ArgumentFailure) {
        var rest = words[...]
        while let word = rest.popFirst() {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let flag = String(parts[0])
            if flag == "--lock-modules" {
                settings.policy.lockModules = true
                continue
            }
            guard Self.flags.contains(flag) else {
                throw ArgumentFailure(text: "unknown flag '\(word)'")
            }
            let value = parts.count == 2 ? String(parts[1]) : rest.popFirst()
            guard let value, !value.isEmpty else {
                throw ArgumentFailure(text: "\(flag) needs a value")
            }
            try set(flag, value)
        }
        do throws(EnforcementPolicyFailure) { _ = try settings.policy.policy() } catch {
            throw ArgumentFailure(text: error.description)
        }
    }

    private static let flags: Set<String> = [
        "--mode", "--policy", "--socket", "--listen", "--events", "--events-per-second",
        "--heartbeat-seconds", "--checkpoint-key",
    ]

    private mutating func set(_ flag: String, _ value: String) throws(ArgumentFailure) {
        switch flag {
        case "--mode":
            guard let mode = PolicySettings.Mode(rawValue: value) else {
                let words = PolicySettings.Mode.allCases.map(\.rawValue).joined(separator: ", ")
                throw ArgumentFailure(text: "--mode is one of \(words), not '\(value)'")
            }
            settings.policy.mode = mode
        case "--policy":
            do throws(PolicyTextFailure) {
                settings.policy.exceptions.append(try PolicySettings.exception(value))
            } catch { throw ArgumentFailure(text: "--policy: \(error)") }
        case "--socket":
            guard value.hasPrefix("/") else {
                throw ArgumentFailure(text: "--socket needs an absolute path, not '\(value)'")
            }
            socket = value
        case "--events":
            guard let sink = SinkChoice(value) else {
                throw ArgumentFailure(text: "--events is stdout or file:/PATH, not '\(value)'")
            }
            guard !sinks.contains(sink) else {
                throw ArgumentFailure(text: "--events \(value) is there twice")
            }
            sinks.append(sink)
        case "--checkpoint-key": checkpointKey = value
        case "--listen": observation = try Self.place(value)
        case "--events-per-second":
            let number = try Self.number(flag, value, 0...1_000_000)
            settings.rate.perSecond = number
            settings.rate.burst = number * 2
        default:
            settings.heartbeatSeconds = try Self.number(flag, value, 1...3600)
        }
    }

    private static func number(
        _ flag: String, _ text: String, _ range: ClosedRange<UInt32>
    ) throws(ArgumentFailure) -> UInt32 {
        guard let number = UInt32(text), range.contains(number) else {
            throw ArgumentFailure(
                text: "\(flag) is a number from \(range.lowerBound) to \(range.upperBound), "
                    + "not '\(text)'")
        }
        return number
    }

    /// `127.0.0.1:9464`, `[::1]:9464`, or `none`.
    private static func place(
        _ text: String
    ) throws(ArgumentFailure) -> (address: String, port: UInt16)? {
        if text == "none" { return nil }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...])
        else {
            throw ArgumentFailure(
                text: "--listen is ADDRESS:PORT or none, not '\(text)'")
        }
        var address = text[..<colon]
        if address.hasPrefix("["), address.hasSuffix("]") { address = address.dropFirst().dropLast() }
        return (String(address), port)
    }
}

enum AgentHelp {
    static let version = "0.1.0"

    static let text = """
        Deny root access to protected workloads on this node, and report every attempt.

        Usage: cloudtaser-agent run [FLAG...]
               cloudtaser-agent self-test [-o json]
               cloudtaser-agent help | version

        run        loads the BPF programs, attacks a process of its own to see what is denied, and
                   serves the registration socket until SIGTERM.
        self-test  does the same attacks, prints what was seen for each vector, and leaves nothing
                   behind. Exit code 0: what was tested is denied; 1: something came through.

        Flags of run:
          --mode detect|deny|deny+kill  what is done about an attempt (deny)
          --policy AV-NNN=ACTION        another action for one vector: allow, detect, deny,
                                        deny+kill; may be repeated
          --lock-modules                deny module loads instead of reporting them
          --socket PATH                 where wrappers register (\(Registration.socketPath))
          --listen ADDRESS:PORT|none    /healthz, /readyz, /metrics, /status (127.0.0.1:9464)
          --events stdout|file:PATH     where events go, one JSON object a line (stdout); may be
                                        repeated
          --checkpoint-key FILE         Ed25519 key (PEM) that signs the chain of events
          --events-per-second N         per vector, cgroup and processor; 0: no limit (100)
          --heartbeat-seconds N         between two heartbeats (30)

        Examples:
          cloudtaser-agent self-test
          cloudtaser-agent run --mode detect
          cloudtaser-agent run --policy AV-026=detect --listen 0.0.0.0:9464

        Needs root with CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN in the host's process namespace, and
        a kernel with BTF. See docs/reference/agent.md.

        """
}
