// SPDX-License-Identifier: Apache-2.0
package import Compliance

/// What tests say about a requirement at the end of the period.
package enum RowState: String, Sendable, CaseIterable {
    case passed = "pass"
    case failed = "fail"
    case stale
    case notAssessed = "not-assessed"
    /// No test backs it: nothing is claimed, or it is the organisation's own document.
    case noTest = "no-test"

    /// Fails before anything else; what is not known comes before what is known to be old.
    package init(of states: [TestState]) {
        let words = Set(states.map(\.word))
        if words.isEmpty {
            self = .noTest
        } else if words.contains("fail") {
            self = .failed
        } else if words.contains("not-assessed") {
            self = .notAssessed
        } else {
            self = words.contains("stale") ? .stale : .passed
        }
    }
}

/// One requirement with everything that a reader needs next to it.
package struct SheetRow: Sendable, Equatable {
    package struct Test: Sendable, Equatable {
        package let test: EvidenceTest
        package let state: TestState
        /// The counted records that the state comes from.
        package let records: [RecordBook.Entry]
    }

    package let requirement: Requirement
    package let claims: [Claim]
    package let tests: [Test]
    package let limitations: [Limitation]
    package let state: RowState
}

/// A slot with what fills it.
package struct FilledSlot: Sendable, Equatable {
    package let slot: ManualSlot
    /// nil: open.
    package let item: ManualEvidence.Item?
}

