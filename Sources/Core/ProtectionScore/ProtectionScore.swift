// SPDX-License-Identifier: Apache-2.0

/// Of 100; the lower end counts what is not known as nothing, the upper end as all of it.
package struct ScoreRange: Sendable, Hashable, CustomStringConvertible {
    package let lower: Int
    package let upper: Int

    package init(lower: Int, upper: Int) {
        self.lower = lower
        self.upper = upper
    }

    package var description: String { lower == upper ? "\(lower)" : "\(lower)-\(upper)" }
}

/// How much of what can protect a container's secrets does. Of two scores the higher one is no
/// proof of anything: who can read the secret is told by `ReaderLadder`.
package struct ProtectionScore: Sendable, Equatable {
    /// Rises with every change of checks, points, caps or arithmetic.
    package static let formula = 1
    package static let pointsMax = ScoreCheck.allCases.reduce(0) { $0 + $1.points }

    /// Points that are not there, or of which nobody knows.
    package struct Loss: Sendable, Equatable {
        package let check: ScoreCheck
        package let points: Int
        package let state: Fact.State
    }

    /// A cap that counts for the lower end; `isCertain`: for the upper one, too.
    package struct Cap: Sendable, Equatable {
        package let cap: ScoreCap
        package let isCertain: Bool
    }

    /// Points, without caps, of `pointsMax`.
    package let points: ScoreRange
    /// What this platform can reach of `pointsMax`, as far as is known.
    package let pointsReachable: Int
    package let ofPlatform: ScoreRange
    package let ofMaximum: ScoreRange
    /// The lowest first.
    package let caps: [Cap]
    /// The largest first.
    package let losses: [Loss]

    /// nil: there is nothing to assess. Nothing of nothing is no full score.
    package init?(_ facts: WorkloadFacts) {
        guard facts.hasSecrets else { return nil }
        var (lower, upper, reachable) = (0, 0, Self.pointsMax)
        var losses: [Loss] = []
        for check in ScoreCheck.allCases {
            let (least, most, state) = Self.points(check, facts)
            lower += least
            upper += most
            if state == .unreachable { reachable -= check.points }
            if least < check.points {
                losses.append(Loss(check: check, points: check.points - least, state: state))
            }
        }
        caps = ScoreCap.allCases.compactMap { cap in
            switch cap.state(of: facts) {
            case .holds: nil
            case .unknown: Cap(cap: cap, isCertain: false)
            case .fails, .unreachable: Cap(cap: cap, isCertain: true)
            }
        }.sorted { $0.cap.limit < $1.cap.limit }
        // Stable: of equal ones the check that is listed first comes first.
        self.losses = losses.enumerated().sorted {
            ($1.element.points, $0.offset) < ($0.element.points, $1.offset)
        }.map(\.element)
        points = ScoreRange(lower: lower, upper: upper)
        pointsReachable = reachable
        ofPlatform = Self.range(lower, upper, of: reachable, caps)
        ofMaximum = Self.range(lower, upper, of: Self.pointsMax, caps)
    }

    private static func points(
        _ check: ScoreCheck, _ facts: WorkloadFacts
    ) -> (least: Int, most: Int, state: Fact.State) {
        guard let name = check.fact else {
            guard let delivery = facts.delivery else { return (0, check.points, .unknown) }
            let points = check.points(for: delivery)
            return (points, points, points == check.points ? .holds : .fails)
        }
        let state = facts[name].state
        switch state {
        case .holds: return (check.points, check.points, state)
        case .unknown: return (0, check.points, state)
        case .fails, .unreachable: return (0, 0, state)
        }
    }

    /// Rounded outwards, so that the true value lies within.
    private static func range(
        _ lower: Int, _ upper: Int, of all: Int, _ caps: [Cap]
    ) -> ScoreRange {
        let lowest = caps.map(\.cap.limit).min() ?? 100
        let highest = caps.filter(\.isCertain).map(\.cap.limit).min() ?? 100
        return ScoreRange(
            lower: min(lower * 100 / all, lowest),
            upper: min((upper * 100 + all - 1) / all, highest))
    }
}
