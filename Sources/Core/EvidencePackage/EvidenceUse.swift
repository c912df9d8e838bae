// SPDX-License-Identifier: Apache-2.0

/// What a package is handed over for.
package enum EvidenceUse: String, Sendable, CaseIterable {
    case ropa, nis2, dora, soa, soc2

    package var title: String {
        switch self {
        case .ropa: "Annex to the records of processing activities: technical security measures"
        case .nis2: "Input to the cybersecurity risk-management measures of NIS2"
        case .dora: "Input to the ICT risk management of DORA and its technical standards"
        case .soa: "Input to the Statement of Applicability"
        case .soc2: "Population and series for a SOC 2 Type II examination"
        }
    }

    /// What the sheet is, and what it is not.
    var purpose: String {
        switch self {
        case .ropa:
            "A general description of technical security measures, as GDPR Art. 30(1)(g) asks for "
                + "where possible. The rest of the record is the controller's."
        case .nis2:
            "For each letter of NIS2 Art. 21(2): what the product contributes, what tests show, "
                + "and what is left to the organisation."
        case .dora:
            "For each article of DORA and of its technical standards: what the product "
                + "contributes, what tests show, and what is left to the financial entity."
        case .soa:
            "For each control of ISO/IEC 27001:2022 Annex A that the product bears on: the row's "
                + "references. Whether a control applies, and why, is the organisation's decision."
        case .soc2:
            "For each criterion: the population, and every day of the period with the audits and "
                + "test records that there are. Days without them are shown as gaps."
        }
    }

    /// Ids of frameworks whose requirements are the sheet's rows.
    package var frameworks: Set<String> {
        switch self {
        case .ropa: ["GDPR", "EDPB", "ACCESS"]
        case .nis2: ["NIS2"]
        case .dora: ["DORA"]
        case .soa: ["ISO27001"]
        case .soc2: ["SOC2"]
        }
    }

    /// What only the organisation can say, beside the slots that requirements have.
    var slots: [ManualSlot] {
        switch self {
        case .ropa:
            [
                ManualSlot(
                    "ropa-controller", "Controller, representative, data protection officer"),
                ManualSlot(
                    "ropa-processing", "Purposes, categories of persons and data, recipients"),
                ManualSlot("ropa-transfers", "Transfers, their tool, and the assessment of it"),
                ManualSlot("ropa-retention", "Time limits for erasure"),
                ManualSlot("ropa-organisational", "Organisational security measures"),
            ]
        case .nis2:
            [
                ManualSlot("nis2-approval", "Approval of the measures by the management body"),
                ManualSlot(
                    "nis2-proportionality", "Assessment of which measures are proportionate"),
            ]
        case .dora:
            [
                ManualSlot("dora-framework", "The ICT risk management framework and its review"),
                ManualSlot("dora-register", "Register of contracts with ICT third parties"),
                ManualSlot("dora-tester", "Independence of whoever ran the tests"),
            ]
        case .soa:
            [
                ManualSlot("soa-risk-treatment", "Risk treatment plan that the rows follow from"),
                ManualSlot("soa-exclusions", "Controls left out, with the reason for each"),
            ]
        case .soc2:
            [
                ManualSlot("soc2-system", "Description of the system and its boundaries"),
                ManualSlot("soc2-population", "How the population was drawn, and that it is whole"),
                ManualSlot("soc2-exceptions", "Exceptions: reason, owner, expiry"),
            ]
        }
    }

    /// Whether each day of the period is shown.
    package var hasSeries: Bool { self == .soc2 }
}

/// A place for a document of the organisation.
package struct ManualSlot: Sendable, Equatable {
    package let id: String
    package let title: String

    init(_ id: String, _ title: String) {
        self.id = id
        self.title = title
    }
}

/// Where the workloads run, one of the catalogue's scenarios, and who declared it. It decides the
/// legal reading; nothing measured tells it, and the tool never infers one.
package struct ScenarioDeclaration: Sendable, Equatable {
    package let id: String
    package let declaredBy: String

    package init(_ id: String, declaredBy: String) {
        self.id = id
        self.declaredBy = declaredBy
    }
}

/// What is asked for.
package struct PackageRequest: Sendable, Equatable {
    /// Three years and a leap day: a series has one row for each day.
    package static let daysMax = 1096
    package static let ageDaysUsual = 30
    package static let ageDaysMax = 3660

    package let use: EvidenceUse
    package let from: EvidenceDay
    package let to: EvidenceDay
    /// A record that is older than this says nothing about a day.
    package let ageDaysMax: Int
    /// Records of other commits are not counted; empty: of any commit.
    package let commits: [String]
    package let scenario: ScenarioDeclaration?

    package init(
        use: EvidenceUse, from: EvidenceDay, to: EvidenceDay,
        ageDaysMax: Int = PackageRequest.ageDaysUsual, commits: [String] = [],
        scenario: ScenarioDeclaration? = nil
    ) throws(PackageFailure) {
        guard from <= to else { throw .periodEmpty(from: from, to: to) }
        let days = to.number - from.number + 1
        guard days <= Self.daysMax else { throw .periodTooLong(days: days) }
        self.use = use
        self.from = from
        self.to = to
        self.ageDaysMax = ageDaysMax
        self.commits = commits
        self.scenario = scenario
    }

    var days: [EvidenceDay] { (from.number...to.number).map { EvidenceDay(number: $0) } }
}
