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
    /// The form of program to load; nil: the one that the self-test shows to deny most.
    package var tier: EnforcementTier?
    package var sinks: [SinkChoice] = []
    package var encoding = EventEncoding.native
    /// PEM file of an Ed25519 key that signs checkpoints.
    package var checkpointKey: String?
    /// File with further flags.
    package var configuration: String?
}

/// What the command line asks for.
package enum AgentInvocation: Sendable {
    /// - Parameter words: what `options` was read from.
    case run(AgentOptions, words: [String])
    /// - Parameter tier: as in `AgentOptions`.
    case selfTest(json: Bool, tier: EnforcementTier?)
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
            self = Self.selfTest(Array(words.dropFirst()))
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

extension AgentInvocation {
    private static func selfTest(_ words: [String]) -> AgentInvocation {
        var json = false
        var tier: EnforcementTier?
        var rest = words[...]
        while let word = rest.popFirst() {
            switch (word, rest.first) {
            case ("-o", "json"), ("--output", "json"): json = true
            case ("--tier", let value?):
                do throws(ArgumentFailure) { tier = try AgentOptions.tier(value) } catch {
                    return .refused(error.text)
                }
            case ("--help", _), ("-h", _): return .help
            default:
                return .refused("'self-test' knows '-o json', '--tier TIER' and nothing else")
            }
            rest = rest.dropFirst()
        }
        return .selfTest(json: json, tier: tier)
    }
}

package struct ArgumentFailure: Error, Sendable, Equatable {
    package let text: String

    package init(text: String) { self.text = text }
}
