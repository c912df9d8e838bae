// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import Enforcement
import LibbpfKernel

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
        "--heartbeat-seconds", "--checkpoint-key", "--pins",
        "--successor",
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
        case "--successor":
            guard let found = AgentSuccessor.allCases.first(where: { $0.word == value }) else {
                throw ArgumentFailure(text: "--successor is same-file or any, not '\(value)'")
            }
            successor = found
        case "--pins":
            guard value.hasPrefix("/") || value == "none" else {
                throw ArgumentFailure(text: "--pins is an absolute path or none, not '\(value)'")
            }
            pins = value == "none" ? nil : value
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
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else {
            throw ArgumentFailure(
                text: "--listen is ADDRESS:PORT or none, not '\(text)'")
        }
        var address = text[..<colon]
        if address.hasPrefix("["), address.hasSuffix("]") {
            address = address.dropFirst().dropLast()
        }
        return (String(address), port)
    }
}
