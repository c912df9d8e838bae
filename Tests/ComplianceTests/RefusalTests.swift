// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Compliance

/// A small catalogue that may be printed; each test spoils one thing in a copy of its parts.
struct SmallCatalogue {
    var requirement = Requirement(
        id: "R-1", framework: "F", reference: "Art. 1", title: "Title", text: "Do it.",
        status: .partial, claims: ["C-1"], permittedClaim: "A part.", duty: "The rest.")
    var claim = Claim(
        id: "C-1", text: "It is done.", tests: ["T-1"], limitations: ["L-1"],
        notYetProven: [Claim.OpenPart(test: "T-9", text: "The rest.")])
    var test = EvidenceTest(
        id: "T-1", kind: .shows, experiment: "try it", expected: "it fails",
        positiveControl: "it succeeds without the product", command: "make vm-test")
    var limitation = Limitation(id: "L-1", text: "Not the rest.", shownBy: [])

    var catalogue: Catalogue {
        Catalogue(
            frameworks: [Framework(id: "F", title: "Law", source: "Act", textLicence: "own")],
            requirements: [requirement], claims: [claim], tests: [test], limitations: [limitation])
    }

    static func test(
        _ id: String, kind: EvidenceTest.Kind = .shows, control: String = "a control"
    ) -> EvidenceTest {
        EvidenceTest(
            id: id, kind: kind, experiment: "try it", expected: "it fails",
            positiveControl: control, command: "make vm-test")
    }

    static func claim(
        text: String = "It is done.", tests: [String] = ["T-1"], limitations: [String] = ["L-1"],
        open: [Claim.OpenPart] = []
    ) -> Claim {
        Claim(id: "C-1", text: text, tests: tests, limitations: limitations, notYetProven: open)
    }

    static func requirement(status: Status, claims: [String] = ["C-1"]) -> Requirement {
        Requirement(
            id: "R-1", framework: "F", reference: "Art. 1", title: "Title", text: "Do it.",
            status: status, claims: claims, permittedClaim: "A part.", duty: "The rest.")
    }
}

@Suite("A catalogue is refused when it claims more than it shows")
struct RefusalTests {
    @Test("the catalogue that the other tests spoil is not refused")
    func control() {
        #expect(SmallCatalogue().catalogue.refusals() == [])
    }

    @Test("a requirement has a claim, or says that it has none")
    func unbacked() {
        var small = SmallCatalogue()
        small.requirement = SmallCatalogue.requirement(status: .direct, claims: [])
        #expect(small.catalogue.refusals().contains(.requirementUnbacked(id: "R-1")))
        for status in [Status.manual, .none] {
            small.requirement = SmallCatalogue.requirement(status: status, claims: [])
            #expect(!small.catalogue.refusals().contains(.requirementUnbacked(id: "R-1")))
        }
    }

    @Test("a claim has a test and a limitation")
    func claimParts() {
        var small = SmallCatalogue()
        small.claim = SmallCatalogue.claim(tests: [], limitations: [])
        let refusals = small.catalogue.refusals()
        #expect(refusals.contains(.claimWithoutTest(id: "C-1")))
        #expect(refusals.contains(.claimWithoutLimitation(id: "C-1")))
    }

    @Test("a test has a positive control", arguments: ["", "  "])
    func testControl(control: String) {
        var small = SmallCatalogue()
        small.test = SmallCatalogue.test("T-1", control: control)
        #expect(small.catalogue.refusals().contains(.testWithoutControl(id: "T-1")))
    }

    @Test("an id that nothing has, and an entry that nothing refers to, are found")
    func references() {
        var small = SmallCatalogue()
        small.claim = SmallCatalogue.claim(tests: ["T-2"])
        let refusals = small.catalogue.refusals()
        #expect(refusals.contains(.idDangling(from: "C-1", to: "T-2")))
        #expect(refusals.contains(.entryUnused(id: "T-1")))
    }

    @Test("an id is used once")
    func repeated() {
        let small = SmallCatalogue()
        let catalogue = Catalogue(
            frameworks: small.catalogue.frameworks, requirements: [small.requirement],
            claims: [small.claim], tests: [small.test, small.test],
            limitations: [small.limitation])
        #expect(catalogue.refusals() == [.idRepeated(id: "T-1")])
    }

    @Test("open parts and tests of limits keep a status at partial")
    func ceiling() {
        var small = SmallCatalogue()
        small.requirement = SmallCatalogue.requirement(status: .direct)
        let tooHigh = Refusal.statusTooHigh(id: "R-1", status: .direct, ceiling: .partial)
        #expect(small.catalogue.refusals() == [tooHigh])
        small.claim = SmallCatalogue.claim()
        #expect(small.catalogue.refusals() == [], "nothing open, so direct is right")
        small.test = SmallCatalogue.test("T-1", kind: .limits)
        let onlyLimit = Refusal.statusTooHigh(id: "R-1", status: .direct, ceiling: .indirect)
        #expect(small.catalogue.refusals() == [onlyLimit])
    }