/// Everything that one package says, before it is written in any form.
package struct EvidenceSheet: Sendable {
    package let request: PackageRequest
    package let publication: Publication
    package let catalogue: Catalogue
    package let book: RecordBook
    package let rows: [SheetRow]
    package let slots: [FilledSlot]
    /// Audits of the period, by time.
    package let audits: [AuditSnapshot]
    /// Audits that are no part of the period, by name.
    package let auditsOutside: [AuditSnapshot]
    /// Files that were to be audits and are not: the reason for each.
    package let auditsUnread: [String]
    /// One for each day, when the use has a series.
    package let days: [SeriesDay]

    /// - Throws: `slotUnknown` when `manual` fills what the package does not have,
    ///   `scenarioUnknown` when the catalogue has no such scenario.
    package init(
        request: PackageRequest, publication: Publication, catalogue: Catalogue,
        records: [RecordFile], audits: [AuditSnapshot], auditsUnread: [String] = [],
        manual: ManualEvidence = .none
    ) throws(PackageFailure) {
        self.request = request
        self.publication = publication
        self.catalogue = catalogue
        if let id = request.scenario?.id, !catalogue.scenarios.contains(where: { $0.id == id }) {
            throw .scenarioUnknown(id: id, known: catalogue.scenarios.map(\.id))
        }
        let book = RecordBook(records, request: request, catalogue: catalogue)
        self.book = book
        let requirements = catalogue.requirements.filter {
            request.use.frameworks.contains($0.framework)
        }
        rows = requirements.map { Self.row($0, catalogue, book, request.to) }
        slots = try Self.slots(of: requirements, request.use, manual)
        let period = request.from.start...request.to.end
        self.audits = audits.filter { period.contains($0.time) }
            .sorted { ($0.time.seconds, $0.name) < ($1.time.seconds, $1.name) }
        auditsOutside = audits.filter { !period.contains($0.time) }.sorted { $0.name < $1.name }
        self.auditsUnread = auditsUnread
        let tests = Set(rows.flatMap(\.tests).map(\.test.id)).sorted()
        days =
            request.use.hasSeries
            ? Self.series(request, self.audits, tests: tests, book) : []
    }

    /// The declared scenario in the catalogue's words; nil: undeclared.
    var scenario: String? {
        guard let declared = request.scenario else { return nil }
        let titles = catalogue.scenarios.filter { $0.id == declared.id }.map(\.title)
        return (["\(declared.id): \(titles.joined())"] + ["declared by \(declared.declaredBy)"])
            .joined(separator: "; ")
    }

    private static func row(
        _ requirement: Requirement, _ catalogue: Catalogue, _ book: RecordBook, _ day: EvidenceDay
    ) -> SheetRow {
        let claims = catalogue.claims(of: requirement)
        let tests = catalogue.tests(of: claims).map { test in
            SheetRow.Test(
                test: test, state: book.state(of: test.id, on: day),
                records: book.current(test.id, on: day))
        }
        return SheetRow(
            requirement: requirement, claims: claims, tests: tests,
            limitations: catalogue.limitations(of: [requirement]),
            state: RowState(of: tests.map(\.state)))
    }

    /// The use's own slots, then one for each requirement that a test alone cannot show.
    private static func slots(
        of requirements: [Requirement], _ use: EvidenceUse, _ manual: ManualEvidence
    ) throws(PackageFailure) -> [FilledSlot] {
        let needed = requirements.filter { $0.status < .partial || !$0.manual.isEmpty }
        let slots =
            use.slots + needed.map { ManualSlot($0.id, "\($0.reference) \($0.title)") }
        let known = slots.map(\.id)
        for item in manual.items where !known.contains(item.slot) {
            throw .slotUnknown(slot: item.slot, known: known)
        }
        return slots.map { slot in
            FilledSlot(slot: slot, item: manual.items.first { $0.slot == slot.id })
        }
    }

    private static func series(
        _ request: PackageRequest, _ audits: [AuditSnapshot], tests: [String], _ book: RecordBook
    ) -> [SeriesDay] {
        let byDay = Dictionary(grouping: audits) { $0.time.day }
        return request.days.map { day in
            let words = tests.map { book.state(of: $0, on: day).word }
            return SeriesDay(
                day: day, audits: byDay[day] ?? [],
                tests: Dictionary(words.map { ($0, 1) }, uniquingKeysWith: +),
                testTotal: tests.count)
        }
    }

    /// Number of rows in each state, in the states' order; states without a row are left out.
    var counts: [(state: RowState, count: Int)] {
        RowState.allCases.compactMap { state in
            let count = rows.count { $0.state == state }
            return count == 0 ? nil : (state, count)
        }
    }

    /// Tests of any row, once each, in the catalogue's order.
    package var tests: [SheetRow.Test] {
        var seen: Set<String> = []
        let all = rows.flatMap(\.tests).filter { seen.insert($0.test.id).inserted }
        let order = Dictionary(
            catalogue.tests.enumerated().map { ($1.id, $0) },
            uniquingKeysWith: { first, _ in first })
        return all.sorted { (order[$0.test.id] ?? 0) < (order[$1.test.id] ?? 0) }
    }

    /// What is open, in sentences; empty: nothing that this package asks for is missing.
    package var openPoints: [String] {
        var points: [String] = []
        if rows.isEmpty {
            points.append("the catalogue has no requirement for this use")
        }
        for state in [RowState.stale, .notAssessed] {
            let count = rows.count { $0.state == state }
            if count > 0 { points.append("\(count) of \(rows.count) rows are \(state.rawValue)") }
        }
        if !book.notCounted.isEmpty {
            points.append("\(book.notCounted.count) records are not counted")
        }
        if !auditsUnread.isEmpty {
            points.append("\(auditsUnread.count) files are no audits that can be read")
        }
        let open = slots.count { $0.item == nil }
        if open > 0 { points.append("\(open) of \(slots.count) slots are open") }
        if request.scenario == nil { points.append("the deployment scenario is undeclared") }
        let gaps = days.count { !$0.gaps.isEmpty }
        if gaps > 0 { points.append("\(gaps) of \(days.count) days have a gap") }
        return points
    }

    /// When the newest thing in the package was seen; the catalogue's date when there is none.
    var modified: EvidenceTime {
        let times = book.counted.map(\.time) + audits.map(\.time) + [publication.revised]
        return times.max() ?? publication.revised
    }
}
