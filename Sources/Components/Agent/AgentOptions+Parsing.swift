// SPDX-License-Identifier: Apache-2.0
internal import AgentPorts
internal import Enforcement
internal import EnforcementEvents

extension AgentOptions {
    /// Reads flags; of a flag that is there twice, the last one counts.
    package init(_ words: [String]) throws(ArgumentFailure) {
        var rest = words[...]
        while let word = rest.popFirst() {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let flag = String(parts[0])
            if flag == "--lock-modules" {
                guard parts.count == 1 else {
                    throw ArgumentFailure(text: "--lock-modules takes no value")
                }
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
        guard checkpointKey == nil || checkpointTransit == nil else {
            throw ArgumentFailure(
                text: "--checkpoint-key and --checkpoint-transit: one of them signs, not both")
        }
        do throws(EnforcementPolicyFailure) { _ = try settings.policy.policy() } catch {
            throw ArgumentFailure(text: error.description)
        }
    }

    private static let flags: Set<String> = [
        "--mode", "--policy", "--socket", "--listen", "--events", "--events-per-second",
        "--event-format", "--heartbeat-seconds", "--checkpoint-key", "--checkpoint-seconds",
        "--checkpoint-transit", "--config", "--pins",
        "--successor", "--tier", "--bad-start", "--wrapper", "--state",
    ]

    /// As many as the programs have room for (CBPF_WRAPPER_FILES_MAX).
    package static let wrappersMax = 16

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
        case "--socket": socket = try Self.path(flag, value)
        case "--checkpoint-key": checkpointKey = try Self.path(flag, value)
        case "--checkpoint-transit":
            guard let key = TransitKey(value) else {
                throw ArgumentFailure(
                    text: "--checkpoint-transit is MOUNT/KEY, like transit/events, not '\(value)'")
            }
            checkpointTransit = key
        case "--config": configuration = try Self.path(flag, value)
        case "--state": state = value == "none" ? nil : try Self.path(flag, value)
        case "--wrapper":
            let path = try Self.path(flag, value)
            guard !wrappers.contains(path), wrappers.count < Self.wrappersMax else {
                throw ArgumentFailure(
                    text: "--wrapper: each of at most \(Self.wrappersMax) files once")
            }
            wrappers.append(path)
        case "--bad-start":
            guard let choice = AgentSettings.BadStart(rawValue: value) else {
                throw ArgumentFailure(text: "--bad-start is refuse or report, not '\(value)'")
            }
            settings.badStart = choice
        default: try setEvents(flag, value)
        }
    }

    private mutating func setEvents(_ flag: String, _ value: String) throws(ArgumentFailure) {
        switch flag {
        case "--events":
            guard let sink = SinkChoice(value) else {
                throw ArgumentFailure(text: "--events is \(SinkChoice.forms), not '\(value)'")
            }
            guard !sinks.contains(sink) else {
                throw ArgumentFailure(text: "--events \(value) is there twice")
            }
            sinks.append(sink)
        case "--event-format":
            guard let format = EventEncoding(rawValue: value) else {
                let words = EventEncoding.allCases.map(\.rawValue).joined(separator: ", ")
                throw ArgumentFailure(text: "--event-format is one of \(words), not '\(value)'")
            }
            encoding = format
        case "--successor":
            guard let found = AgentSuccessor.allCases.first(where: { $0.word == value }) else {
                throw ArgumentFailure(text: "--successor is same-file or any, not '\(value)'")
            }
            successor = found
        case "--tier":
            tier = try Self.tier(value)
            settings.acceptedTier = tier
        case "--pins":
            guard value.hasPrefix("/") || value == "none" else {
                throw ArgumentFailure(text: "--pins is an absolute path or none, not '\(value)'")
            }
            pins = value == "none" ? nil : value
        case "--listen": observation = try Self.place(value)
        case "--events-per-second":
            let number = try Self.number(flag, value, 0...1_000_000)
            settings.rate.perSecond = number
            settings.rate.burst = number * 2
        case "--checkpoint-seconds":
            settings.checkpointSeconds = try Self.number(flag, value, 1...3600)
        default:
            settings.heartbeatSeconds = try Self.number(flag, value, 1...3600)
        }
    }

    /// Nil for `auto`.
    static func tier(_ word: String) throws(ArgumentFailure) -> EnforcementTier? {
        guard word != "auto" else { return nil }
        guard let found = EnforcementTier.forms.first(where: { $0.word == word }) else {
            let words = EnforcementTier.forms.map(\.word).joined(separator: ", ")
            throw ArgumentFailure(text: "--tier is auto or one of \(words), not '\(word)'")
        }
        return found
    }

    private static func path(
        _ flag: String, _ text: String
    ) throws(ArgumentFailure) -> String {
        guard text.hasPrefix("/") else {
            throw ArgumentFailure(text: "\(flag) needs an absolute path, not '\(text)'")
        }
        return text
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
        guard let place = SinkPlace(text) else {
            throw ArgumentFailure(
                text: "--listen is ADDRESS:PORT, [ADDRESS]:PORT or none, not '\(text)'")
        }
        return (place.host, place.port)
    }
}
