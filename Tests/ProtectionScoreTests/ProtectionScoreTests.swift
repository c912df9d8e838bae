// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import ProtectionScore
import TestKit
import Testing

/// Whether nothing of `better` is below what `worse` has.
private func isNoLower(_ better: ProtectionScore, _ worse: ProtectionScore) -> Bool {
    [
        (better.points, worse.points), (better.ofPlatform, worse.ofPlatform),
        (better.ofMaximum, worse.ofMaximum),
    ].allSatisfy { $0.lower >= $1.lower && $0.upper >= $1.upper }
}

@Suite struct `The score` {
    private func score(_ facts: WorkloadFacts) throws -> ProtectionScore {
        try #require(ProtectionScore(facts))
    }

    @Test func `has the points of the checks that hold`() throws {
        // The reference's fifteen come to 135; the mode of delivery comes on top.
        #expect(ScoreCheck.allCases.reduce(0) { $0 + $1.points } == 135 + 15)
        let full = try score(Facts.all(.holds, delivery: .splice))
        #expect(full.ofMaximum == ScoreRange(lower: 100, upper: 100))
        #expect(full.losses.isEmpty && full.caps.isEmpty)
        let nothing = try score(Facts.all(.fails, delivery: .notByWrapper))
        #expect(nothing.points == ScoreRange(lower: 0, upper: 0))
        #expect(nothing.losses.map(\.points).reduce(0, +) == ProtectionScore.pointsMax)
    }

    @Test(arguments: ScoreCheck.allCases)
    func `loses exactly the points of one check that fails`(check: ScoreCheck) throws {
        guard let name = check.fact else { return }
        let found = try score(
            Facts.all(.holds, delivery: .splice, except: [name: .fails(.agent)]))
        #expect(found.points.lower == ProtectionScore.pointsMax - check.points)
        #expect(found.points.upper == found.points.lower)
        #expect(found.losses.map(\.check) == [check] && found.losses[0].points == check.points)
        #expect(!found.losses[0].check.fix.isEmpty)
    }

    @Test func `is a range where something is not known`() throws {
        let found = try score(
            Facts.all(.holds, delivery: .splice, except: [.secretMemory: .unknown]))
        #expect(found.points == ScoreRange(lower: 135, upper: 150))
        #expect(found.ofMaximum == ScoreRange(lower: 90, upper: 100))
        #expect(found.ofMaximum.description == "90-100")
        let blank = try score(Facts.all(.unknown, delivery: nil))
        #expect(blank.points == ScoreRange(lower: 0, upper: 150))
        #expect(blank.ofPlatform == ScoreRange(lower: 0, upper: 100))
    }

    @Test func `takes what a platform cannot have out of one measure and not out of the other`()
        throws
    {
        let found = try score(Facts.guarded)
        #expect(found.pointsReachable == 140)
        #expect(found.ofPlatform == ScoreRange(lower: 100, upper: 100))
        #expect(found.ofMaximum == ScoreRange(lower: 93, upper: 94))
        #expect(found.losses.map(\.check) == [.confidentialMachine])
    }

    @Test func `knows what no platform is the reason of`() throws {
        var facts = Facts.guarded
        facts[.agentConnected] = .unreachable(.agent)
        #expect(facts[.agentConnected].state == .fails)
        facts[.secretMemory] = .unreachable(.agent)
        #expect(facts[.secretMemory].state == .unreachable)
    }

    @Test(arguments: ScoreCap.allCases)
    func `does not get past a cap`(cap: ScoreCap) throws {
        let (fact, delivery): (ProtectionFact?, ValueDelivery) =
            switch cap {
            case .storedInCluster: (.outsideCluster, .splice)
            case .environmentDelivery: (nil, .environ)
            case .noAgent: (.agentConnected, .splice)
            case .detectOnly: (.enforceMode, .splice)
            }
        func score(_ state: Fact.State) throws -> ProtectionScore {
            let changes = fact.map { [$0: Fact(state, by: .agent)] } ?? [:]
            let mode = fact == nil && state == .unknown ? nil : delivery
            return try self.score(Facts.with(Facts.guarded, delivery: mode, changes))
        }
        let certain = try score(.fails)
        #expect(certain.ofPlatform.upper == cap.limit && certain.ofPlatform.lower == cap.limit)
        #expect(certain.ofMaximum.upper == cap.limit)
        #expect(certain.caps.map(\.cap) == [cap] && certain.caps[0].isCertain)
        let open = try score(.unknown)
        #expect(open.ofPlatform == ScoreRange(lower: cap.limit, upper: 100))
        #expect(open.caps.map(\.cap) == [cap] && !open.caps[0].isCertain)
        // Control: without it the same facts get past.
        let free = try self.score(Facts.guarded)
        #expect(free.ofPlatform.lower > cap.limit && free.caps.isEmpty)
    }

