// SPDX-License-Identifier: Apache-2.0

/// A law, standard or recommendation that requirements are quoted from.
package struct Framework: Codable, Sendable, Equatable {
    package let id: String
    package let title: String
    /// The act or edition that was read.
    package let source: String
    /// What may be reprinted of its text.
    package let textLicence: String
    /// Whether only titles may be printed: ISO and AICPA hold the copyright of the rest.
    package let titlesOnly: Bool
    /// Name of its page without the suffix; nil: the id in lower case.
    package let page: String?

    package init(
        id: String, title: String, source: String, textLicence: String, titlesOnly: Bool = false,
        page: String? = nil
    ) {
        self.id = id
        self.title = title
        self.source = source
        self.textLicence = textLicence
        self.titlesOnly = titlesOnly
        self.page = page
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            id: try values.decode(String.self, forKey: .id),
            title: try values.decode(String.self, forKey: .title),
            source: try values.decode(String.self, forKey: .source),
            textLicence: try values.decode(String.self, forKey: .textLicence),
            titlesOnly: try values.decodeIfPresent(Bool.self, forKey: .titlesOnly) ?? false,
            page: try values.decodeIfPresent(String.self, forKey: .page))
    }
}

/// How far a requirement is backed, weakest first.
package enum Status: String, Codable, Sendable, CaseIterable, Comparable {
    /// Nothing is claimed.
    case none
    /// The customer's own decision or document; a program cannot show it.
    case manual
    /// The product contributes an input, no test shows the requirement itself.
    case indirect
    /// Tests show a part; the page says which part is open.
    case partial
    /// Every part that is claimed is shown by a test.
    case direct

    package static func < (left: Status, right: Status) -> Bool {
        left.rank < right.rank
    }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// One sentence that the product says about itself.
package struct Claim: Codable, Sendable, Equatable {
    /// A part of the subject that no test shows yet.
    package struct OpenPart: Codable, Sendable, Equatable {
        /// Id of the test that will show it; it must not be in the catalogue yet.
        package let test: String
        package let text: String
    }

    package let id: String
    package let text: String
    package let tests: [String]
    package let limitations: [String]
    package let notYetProven: [OpenPart]
}

/// One experiment, with the control that makes its result mean something.
package struct EvidenceTest: Codable, Sendable, Equatable {
    /// `shows`: the protection holds. `limits`: the leak is there, as the limitation says.
    package enum Kind: String, Codable, Sendable { case shows, limits }

    package let id: String
    package let kind: Kind
    /// What is done, and what must be observed.
    package let experiment: String
    package let expected: String
    /// The same experiment where it must give the opposite.
    package let positiveControl: String
    /// The command that runs it.
    package let command: String
}

/// What is not protected, and has to be said next to every claim it touches.
package struct Limitation: Codable, Sendable, Equatable {
    package let id: String
    package let text: String
    /// Tests that show the leak; empty when it is known from documentation alone.
    package let shownBy: [String]
}

/// Everything that the pages are made of: one JSON array for each kind.
package struct Catalogue: Sendable, Equatable {
    package let frameworks: [Framework]
    package let requirements: [Requirement]
    package let claims: [Claim]
    package let tests: [EvidenceTest]
    package let limitations: [Limitation]
    package let events: [CatalogueEvent]
    package let matrix: [MatrixCell]
    package let auditItems: [AuditItem]
    package let uses: [ReportUse]
    package let scenarios: [DeploymentScenario]

    package init(
        frameworks: [Framework], requirements: [Requirement], claims: [Claim],
        tests: [EvidenceTest], limitations: [Limitation], events: [CatalogueEvent] = [],
        matrix: [MatrixCell] = [], auditItems: [AuditItem] = [], uses: [ReportUse] = [],
        scenarios: [DeploymentScenario] = []
    ) {
        self.frameworks = frameworks
        self.requirements = requirements
        self.claims = claims
        self.tests = tests
        self.limitations = limitations
        self.events = events
        self.matrix = matrix
        self.auditItems = auditItems
        self.uses = uses
        self.scenarios = scenarios
    }

    /// The claims of `requirement`, in its order. Dangling ids are left out; `Refusal` finds them.
    package func claims(of requirement: Requirement) -> [Claim] {
        requirement.claims.compactMap { id in claims.first { $0.id == id } }
    }

    /// The tests of `claim`, in its order.
    package func tests(of claim: Claim) -> [EvidenceTest] {
        claim.tests.compactMap { id in tests.first { $0.id == id } }
    }

    /// The best status that the tests behind `requirement` allow: nothing above its weakest test.
    ///
    /// A claim whose tests all show leaks says what is not protected. Alone it makes a requirement
    /// `indirect` at best; beside claims about a protection it keeps them from being `direct`.
    package func ceiling(of requirement: Requirement) -> Status {
        let claims = claims(of: requirement)
        guard !claims.isEmpty else { return .manual }
        let kinds = claims.map { claim in (claim, Set(tests(of: claim).map(\.kind))) }
        guard kinds.contains(where: { $0.1.contains(.shows) }) else { return .indirect }
        return kinds.map { claim, kinds in
            if kinds.isEmpty { return Status.indirect }
            return kinds.contains(.limits) || !claim.notYetProven.isEmpty ? .partial : .direct
        }.min() ?? .none
    }
}
