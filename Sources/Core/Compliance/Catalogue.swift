// SPDX-License-Identifier: Apache-2.0

/// A law, standard or recommendation that requirements are quoted from.
package struct Framework: Codable, Sendable, Equatable {
    package let id: String
    package let title: String
    /// The act or edition that was read.
    package let source: String
    /// What may be reprinted of its text.
    package let textLicence: String
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

/// One provision of a framework.
package struct Requirement: Codable, Sendable, Equatable {
    package let id: String
    package let framework: String
    /// Article, annex or control number.
    package let reference: String
    package let title: String
    /// The provision in our own words.
    package let text: String
    package let status: Status
    /// Ids of claims; may be empty only for `manual` and `none`.
    package let claims: [String]
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

    package init(
        frameworks: [Framework], requirements: [Requirement], claims: [Claim],
        tests: [EvidenceTest], limitations: [Limitation]
    ) {
        self.frameworks = frameworks
        self.requirements = requirements
        self.claims = claims
        self.tests = tests
        self.limitations = limitations
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
    package func ceiling(of requirement: Requirement) -> Status {
        let claims = claims(of: requirement)
        guard !claims.isEmpty else { return .manual }
        return claims.map { claim in
            let tests = tests(of: claim)
            guard tests.contains(where: { $0.kind == .shows }) else { return Status.indirect }
            let limited = tests.contains { $0.kind == .limits }
            return limited || !claim.notYetProven.isEmpty ? .partial : .direct
        }.min() ?? .none
    }
}