    @Test func `takes nobody's word for what is good`() {
        #expect(Fact.holds(.declared).state == .unknown)
        #expect(Fact.unreachable(.declared).state == .unknown)
        #expect(Fact.fails(.declared).state == .fails)
        #expect(Fact.holds(.nobody).state == .unknown)
        #expect(Fact.holds(.agent).state == .holds)
        func delivery(_ mode: ValueDelivery, _ source: FactSource) -> ValueDelivery? {
            WorkloadFacts(object: "", container: "", delivery: mode, deliverySource: source)
                .delivery
        }
        #expect(delivery(.splice, .declared) == nil && delivery(.environ, .declared) == .environ)
        #expect(delivery(.splice, .storedObject) == .splice && delivery(.environ, .nobody) == nil)
    }

    @Test func `of nothing is none, and never full`() {
        let nothing = WorkloadFacts(object: "Pod shop/web", container: "app", hasSecrets: false)
        #expect(ProtectionScore(nothing) == nil)
        let assessment = ProtectionAssessment(nothing)
        #expect(
            assessment.lines == ["Pod shop/web, container app: not assessed: no secret was seen"])
        #expect(assessment.json["score"] == .null)
        let summary = ProtectionSummary([assessment])
        #expect(summary.scores == nil && summary.line.contains("not assessed"))
        #expect(ProtectionSummary([]).scores == nil)
        #expect(ProtectionSummary([]).json["scores"] == .null)
    }
}

@Suite struct `Scores in any case` {
    private static let order: [(worse: Fact.State, better: Fact.State)] = [
        (.fails, .unknown), (.fails, .unreachable), (.unknown, .holds), (.unreachable, .holds),
    ]
    private static let deliveries: [(worse: ValueDelivery?, better: ValueDelivery?)] = [
        (.notByWrapper, .environ), (.environ, .file), (.file, .splice), (.environ, nil),
        (nil, .splice), (.notByWrapper, nil),
    ]
    private static let cases = 3000

    private func draw(_ generator: inout SeededGenerator) -> WorkloadFacts {
        let modes: [ValueDelivery?] = ValueDelivery.allCases + [nil]
        var facts = WorkloadFacts(
            object: "Pod a/b", container: "c",
            delivery: modes.randomElement(using: &generator) ?? nil,
            deliverySource: .storedObject)
        for name in ProtectionFact.allCases {
            let state = Fact.State.allCases.randomElement(using: &generator) ?? .unknown
            facts[name] = Fact(state, by: .agent)
        }
        return facts
    }

    @Test func `do not fall when a fact gets better`() throws {
        var generator = SeededGenerator(seed: 7)
        var rises = 0
        for _ in 0..<Self.cases {
            let facts = draw(&generator)
            let name = ProtectionFact.allCases.randomElement(using: &generator)!
            for step in Self.order {
                var (worse, better) = (facts, facts)
                worse[name] = Fact(step.worse, by: .agent)
                better[name] = Fact(step.better, by: .agent)
                let (low, high) = (ProtectionScore(worse)!, ProtectionScore(better)!)
                try #require(isNoLower(high, low), "\(name) \(step) of \(facts)")
                try #require(SecretTier.reached(better).known >= SecretTier.reached(worse).known)
                if high.points.lower > low.points.lower { rises += 1 }
            }
            for step in Self.deliveries {
                let worse = ProtectionScore(Facts.with(facts, delivery: step.worse))!
                let better = ProtectionScore(Facts.with(facts, delivery: step.better))!
                try #require(isNoLower(better, worse), "\(step) of \(facts)")
            }
        }
        // Control: the steps do something, and the comparison tells a fall from a rise.
        #expect(rises > Self.cases / 2)
        let (low, high) = (ProtectionScore(Facts.alone)!, ProtectionScore(Facts.guarded)!)
        #expect(isNoLower(high, low) && !isNoLower(low, high))
    }