    @Test("a claim that only shows leaks keeps a requirement from direct, and alone from partial")
    func exposure() {
        let leak = SmallCatalogue.test("T-2", kind: .limits)
        let small = SmallCatalogue()
        func ceiling(_ claims: [String]) -> Status {
            let requirement = SmallCatalogue.requirement(status: .direct, claims: claims)
            let exposed = Claim(
                id: "C-2", text: "It leaks.", tests: ["T-2"], limitations: ["L-1"],
                notYetProven: [])
            return Catalogue(
                frameworks: small.catalogue.frameworks, requirements: [requirement],
                claims: [SmallCatalogue.claim(), exposed], tests: [small.test, leak],
                limitations: [small.limitation]
            ).ceiling(of: requirement)
        }
        #expect(ceiling(["C-1"]) == .direct, "positive control")
        #expect(ceiling(["C-1", "C-2"]) == .partial)
        #expect(ceiling(["C-2"]) == .indirect)
        #expect(ceiling([]) == .manual)
    }

    @Test("a part that is tested is not called open")
    func openPart() {
        var small = SmallCatalogue()
        small.claim = SmallCatalogue.claim(open: [Claim.OpenPart(test: "T-1", text: "The rest.")])
        #expect(
            small.catalogue.refusals() == [.openPartIsTested(claim: "C-1", test: "T-1")])
    }

    @Test(
        "no text promises what no test shows",
        arguments: Wording.bannedPhrases + Wording.bannedInCatalogue)
    func phrases(phrase: String) {
        var small = SmallCatalogue()
        small.claim = SmallCatalogue.claim(text: "It \(phrase.uppercased()) it.")
        let found = small.catalogue.refusals().contains { refusal in
            if case .phraseBanned("C-1", _) = refusal { true } else { false }
        }
        #expect(found)
    }

    @Test(
        "spaces, breaks, hyphens and what cannot be seen do not hide a promise",
        arguments: [
            "Is\u{A0}Compliant", "is  compliant", "is\n compliant", "is\tcompliant",
            "is\u{2028}compliant", "is com\u{AD}pliant", "is c\u{200B}ompliant",
            "GDPR\u{2011}compliant",
            "GDPR\u{2212}compliant", "\u{FF49}\u{FF53} compliant", "is\u{2009}compliant",
            "is **compliant**", "*is* `compliant`",
        ])
    func hidden(text: String) {
        var small = SmallCatalogue()
        small.claim = SmallCatalogue.claim(text: "It \(text).")
        #expect(
            small.catalogue.refusals().contains { refusal in
                if case .phraseBanned("C-1", _) = refusal { true } else { false }
            })
        #expect(Wording.promise(in: "It is a compliance officer's page.") == nil)
    }

    @Test("a quote that never ends hides nothing")
    func openQuote() {
        #expect(Wording.withoutQuotes("It said “safe”. It “is compliant.") != "It said . It ")
        #expect(Wording.promise(in: Wording.withoutQuotes("It “is compliant.")) != nil)
        #expect(Wording.promise(in: Wording.withoutQuotes("It said “is compliant”.")) == nil)
    }

    @Test(
        "a count is computed, never written",
        arguments: [
            "13 tests", "Twenty vectors", "20+ attacks", "13\u{A0}tests", "sixteen checks",
            "13 passing tests", "a dozen attacks", "twenty\ntests",
        ])
    func counts(text: String) {
        var small = SmallCatalogue()
        small.claim = SmallCatalogue.claim(text: "Shown by \(text).")
        let found = small.catalogue.refusals().compactMap { refusal in
            if case .countWritten("C-1", let text) = refusal { text } else { nil }
        }
        let words = text.lowercased().split { $0.isWhitespace }.filter { $0 != "a" }
        #expect(found == [words.joined(separator: " ")])
        #expect(small.catalogue.refusals().count == 1)
        #expect(Wording.writtenCount(in: "twenty-one tests") == "twenty one tests")
        #expect(
            Wording.writtenCount(in: "Article 32 asks for tests; version 2 kernels") == "2 kernels")
        #expect(Wording.writtenCount(in: "Article 32 asks for tests") == nil)
    }

    @Test("an empty text is found")
    func emptyText() {
        var small = SmallCatalogue()
        small.claim = SmallCatalogue.claim(text: " ")
        #expect(small.catalogue.refusals() == [.textEmpty(id: "C-1", key: "text")])
    }
}
