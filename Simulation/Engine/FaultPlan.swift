// SPDX-License-Identifier: Apache-2.0

/// Decides where things go wrong, swarm style (Groce et al. 2012): each run has a random subset of
/// the fault classes on, each with its own weight, and within a class that is on each site fires
/// rarely.
///
/// A class is one case of a port's failure enum, or one bad behaviour of a fake, named like
/// `store.sealed`. Labels: `swarm` (how many classes are on), `swarm/CLASS` (on, weight, site),
/// `fault/CLASS` (each occasion).
package final class FaultPlan: @unchecked Sendable {
    private struct Class {
        /// How often of 100 occasions; 0: off.
        let weight: Int
        let label: String
        let swarmLabel: String
        var activeSites: [String: Bool] = [:]
        var planted = 0
    }

    /// Faults that fired, by class.
    package private(set) var fired: [String: Int] = [:]
    /// True from `heal` on.
    package private(set) var isHealed = false
    private var classes: [String: Class] = [:]
    private var density: Int?
    private let choices: Choices
    private let log: EventLog

    init(choices: Choices, log: EventLog) {
        self.choices = choices
        self.log = log
    }

    /// Whether this occasion goes wrong.
    ///
    /// - Parameter site: where, when a class has several places; each is active in half of the
    ///   runs.
    package func fires(_ name: String, site: String = "") -> Bool {
        var entry = classes[name] ?? makeClass(name)
        defer { classes[name] = entry }
        if entry.planted > 0 {
            entry.planted -= 1
        } else {
            guard !isHealed, entry.weight > 0 else { return false }
            let isActive =
                entry.activeSites[site] ?? choices.happens(1, in: 2, label: entry.swarmLabel)
            entry.activeSites[site] = isActive
            guard isActive, choices.happens(entry.weight, in: 100, label: entry.label)
            else { return false }
        }
        fired[name, default: 0] += 1
        log.add(.fault, site.isEmpty ? name : "\(name) at \(site)")
        return true
    }

    /// The next `times` occasions of a class go wrong for certain, healed or not.
    package func plant(_ name: String, times: Int = 1) {
        var entry = classes[name] ?? makeClass(name)
        entry.planted += times
        classes[name] = entry
    }

    /// From now on only planted faults fire.
    package func heal() {
        isHealed = true
        log.add(.heal, "no fault fires from here on")
    }

    /// Off in every class: for a run that is to show what happens without faults.
    package func switchOff() { isHealed = true }

    /// Heaviest weight of a class, of 100 occasions.
    private static let weightMax = 25

    private func makeClass(_ name: String) -> Class {
        let swarmLabel = "swarm/\(name)"
        // 0 to 4 eighths of the classes: a fifth of the runs has no fault at all.
        let density = self.density ?? choices.draw(below: 5, label: "swarm")
        self.density = density
        let isOn = choices.happens(density, in: 8, label: swarmLabel)
        let weight = isOn ? 1 + choices.draw(below: Self.weightMax, label: swarmLabel) : 0
        return Class(weight: weight, label: "fault/\(name)", swarmLabel: swarmLabel)
    }
}
