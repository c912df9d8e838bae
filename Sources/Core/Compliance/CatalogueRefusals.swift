// SPDX-License-Identifier: Apache-2.0

extension Catalogue {
    /// Everything that forbids printing this catalogue, in the catalogue's order. Empty: print it.
    package func refusals() -> [Refusal] {
        repeatedIDs() + danglingIDs() + unusedEntries() + requirementRefusals() + claimRefusals()
            + testRefusals() + tableRefusals() + wordingRefusals()
    }

    /// Of the requirement's title, where only titles may be printed: ISO's longest has 57.
    package static let titleLengthMax = 100

    private func repeatedIDs() -> [Refusal] {
        var seen: Set<String> = []
        return allIDs.compactMap { seen.insert($0).inserted ? nil : .idRepeated(id: $0) }
    }

    var allIDs: [String] {
        frameworks.map(\.id) + requirements.map(\.id) + claims.map(\.id) + tests.map(\.id)
            + limitations.map(\.id) + events.map(\.id) + matrix.map(\.id) + auditItems.map(\.id)
            + uses.map(\.id) + scenarios.map(\.id)
    }

    private typealias Reference = (from: String, to: String, among: Set<String>)

    /// Every reference: from which entry, to which id, among which ids it must be.
    private var references: [Reference] {
        let frameworkIDs = Set(frameworks.map(\.id))
        let claimIDs = Set(claims.map(\.id))
        let testIDs = Set(tests.map(\.id))
        let limitationIDs = Set(limitations.map(\.id))
        let claimed =
            requirements.map { ($0.id, $0.framework, frameworkIDs) }
            + requirements.flatMap { entry in entry.claims.map { (entry.id, $0, claimIDs) } }
            + requirements.flatMap { entry in
                entry.limitations.map { (entry.id, $0, limitationIDs) }
            }
            + claims.flatMap { entry in entry.tests.map { (entry.id, $0, testIDs) } }
            + claims.flatMap { entry in entry.limitations.map { (entry.id, $0, limitationIDs) } }
        return claimed
            + limitations.flatMap { entry in entry.shownBy.map { (entry.id, $0, testIDs) } }
            + tableReferences
    }

    private var tableReferences: [Reference] {
        let requirementIDs = Set(requirements.map(\.id))
        let testIDs = Set(tests.map(\.id))
        let limitationIDs = Set(limitations.map(\.id))
        let frameworkIDs = Set(frameworks.map(\.id))
        let frameworkOf =
            matrix.map { ($0.id, $0.framework, frameworkIDs) }
            + uses.map { ($0.id, $0.framework, frameworkIDs) }
        let ofTests =
            events.flatMap { entry in entry.tests.map { (entry.id, $0, testIDs) } }
            + auditItems.flatMap { entry in entry.tests.map { (entry.id, $0, testIDs) } }
        let ofLimitations =
            events.flatMap { entry in entry.limitations.map { (entry.id, $0, limitationIDs) } }
            + auditItems.flatMap { entry in
                entry.limitations.map { (entry.id, $0, limitationIDs) }
            }
            + uses.flatMap { entry in entry.limitations.map { (entry.id, $0, limitationIDs) } }
        return frameworkOf + ofTests + ofLimitations
            + rows.flatMap { entry in entry.requirements.map { (entry.id, $0, requirementIDs) } }
    }

    /// What stands on rows, and on which.
    private var rows: [(id: String, requirements: [String])] {
        events.map { ($0.id, $0.requirements) } + matrix.map { ($0.id, $0.requirements) }
            + auditItems.map { ($0.id, $0.requirements) } + uses.map { ($0.id, $0.requirements) }
            + scenarios.map { ($0.id, $0.requirements) }
    }

    private func tableRefusals() -> [Refusal] {
        let rowless = rows.filter(\.requirements.isEmpty).map { Refusal.rowMissing(id: $0.id) }
        // A matrix, where there is one, has a cell for each component and framework of it.
        let cells = Set(matrix.map { "\($0.component.rawValue) \($0.framework)" })
        let components = Component.allCases.filter { one in
            matrix.contains { $0.component == one }
        }
        let columns = frameworks.map(\.id).filter { id in
            matrix.contains { $0.framework == id }
        }
        return rowless
            + components.flatMap { component in
                columns.filter { !cells.contains("\(component.rawValue) \($0)") }
                    .map { .cellMissing(component: component, framework: $0) }
            }
    }

    private func danglingIDs() -> [Refusal] {
        references.compactMap { reference in
            reference.among.contains(reference.to)
                ? nil : .idDangling(from: reference.from, to: reference.to)
        }
    }

    private func unusedEntries() -> [Refusal] {
        let used = Set(references.map(\.to))
        let entries =
            frameworks.map(\.id) + claims.map(\.id) + tests.map(\.id) + limitations.map(\.id)
        return entries.filter { !used.contains($0) }.map { .entryUnused(id: $0) }
    }

    private func requirementRefusals() -> [Refusal] {
        requirements.flatMap { requirement -> [Refusal] in
            guard !requirement.claims.isEmpty else {
                guard requirement.manual.isEmpty || requirement.status == .manual else {
                    return [.manualOnly(id: requirement.id, status: requirement.status)]
                }
                let backed = requirement.status == .manual || requirement.status == .none
                return (backed ? [] : [.requirementUnbacked(id: requirement.id)])
                    + documentRefusals(requirement)
            }
            let ceiling = ceiling(of: requirement)
            guard requirement.status > ceiling else { return documentRefusals(requirement) }
            return [
                .statusTooHigh(id: requirement.id, status: requirement.status, ceiling: ceiling)
            ]
        }
    }

    private func documentRefusals(_ requirement: Requirement) -> [Refusal] {
        requirement.status == .manual && requirement.manual.isEmpty
            ? [.documentMissing(id: requirement.id)] : []
    }

    private func claimRefusals() -> [Refusal] {
        let known = Set(tests.map(\.id))
        return claims.flatMap { claim -> [Refusal] in
            var refusals: [Refusal] = []
            if claim.tests.isEmpty { refusals.append(.claimWithoutTest(id: claim.id)) }
            if claim.limitations.isEmpty { refusals.append(.claimWithoutLimitation(id: claim.id)) }
            return refusals
                + claim.notYetProven.filter { known.contains($0.test) }
                .map { .openPartIsTested(claim: claim.id, test: $0.test) }
        }
    }

    private func testRefusals() -> [Refusal] {
        tests.filter { $0.positiveControl.allSatisfy(\.isWhitespace) }
            .map { .testWithoutControl(id: $0.id) }
    }
}
