// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Compliance

/// What stands beside requirements and claims; each test spoils one thing.
private struct Tables {
    var framework = Framework(id: "F", title: "Law", source: "Act", textLicence: "own")
    var requirement = SmallCatalogue().requirement
    var event = Self.event()
    var cells = [Self.cell()]
    var item = Self.item()
    var use = Self.use()
    var scenario = Self.scenario()

    var catalogue: Catalogue {
        let small = SmallCatalogue()
        return Catalogue(
            frameworks: [framework], requirements: [requirement], claims: [small.claim],
            tests: [small.test], limitations: [small.limitation], events: [event], matrix: cells,
            auditItems: [item], uses: [use], scenarios: [scenario])
    }

    static func event(
        requirements: [String] = ["R-1"], tests: [String] = ["T-1"], limits: [String] = ["L-1"],
        seen: String = "It is seen.", correction: String? = nil
    ) -> CatalogueEvent {
        CatalogueEvent(
            id: "EVT-1", name: "EVENT", origin: .seed, seen: seen, outcomes: ["denied"],
            ocsf: "1004 Memory Activity", requirements: requirements, tests: tests,
            limitations: limits, correction: correction)
    }

    static func cell(
        _ component: Component = .wrapper, framework: String = "F",
        requirements: [String] = ["R-1"]
    ) -> MatrixCell {
        MatrixCell(
            id: "MTX-\(component.rawValue)-\(framework)", component: component,
            framework: framework, requirements: requirements, reading: "It delivers.",
            correction: nil)
    }

    static func item(
        requirements: [String] = ["R-1"], tests: [String] = ["T-1"], limits: [String] = ["L-1"]
    ) -> AuditItem {
        AuditItem(
            id: "AUD-1", title: "Counts", reading: "They are counted.", requirements: requirements,
            tests: tests, limitations: limits, notYetProven: [], correction: nil)
    }

    static func use(
        framework: String = "F", requirements: [String] = ["R-1"], limits: [String] = ["L-1"]
    ) -> ReportUse {
        ReportUse(
            id: "USE-1", title: "Register", framework: framework, reading: "An annex.",
            requirements: requirements, limitations: limits, correction: nil)
    }

    static func scenario(requirements: [String] = ["R-1"]) -> DeploymentScenario {
        DeploymentScenario(
            id: "SC-1", title: "A region", basis: "An assessment.", role: "A measure.",
            requirements: requirements)
    }
}

@Suite("Tables are refused when they stand on nothing")
struct TableRefusalTests {
    @Test("the tables that the other tests spoil are not refused")
    func control() {
        #expect(Tables().catalogue.refusals() == [])
    }