    @Test func `are ordered, within their measure and below their caps`() throws {
        var generator = SeededGenerator(seed: 8)
        for _ in 0..<Self.cases {
            let facts = draw(&generator)
            let score = ProtectionScore(facts)!
            for range in [score.ofPlatform, score.ofMaximum] {
                try #require(0 <= range.lower && range.lower <= range.upper && range.upper <= 100)
                for cap in score.caps {
                    try #require(range.lower <= cap.cap.limit)
                    if cap.isCertain { try #require(range.upper <= cap.cap.limit) }
                }
            }
            try #require(score.points.upper <= score.pointsReachable)
            let (known, possible) = SecretTier.reached(facts)
            try #require(known <= possible)
            let lost = score.losses.map(\.points).reduce(0, +)
            try #require(lost == ProtectionScore.pointsMax - score.points.lower)
        }
    }

    @Test func `do not depend on the order in which facts come`() throws {
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<200 {
            let facts = draw(&generator)
            var again = WorkloadFacts(
                object: facts.object, container: facts.container, delivery: facts.delivery,
                deliverySource: facts.deliverySource)
            for name in ProtectionFact.allCases.shuffled(using: &generator) {
                again[name] = facts[name]
            }
            try #require(
                ProtectionAssessment(facts).json.rendered()
                    == ProtectionAssessment(again).json.rendered())
        }
        let mixed = (0..<40).map { _ in ProtectionAssessment(draw(&generator)) }
        #expect(
            ProtectionSummary(mixed) == ProtectionSummary(mixed.shuffled(using: &generator)))
    }

    @Test(
        "an unprotected workload does not get past its cap",
        .evidence(
            "SIM-SCORE-01",
            control: "the same workload, protected, has a score above every cap"))
    func cap() throws {
        let open = try #require(ProtectionScore(Facts.unprotected))
        #expect(open.ofPlatform.upper <= ScoreCap.storedInCluster.limit)
        // Whatever else may hold: all of it, but where the value is stored.
        let best = Facts.with(
            Facts.all(.holds, delivery: .splice), delivery: .splice,
            [.outsideCluster: .fails(.storedObject)])
        let dressed = try #require(ProtectionScore(best))
        #expect(dressed.ofPlatform.upper == ScoreCap.storedInCluster.limit)
        let alone = try #require(ProtectionScore(Facts.alone))
        #expect(alone.ofPlatform.upper <= ScoreCap.noAgent.limit)
        let guarded = try #require(ProtectionScore(Facts.guarded))
        let highest = ScoreCap.allCases.map(\.limit).max() ?? 0
        Evidence.control(passed: guarded.ofPlatform.lower > highest && guarded.caps.isEmpty)
        Evidence.observe(
            "A container whose value is in a Kubernetes Secret has \(open.ofPlatform) of 100, and "
                + "\(dressed.ofPlatform) with everything else in place; without an agent it is "
                + "\(alone.ofPlatform); protected, \(guarded.ofPlatform).")
    }

    @Test func `of many show the lowest beside the mean`() throws {
        let good = [WorkloadFacts](repeating: Facts.guarded, count: 19)
        let summary = ProtectionSummary((good + [Facts.unprotected]).map(ProtectionAssessment.init))
        let scores = try #require(summary.scores)
        #expect(summary.assessed == 20 && summary.total == 20)
        #expect(scores.lowest.upper <= 20)
        #expect(scores.tenth == ScoreRange(lower: 100, upper: 100))
        #expect(scores.mean.lower > 90 && scores.mean.upper < 100)
        #expect(summary.line.hasPrefix("protection of 20 of 20 containers: lowest "))
        let two = ProtectionSummary(
            (good + [Facts.unprotected, Facts.unprotected]).map(ProtectionAssessment.init))
        #expect(try #require(two.scores).tenth.upper == 100)
        let three = ProtectionSummary(
            ([WorkloadFacts](repeating: Facts.unprotected, count: 3) + good.dropLast(2)).map(
                ProtectionAssessment.init))
        #expect(try #require(three.scores).tenth.upper <= 20)
    }
}
