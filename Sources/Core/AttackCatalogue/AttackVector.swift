// SPDX-License-Identifier: Apache-2.0

/// What a cell of the attack matrix says.
package enum CellVerdict: String, Sendable, Codable, CaseIterable {
    /// The attacker got nothing of the secret, and no control or setting.
    case blocked
    /// The attacker got it, and an event says so.
    case detected
    /// The attacker got it, and nothing says so.
    case exposed
    /// There is nothing to try: the reason says why.
    case notApplicable = "not applicable"
}

/// One row of the catalogue of attack vectors (Fixtures/attack-vectors.json).
package struct CatalogueVector: Sendable, Equatable, Decodable {
    /// `AV-001` … `AV-143`; stable.
    package let id: String
    package let name: String
    package let attacker: Attacker
    /// How it works and where the kernel checks it.
    package let mechanism: String
    /// What may deny or see it, by tier; empty: nothing does.
    package let hooks: [HookEntry]
    /// The agent's event type, nil when nothing reports it.
    package let event: String?
    /// The vector that the event names, when the agent's hooks see another one's step first.
    package let reportedAs: String?
    /// What is left with every protection on.
    package let residual: String
    /// Why no attack of the VM tests plays it; nil when one does.
    package let notPlayed: String?
    /// Why the simulator does not run it; nil when it does.
    package let notExecutable: String?
    /// Rules for the expected verdict of each cell; the first that fits decides.
    package let expected: [ExpectationRule]?

    package enum Attacker: String, Sendable, Decodable {
        case outside, inside, both
    }

    package struct HookEntry: Sendable, Equatable, Decodable {
        package let tier: Tier
        package let hook: String
        /// First kernel series, nil: every supported one.
        package let since: String?
    }

    package enum Tier: String, Sendable, Decodable {
        case lsm, fmodRet = "fmod_ret", systemCall = "system call", seccomp, signal
    }

    package var isExecutable: Bool { notExecutable == nil }
}

/// A verdict for the cells that fit all of `when`.
package struct ExpectationRule: Sendable, Equatable, Decodable {
    /// Values of a dimension that are meant; a dimension that is not named means all.
    package let when: Condition
    package let verdict: CellVerdict
    /// Shown in the matrix.
    package let reason: String

    package struct Condition: Sendable, Equatable, Decodable {
        package let profiles: [String]?
        package let delivery: [String]?
        package let enforcement: [String]?
        package let target: [String]?

        func fits(_ cell: CellCoordinates) -> Bool {
            Self.fits(profiles, cell.profile) && Self.fits(delivery, cell.delivery)
                && Self.fits(enforcement, cell.enforcement) && Self.fits(target, cell.target)
        }

        private static func fits(_ list: [String]?, _ value: String) -> Bool {
            list?.contains(value) ?? true
        }
    }
}

/// Where a cell is in the matrix of one vector.
package struct CellCoordinates: Sendable, Equatable, Hashable {
    package let profile: String
    package let delivery: String
    package let enforcement: String
    package let target: String

    package init(profile: String, delivery: String, enforcement: String, target: String) {
        self.profile = profile
        self.delivery = delivery
        self.enforcement = enforcement
        self.target = target
    }
}

/// The catalogue of attack vectors.
package struct AttackCatalogue: Sendable, Equatable, Decodable {
    /// Rules that come before those of every executable vector.
    package let common: [ExpectationRule]
    package let vectors: [CatalogueVector]
    /// Enforcement modes whose verdicts are those of another; nil: none.
    package let likenesses: [EnforcementLikeness]?

    package init(
        common: [ExpectationRule], vectors: [CatalogueVector],
        likenesses: [EnforcementLikeness]? = nil
    ) {
        self.common = common
        self.vectors = vectors
        self.likenesses = likenesses
    }

    package func vector(_ id: String) -> CatalogueVector? { vectors.first { $0.id == id } }

    /// What the catalogue expects of a cell; nil when no rule fits, which is a defect of it.
    package func expected(_ id: String, at cell: CellCoordinates) -> ExpectationRule? {
        let own = vector(id)?.expected ?? []
        let likeness = likenesses?.first { $0.enforcement == cell.enforcement }
        let place = CellCoordinates(
            profile: cell.profile, delivery: cell.delivery,
            enforcement: likeness?.like ?? cell.enforcement, target: cell.target)
        let rule = (common + own).first { $0.when.fits(place) }
        guard let rule, let likeness, rule.when.enforcement != nil else { return rule }
        return ExpectationRule(
            when: rule.when, verdict: rule.verdict,
            reason: "\(rule.reason); \(likeness.reason)")
    }
}

/// An enforcement mode in which every cell has the verdict of another mode.
package struct EnforcementLikeness: Sendable, Equatable, Decodable {
    package let enforcement: String
    /// The mode whose rules count.
    package let like: String
    /// What differs without changing a verdict; added to the reasons of rules for `like`.
    package let reason: String

    package init(enforcement: String, like: String, reason: String) {
        self.enforcement = enforcement
        self.like = like
        self.reason = reason
    }
}

/// A cell that was compared with a real kernel (Fixtures/vm-measured-cells.json).
package struct MeasuredCell: Sendable, Hashable {
    package let id: String
    package let at: CellCoordinates

    package init(id: String, at cell: CellCoordinates) {
        self.id = id
        at = cell
    }
}

/// One boot of a kernel, as the VM tests found it (Fixtures/kernel-profiles), or as it is taken to
/// be.
package struct KernelProfile: Sendable, Equatable {
    /// Where the facts come from.
    package enum Origin: String, Sendable, Decodable, CaseIterable {
        /// The guest's init asked the running kernel.
        case measured
        /// Written by hand: no such kernel was booted.
        case modelled = "modelled, not measured"
    }

    /// Name of the boot: `6.12`, `6.1-default`.
    package let name: String
    package let series: String
    /// Added to the kernel command line.
    package let parameters: [String]
    package let facts: [String: String]
    package let origin: Origin

    /// The name as it is shown: nobody takes a modelled kernel for a measured one.
    package var title: String {
        origin == .measured ? name : "\(name) (\(origin.rawValue))"
    }

    package init(
        name: String, series: String, parameters: [String], facts: [String: String],
        origin: Origin = .measured
    ) {
        self.origin = origin
        self.name = name
        self.series = series
        self.parameters = parameters
        self.facts = facts
    }
}
