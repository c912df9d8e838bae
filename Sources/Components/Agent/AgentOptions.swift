// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
internal import AgentProtocol
package import EnforcementEvents

/// Flags of `cloudtaser-agent run`.
package struct AgentOptions: Sendable {
    package var settings = AgentSettings()
    package var socket = Registration.socketPath
    /// Of the observation port; nil: no port.
    package var observation: (address: String, port: UInt16)? = ("127.0.0.1", 9464)
    /// BPF file system that keeps the programs running without the agent; nil: they end with it.
    package var pins: String? = "/sys/fs/bpf"
    /// Who may take the programs over when the agent was killed.
    package var successor = AgentSuccessor.sameFile
    package var sinks: [SinkChoice] = []
    package var encoding = EventEncoding.native
    /// PEM file of an Ed25519 key that signs checkpoints.
    package var checkpointKey: String?
    /// Ed25519 key of a vault that signs them instead.
    package var checkpointTransit: TransitKey?
    /// Files that are wrappers: who executes one is protected from its first instruction.
    package var wrappers: [String] = []
    /// File that keeps the measured tiers for the next run; nil: none does.
    package var state: String?
    /// File with further flags.
    package var configuration: String?
}

/// What the command line asks for.
package enum AgentInvocation: Sendable {
    /// - Parameter words: what `options` was read from.
    case run(AgentOptions, words: [String])
    case selfTest(json: Bool)
    case uninstall(pins: String)
    case help
    case version
    case refused(String)

    package init(_ words: [String]) {
        switch words.first {
        case nil: self = .refused("no command")
        case "help", "--help", "-h": self = .help
        case "version", "--version": self = .version
        case "run":
            if words.contains("--help") || words.contains("-h") {
                self = .help
                return
            }
            let flags = Array(words.dropFirst())
            do throws(ArgumentFailure) {
                self = .run(try AgentOptions(flags), words: flags)
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

package struct ArgumentFailure: Error, Sendable, Equatable {
    package let text: String

    package init(text: String) { self.text = text }
}
