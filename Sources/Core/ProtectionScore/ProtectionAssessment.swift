// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat

/// What a report says of one container.
package struct ProtectionAssessment: Sendable, Equatable {
    package static let notAssessed = "not assessed"

    package let facts: WorkloadFacts
    package let ladder: ReaderLadder
    /// nil: there is nothing to assess.
    package let score: ProtectionScore?
    package let tier: SecretTier
    /// Where everything that is not known would hold.
    package let tierPossible: SecretTier

    package init(_ facts: WorkloadFacts) {
        self.facts = facts
        ladder = ReaderLadder(facts)
        score = ProtectionScore(facts)
        (tier, tierPossible) = SecretTier.reached(facts)
    }

    // MARK: - Text

    private static let readerColumns = 36
    private static let exposureColumns = 10
    private static let testColumns = 15

    /// Lines without their end.
    package var lines: [String] {
        let head = "\(Self.printable(facts.object)), container \(Self.printable(facts.container))"
        guard let score else { return ["\(head): \(Self.notAssessed): no secret was seen"] }
        var lines = ["\(head): who can read its secrets"]
        lines += ladder.cells.map { cell in
            "  " + Self.padded(cell.reader.title, to: Self.readerColumns)
                + Self.padded(cell.exposure.rawValue, to: Self.exposureColumns)
                + Self.padded(cell.test ?? "-", to: Self.testColumns) + cell.reason
        }
        let tiers = tier == tierPossible ? "\(tier)" : "\(tier), at most \(tierPossible)"
        lines.append("  tier \(tiers): \(tier.meaning)")
        lines.append(
            "  score \(score.ofPlatform) of 100 for what this platform can reach, "
                + "\(score.ofMaximum) of 100 for what any can; formula \(ProtectionScore.formula)")
        lines += score.caps.map { cap in
            let word = cap.isCertain ? "cap" : "cap, unless shown otherwise"
            return "  \(word) \(cap.cap.limit): \(cap.cap.reason); \(cap.cap.fix)"
        }
        lines += score.losses.map { loss in
            "  -\(loss.points) \(loss.check.rawValue) (\(loss.state.rawValue)): \(loss.check.fix)"
        }
        return lines
    }

    /// Names come from whoever wrote the object: nothing of them steers a terminal.
    static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate,
                        .privateUse, .unassigned:
                        "?"
                    default: scalar
                    }
                }))
    }

    private static func padded(_ text: String, to columns: Int) -> String {
        text + String(repeating: " ", count: max(1, columns - text.count))
    }

    // MARK: - JSON

    package var json: JSONTree { json(with: details) }

    /// - Parameter details: its own, or those of another one with the same facts.
    package func json(with details: [JSONTree.Member]) -> JSONTree {
        .object(
            [
                .init("object", .string(facts.object)),
                .init("container", .string(facts.container)),
                .init("formula", .number(String(ProtectionScore.formula))),
            ] + details)
    }

    /// All but the names: the same for all who have the same facts.
    package var details: [JSONTree.Member] {
        guard let score else {
            return [.init("score", .null), .init("reason", .string(Self.notAssessed))]
        }
        var tree: JSONTree = [:]
        tree["readers"] = .array(ladder.cells.map(\.json))
        tree["tier"] = .string("\(tier)")
        tree["tierPossible"] = .string("\(tierPossible)")
        tree["score"] = score.json
        tree["delivery"] = [
            "mode": facts.delivery.map { .string($0.rawValue) } ?? .null,
            "source": .string(facts.deliverySource.rawValue),
        ]
        tree["facts"] = .array(
            ProtectionFact.allCases.map { name in
                [
                    "fact": .string(name.rawValue), "state": .string(facts[name].state.rawValue),
                    "source": .string(facts[name].source.rawValue),
                ]
            })
        return tree.members ?? []
    }
}

extension ReaderCell {
    fileprivate var json: JSONTree {
        [
            "reader": .string(reader.rawValue), "exposure": .string(exposure.rawValue),
            "test": test.map { .string($0) } ?? .null, "reason": .string(reason),
        ]
    }
}

extension ScoreRange {
    var json: JSONTree {
        ["lower": .number(String(lower)), "upper": .number(String(upper))]
    }
}

extension ProtectionScore {
    fileprivate var json: JSONTree {
        [
            "ofPlatform": ofPlatform.json, "ofMaximum": ofMaximum.json, "points": points.json,
            "pointsReachable": .number(String(pointsReachable)),
            "pointsMax": .number(String(Self.pointsMax)),
            "caps": .array(
                caps.map { cap in
                    [
                        "cap": .string(cap.cap.rawValue), "limit": .number(String(cap.cap.limit)),
                        "certain": .bool(cap.isCertain), "reason": .string(cap.cap.reason),
                        "fix": .string(cap.cap.fix),
                    ]
                }),
            "lost": .array(
                losses.map { loss in
                    [
                        "check": .string(loss.check.rawValue),
                        "points": .number(String(loss.points)),
                        "state": .string(loss.state.rawValue), "fix": .string(loss.check.fix),
                    ]
                }),
        ]
    }
}
