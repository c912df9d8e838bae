// SPDX-License-Identifier: Apache-2.0

extension SettingsParser {
    /// Most words of a rotation hook.
    package static let hookWordsMax = 64

    func life() throws(ConfigurationFailure) -> LifeSettings {
        var life = LifeSettings()
        life.rotation = try rotation()
        life.fetchSecondsMax = try seconds(
            .fetchSecondsMax, in: 0...LifeSettings.secondsMax, standard: life.fetchSecondsMax)
        life.checkSeconds = try seconds(
            .rotationCheckSeconds, in: LifeSettings.checkSecondsMin...LifeSettings.secondsMax,
            standard: life.checkSeconds)
        life.stopSeconds = try seconds(
            .stopSeconds, in: 0...LifeSettings.secondsMax, standard: life.stopSeconds)
        if let file = try filePath(.terminationMessage) { life.terminationMessageFile = file }
        return life
    }

    private func rotation() throws(ConfigurationFailure) -> RotationStrategy {
        let hook = text(.rotationHook)
        let name = text(.rotation) ?? "none"
        guard hook == nil || name == "exec-hook" else {
            throw ConfigurationFailure(
                "CLOUDTASER_ROTATION_HOOK", "needs CLOUDTASER_ROTATION=exec-hook")
        }
        switch name {
        case "none": return .none
        case "restart": return .restart
        case "exec-hook":
            let words = (hook ?? "").split(separator: " ").map(String.init)
            guard !words.isEmpty, words.count <= Self.hookWordsMax else {
                throw ConfigurationFailure(
                    "CLOUDTASER_ROTATION_HOOK",
                    "is to hold a command of 1 to \(Self.hookWordsMax) words for exec-hook")
            }
            return .execHook(words)
        case let signal where signal.hasPrefix("signal:"):
            var name = String(signal.dropFirst("signal:".count))
            if name.hasPrefix("SIG") { name.removeFirst("SIG".count) }
            guard let number = RotationStrategy.signals[name] else {
                let known = RotationStrategy.signals.keys.sorted().joined(separator: ", ")
                throw ConfigurationFailure(
                    "CLOUDTASER_ROTATION", "names no signal of \(known)")
            }
            return .signal(number)
        default:
            throw ConfigurationFailure(
                "CLOUDTASER_ROTATION", "is not one of none, restart, signal:HUP, exec-hook")
        }
    }

    /// Plain seconds, or with one unit: `90`, `90s`, `5m`, `1h`.
    private func seconds(
        _ variable: ControlVariable, in range: ClosedRange<Int>, standard: Int
    ) throws(ConfigurationFailure) -> Int {
        guard let text = text(variable) else { return standard }
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600]
        let factor = text.last.flatMap { units[$0] }
        let digits = factor == nil ? text[...] : text.dropLast()
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            digits.utf8.count <= 6, let number = Int(digits),
            range.contains(number * (factor ?? 1))
        else {
            throw ConfigurationFailure(
                variable.rawValue,
                "is not \(range.lowerBound) to \(range.upperBound) seconds, like 90, 90s or 5m")
        }
        return number * (factor ?? 1)
    }
}
