// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat

/// Scores of many containers. One that fails stays visible: the lowest stands beside the mean.
package struct ProtectionSummary: Sendable, Equatable {
    /// Of what each platform can reach.
    package struct Scores: Sendable, Equatable {
        package let lowest: ScoreRange
        /// A tenth of the containers have at most this.
        package let tenth: ScoreRange
        package let mean: ScoreRange
    }

    package let assessed: Int
    package let total: Int
    /// nil: no container was assessed.
    package let scores: Scores?

    package init(_ assessments: [ProtectionAssessment]) {
        self.init(ranges: assessments.map(\.score?.ofPlatform))
    }

    /// - Parameter ranges: one of each container; nil: there is nothing to assess.
    package init(ranges all: [ScoreRange?]) {
        total = all.count
        let ranges = all.compactMap(\.self)
        assessed = ranges.count
        let lower = ranges.map(\.lower).sorted()
        let upper = ranges.map(\.upper).sorted()
        guard let least = lower.first, let most = upper.first else {
            scores = nil
            return
        }
        let tenth = (ranges.count - 1) / 10
        scores = Scores(
            lowest: ScoreRange(lower: least, upper: most),
            tenth: ScoreRange(lower: lower[tenth], upper: upper[tenth]),
            mean: ScoreRange(
                lower: lower.reduce(0, +) / ranges.count,
                upper: (upper.reduce(0, +) + ranges.count - 1) / ranges.count))
    }

    package var line: String {
        guard let scores else {
            return "protection: \(ProtectionAssessment.notAssessed): of \(total) containers none "
                + "has a secret that was seen"
        }
        return "protection of \(assessed) of \(total) containers: lowest \(scores.lowest), lowest "
            + "tenth \(scores.tenth), mean \(scores.mean) of 100"
    }

    package var json: JSONTree {
        var tree: JSONTree = [
            "formula": .number(String(ProtectionScore.formula)),
            "assessed": .number(String(assessed)), "total": .number(String(total)),
        ]
        tree["scores"] =
            scores.map {
                ["lowest": $0.lowest.json, "tenth": $0.tenth.json, "mean": $0.mean.json]
            } ?? .null
        return tree
    }
}
