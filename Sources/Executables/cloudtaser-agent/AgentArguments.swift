// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentProtocol
import Enforcement
import LibbpfKernel
import Ports

/// What the command line asks for.
enum AgentInvocation {
    case run(AgentOptions)
    case selfTest(json: Bool)
    case uninstall(pins: String)
    case help
    case version
    case refused(String)
}

/// Flags of `run`.
struct AgentOptions {
    var settings = AgentSettings()
    var socket = Registration.socketPath
    var observation: (address: String, port: UInt16)? = ("127.0.0.1", 9464)
    /// BPF file system that keeps the programs running without the agent; nil: they end with it.
    var pins: String? = "/sys/fs/bpf"
    /// Who may take the programs over when the agent was killed.
    var successor = AgentSuccessor.sameFile
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
        case "uninstall":
            switch Array(words.dropFirst()) {
            case []: self = .uninstall(pins: "/sys/fs/bpf")
            case ["--help"], ["-h"]: self = .help
            case let rest where rest.count == 2 && rest[0] == "--pins":
                self = .uninstall(pins: rest[1])
            default: self = .refused("'uninstall' knows '--pins PATH' and nothing else")
            }
        case .some(let other): self = .refused("unknown command '\(other)'")
        }
    }
}