    @Test("an event, a cell, an item, a use and a scenario without a row")
    func rowless() {
        var tables = Tables()
        tables.event = Tables.event(requirements: [])
        tables.cells = [Tables.cell(requirements: [])]
        tables.item = Tables.item(requirements: [])
        tables.use = Tables.use(requirements: [])
        tables.scenario = Tables.scenario(requirements: [])
        #expect(
            tables.catalogue.refusals()
                == ["EVT-1", "MTX-wrapper-F", "AUD-1", "USE-1", "SC-1"].map {
                    .rowMissing(id: $0)
                })
    }

    @Test("an id that nothing has, in each place that can name one")
    func dangling() {
        var tables = Tables()
        tables.event = Tables.event(requirements: ["R-9"], tests: ["T-8"], limits: ["L-9"])
        tables.cells = [Tables.cell(framework: "G", requirements: ["R-9"])]
        tables.item = Tables.item(requirements: ["R-9"], tests: ["T-8"], limits: ["L-9"])
        tables.use = Tables.use(framework: "G", requirements: ["R-9"], limits: ["L-9"])
        tables.scenario = Tables.scenario(requirements: ["R-9"])
        let small = tables.requirement
        tables.requirement = Requirement(
            id: small.id, framework: small.framework, reference: small.reference,
            title: small.title, text: small.text, status: small.status, claims: small.claims,
            permittedClaim: "A part.", duty: "The rest.", limitations: ["L-8"])
        let found = tables.catalogue.refusals().compactMap { refusal -> String? in
            if case .idDangling(let from, let to) = refusal { "\(from) \(to)" } else { nil }
        }
        #expect(
            Set(found) == [
                "EVT-1 R-9", "EVT-1 T-8", "EVT-1 L-9", "MTX-wrapper-G G", "MTX-wrapper-G R-9",
                "AUD-1 R-9", "AUD-1 T-8", "AUD-1 L-9", "USE-1 G", "USE-1 R-9", "USE-1 L-9",
                "SC-1 R-9", "R-1 L-8",
            ])
    }

    @Test("a matrix has a cell for each of its components and frameworks")
    func cells() {
        let small = SmallCatalogue()
        func refusals(_ cells: [MatrixCell]) -> [Refusal] {
            let second = Framework(id: "G", title: "Law", source: "Act", textLicence: "own")
            return Catalogue(
                frameworks: [small.catalogue.frameworks[0], second],
                requirements: [small.requirement], claims: [small.claim], tests: [small.test],
                limitations: [small.limitation], matrix: cells
            ).refusals().filter { $0 != .entryUnused(id: "G") }
        }
        let whole = [
            Tables.cell(), Tables.cell(framework: "G"), Tables.cell(.cli),
            Tables.cell(.cli, framework: "G"),
        ]
        #expect(refusals(whole) == [], "positive control")
        #expect(refusals(Array(whole[..<3])) == [.cellMissing(component: .cli, framework: "G")])
    }

    @Test("what is only the customer's says so, and names the document")
    func manual() {
        func refusals(_ status: Status, _ manual: [CustomerDocument]) -> [Refusal] {
            var tables = Tables()
            tables.requirement = Requirement(
                id: "R-1", framework: "F", reference: "Art. 1", title: "Title", text: "Do it.",
                status: status, claims: [], permittedClaim: "None.", duty: "Do it.",
                manual: manual)
            return tables.catalogue.refusals().filter { $0 != .entryUnused(id: "C-1") }
        }
        #expect(refusals(.manual, [.document]) == [], "positive control")
        #expect(refusals(.none, []) == [])
        #expect(refusals(.manual, []) == [.documentMissing(id: "R-1")])
        for status in [Status.none, .indirect, .partial, .direct] {
            #expect(refusals(status, [.document]) == [.manualOnly(id: "R-1", status: status)])
        }
    }

    @Test("a correction may quote what it takes back, and say nothing else that promises")
    func corrections() {
        var tables = Tables()
        let phrase = Wording.bannedPhrases[0]
        tables.event = Tables.event(correction: "It said “\(phrase)” of 20+ vectors.")
        #expect(
            tables.catalogue.refusals() == [.countWritten(id: "EVT-1", text: "20+ vectors")])
        tables.event = Tables.event(correction: "It said “\(phrase) by 20+ vectors”.")
        #expect(tables.catalogue.refusals() == [])
        tables.event = Tables.event(correction: "It said “this”; it is \(phrase).")
        #expect(tables.catalogue.refusals() == [.phraseBanned(id: "EVT-1", phrase: phrase)])
        tables.event = Tables.event(seen: "It is “\(phrase)”.")
        #expect(tables.catalogue.refusals() == [.phraseBanned(id: "EVT-1", phrase: phrase)])
        #expect(Wording.withoutQuotes("a “b “c” d” e” f") == "a  e” f")
    }

    @Test("of a standard under copyright only titles are printed")
    func standards() {
        func refusals(title: String = "Title", text: String, only: Bool = true) -> [Refusal] {
            var tables = Tables()
            tables.framework = Framework(
                id: "F", title: "Standard", source: "Edition", textLicence: "titles",
                titlesOnly: only)
            tables.requirement = Requirement(
                id: "R-1", framework: "F", reference: "A.1", title: title, text: text,
                status: .partial, claims: ["C-1"], permittedClaim: "A part.", duty: "The rest.")
            return tables.catalogue.refusals()
        }
        let edge = Catalogue.titleLengthMax
        #expect(refusals(title: String(repeating: "a", count: edge), text: "Do it.") == [])
        #expect(
            refusals(title: String(repeating: "a", count: edge + 1), text: "Do it.")
                == [.textOfAStandard(id: "R-1", key: "title")])
        for text in ["Rules shall be made.", "The entity makes rules."] {
            #expect(refusals(text: text) == [.textOfAStandard(id: "R-1", key: "text")])
            #expect(refusals(text: text, only: false) == [], "EU law may be worded so")
        }
        #expect(refusals(text: "The entities are shallow.") == [])
    }

    @Test("each refusal names its entry")
    func descriptions() {
        let refusals: [Refusal] = [
            .rowMissing(id: "R-1"), .manualOnly(id: "R-1", status: .none),
            .documentMissing(id: "R-1"), .textOfAStandard(id: "R-1", key: "text"),
        ]
        for refusal in refusals { #expect(refusal.description.hasPrefix("R-1: ")) }
    }
}
