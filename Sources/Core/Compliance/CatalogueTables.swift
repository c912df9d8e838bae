// SPDX-License-Identifier: Apache-2.0

/// A security event that the product tells, and what it is evidence of.
package struct CatalogueEvent: Codable, Sendable, Equatable {
    package let id: String
    /// The event's `type`, as docs/reference/events.md has it.
    package let name: String
    package let origin: Origin
    /// What was seen when the event is told.
    package let seen: String
    /// Its verdicts, in the words of the event; empty: it judges nothing.
    package let outcomes: [String]
    /// Class and activity of OCSF 1.8.
    package let ocsf: String
    /// Ids of requirements that it bears on; at least one.
    package let requirements: [String]
    package let tests: [String]
    package let limitations: [String]
    package let correction: String?
}

/// What one component contributes to one framework.
package struct MatrixCell: Codable, Sendable, Equatable {
    package let id: String
    package let component: Component
    package let framework: String
    /// Ids of requirements that it stands on; at least one.
    package let requirements: [String]
    /// What may be read from the cell.
    package let reading: String
    package let correction: String?
}

/// One content of the report of `cloudtaser audit`.
package struct AuditItem: Codable, Sendable, Equatable {
    package let id: String
    package let title: String
    /// What the report says, and from where it knows.
    package let reading: String
    /// Ids of requirements that it is an input to; at least one.
    package let requirements: [String]
    package let tests: [String]
    package let limitations: [String]
    package let notYetProven: [Claim.OpenPart]
    package let correction: String?
}

/// A file of the customer that a report can be put into.
package struct ReportUse: Codable, Sendable, Equatable {
    package let id: String
    package let title: String
    package let framework: String
    /// What the provision asks for, and which part a report can be of it.
    package let reading: String
    package let requirements: [String]
    package let limitations: [String]
    package let correction: String?
}

/// How a deployment stands to third countries: declared by the customer, never inferred.
package struct DeploymentScenario: Codable, Sendable, Equatable {
    /// `SC-1` and on: the word that the customer declares.
    package let id: String
    package let title: String
    /// The legal basis that the customer records.
    package let basis: String
    /// What the product can be under it.
    package let role: String
    package let requirements: [String]
}
