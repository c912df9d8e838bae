// SPDX-License-Identifier: Apache-2.0
import SimulationEngine

struct CampaignReport {
    /// Fewer seeds may miss a rare place without anything being wrong.
    static let sometimesSeedsMin = 200

    let campaign: Campaign
    let failures: [FailureReport]
    let canaries: CanaryReport

    /// Sometimes-facts that were not seen though enough seeds ran.
    var missing: [String] {
        guard campaign.seedCount >= Self.sometimesSeedsMin else { return [] }
        return SometimesFacts.missing(of: campaign.scenario, in: campaign.marks)
    }

    var isClean: Bool {
        campaign.failureCount == 0 && canaries.silent.isEmpty && missing.isEmpty
    }

    var verdict: String {
        "simulate: \(campaign.failureCount) failing seeds, \(canaries.silent.count) silent "
            + "canaries, \(missing.count) sometimes-facts never seen"
    }

    private var repeating: String {
        "cloudtaser simulate --scenario \(campaign.scenario.name) "
            + "--first-seed \(campaign.firstSeed) --seeds \(campaign.seedCount)"
    }

    private var hash: String {
        let digits = String(campaign.hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    var table: String {
        let facts = campaign.scenario.sometimes
        let seen =
            facts.count
            - SometimesFacts.missing(
                of: campaign.scenario, in: campaign.marks
            ).count
        let isJudged = campaign.seedCount >= Self.sometimesSeedsMin
        let peaks = campaign.peaksKilobytes
        var lines = [
            "scenario      \(campaign.scenario.name)",
            "seeds         \(campaign.finished) from \(campaign.firstSeed)",
            "seeds/minute  \(Int(campaign.seedsPerMinute)) with \(campaign.jobs) processes",
            "failures      \(campaign.failureCount)",
            "canaries      \(canaries.verdicts.count - canaries.silent.count) red of "
                + "\(canaries.verdicts.count)",
            "sometimes     \(seen) of \(facts.count) facts seen"
                + (isJudged ? "" : " (judged from \(Self.sometimesSeedsMin) seeds on)"),
            "peak memory   \(peaks.max() ?? 0) kB resident in a worker, first "
                + "\(peaks.first ?? 0) kB, last \(peaks.last ?? 0) kB",
            "hash          \(hash)", "repeat with   \(repeating)",
        ]
        for failure in failures {
            lines += [
                "", "seed \(failure.seed): \(failure.oracle): \(failure.message)",
                "  \(failure.command)",
            ]
        }
        lines += canaries.silent.map { "silent canary: \($0)" }
        lines += missing.map { "never seen: \($0)" }
        return lines.joined(separator: "\n")
    }

    var json: String {
        get throws {
            struct Shape: Encodable {
                let scenario: String
                let firstSeed: UInt64
                let seeds: Int
                let seedsPerMinute: Int
                let jobs: Int
                let failureCount: Int
                let failures: [FailureReport]
                let canaries: [String: String]
                let sometimes: [String: Int]
                let neverSeen: [String]
                let peakResidentKilobytes: [Int]
                let hash: String
                let repeatWith: String
            }
            let sometimes = campaign.scenario.sometimes.map { ($0, campaign.marks[$0] ?? 0) }
            return try JSONText.of(
                Shape(
                    scenario: campaign.scenario.name, firstSeed: campaign.firstSeed,
                    seeds: campaign.finished, seedsPerMinute: Int(campaign.seedsPerMinute),
                    jobs: campaign.jobs, failureCount: campaign.failureCount,
                    failures: failures, canaries: canaries.verdicts.mapValues(\.rawValue),
                    sometimes: Dictionary(uniqueKeysWithValues: sometimes), neverSeen: missing,
                    peakResidentKilobytes: campaign.peaksKilobytes, hash: hash,
                    repeatWith: repeating))
        }
    }
}
