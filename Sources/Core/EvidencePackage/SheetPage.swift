// SPDX-License-Identifier: Apache-2.0
internal import Compliance

/// The sheet for people: the same blocks as Markdown and as HTML.
package struct SheetPage {
    private let sheet: EvidenceSheet

    package init(_ sheet: EvidenceSheet) { self.sheet = sheet }

    package var markdown: String { PageText.markdown(blocks) }
    package var html: String { PageText.html(title: sheet.request.use.title, blocks) }

    private var blocks: [PageBlock] {
        head + rows + details + slots + population + series + rest + limits
    }

    private var head: [PageBlock] {
        let request = sheet.request
        let commits = sheet.book.commits.map { String($0.prefix(12)) }
        let counts = sheet.counts.map { "\($0.state.rawValue) \($0.count)" }
        return [.heading(1, request.use.title), .paragraph(request.use.purpose)] + reading + [
            .paragraph(
                "This sheet says what tests of the product showed. Whether the organisation meets "
                    + "a provision is a judgement about the organisation, made by people."),
            .table(
                head: ["", ""],
                rows: [
                    ["period", "\(request.from) to \(request.to) (UTC)"],
                    ["scenario", sheet.scenario ?? "undeclared"],
                ] + scenario + [
                    ["records count for", "\(request.ageDaysMax) days"],
                    [
                        "commits asked for",
                        request.commits.isEmpty ? "any" : request.commits.joined(separator: ", "),
                    ],
                    [
                        "commits of the counted records",
                        commits.isEmpty ? "none" : commits.joined(separator: ", "),
                    ],
                    [
                        "records",
                        "\(sheet.book.counted.count) counted, \(sheet.book.notCounted.count) not",
                    ],
                    ["rows", counts.isEmpty ? "none" : counts.joined(separator: ", ")],
                    ["catalogue", "revised \(sheet.publication.revised.text)"],
                ]),
            .heading(2, "Open points"),
            sheet.openPoints.isEmpty ? .paragraph("None.") : .list(sheet.openPoints),
        ]
    }

    /// What the provision asks for, in the catalogue's words.
    private var reading: [PageBlock] {
        sheet.catalogue.uses.filter { sheet.request.use.frameworks.contains($0.framework) }
            .map { .paragraph($0.reading) }
    }

    /// How the catalogue reads the declared scenario.
    private var scenario: [[String]] {
        let id = sheet.request.scenario?.id
        return sheet.catalogue.scenarios.filter { $0.id == id }.flatMap {
            [["legal basis to be recorded", $0.basis], ["role of the product", $0.role]]
        }
    }

    private var rows: [PageBlock] {
        [.heading(2, "Rows"), sheet.rows.isEmpty ? .paragraph("None.") : table]
    }

    private var table: PageBlock {
        switch sheet.request.use {
        case .soa: controls
        default:
            .table(
                head: ["row", "reference", "claimed", "result", "tests", "limitations"],
                rows: sheet.rows.map { row in
                    [
                        row.requirement.id,
                        "\(row.requirement.reference) \(row.requirement.title)",
                        row.requirement.status.rawValue, row.state.rawValue,
                        row.tests.map(\.test.id).joined(separator: ", "),
                        row.limitations.map(\.id).joined(separator: ", "),
                    ]
                })
        }
    }

    /// As a Statement of Applicability is laid out.
    private var controls: PageBlock {
        .table(
            head: [
                "control", "title", "applicable, and why", "product contributes", "result",
                "references",
            ],
            rows: sheet.rows.map { row in
                [
                    row.requirement.reference, row.requirement.title,
                    "the organisation's decision (slot soa-exclusions)",
                    row.requirement.status.rawValue, row.state.rawValue,
                    (row.claims.map(\.id) + row.tests.map(\.test.id)).joined(separator: ", "),
                ]
            })
    }

    private var details: [PageBlock] {
        sheet.rows.flatMap { row -> [PageBlock] in
            var blocks: [PageBlock] = [
                .heading(3, "\(row.requirement.id): \(row.requirement.reference)"),
                .paragraph("\(row.requirement.title). \(row.requirement.text)"),
            ]
            if !row.requirement.permittedClaim.isEmpty {
                blocks.append(.paragraph("What may be said: \(row.requirement.permittedClaim)"))
            }
            if !row.requirement.duty.isEmpty {
                blocks.append(.paragraph("Left to the organisation: \(row.requirement.duty)"))
            }
            guard !row.claims.isEmpty else { return blocks + [.paragraph("Nothing is claimed.")] }
            blocks += row.claims.map { .paragraph("\($0.id): \($0.text)") }
            blocks.append(
                .table(
                    head: ["test", "kind", "result", "records"],
                    rows: row.tests.map { test in
                        [
                            test.test.id, test.test.kind.rawValue, Self.text(of: test),
                            test.records.map(\.file.path).joined(separator: ", "),
                        ]
                    }))
            let open = row.claims.flatMap(\.notYetProven).map { "\($0.test): \($0.text)" }
            if !open.isEmpty { blocks += [.paragraph("Not yet proven:"), .list(open)] }
            return blocks
        }
    }

    private static func text(of test: SheetRow.Test) -> String {
        guard test.test.kind == .limits, test.state == .passed else { return test.state.text }
        return "pass: the leak was seen, as the limitation says"
    }

    private var slots: [PageBlock] {
        [
            .heading(2, "What the organisation adds"),
            .table(
                head: ["slot", "what", "state", "owner", "date", "statement", "attachment"],
                rows: sheet.slots.map { filled in
                    guard let item = filled.item else {
                        return [filled.slot.id, filled.slot.title, "OPEN", "", "", "", ""]
                    }
                    return [
                        filled.slot.id, filled.slot.title, "filled", item.owner,
                        item.date.description, item.statement, item.path ?? "",
                    ]
                }),
        ]
    }

    private var population: [PageBlock] {
        guard let last = sheet.audits.last else {
            return [
                .heading(2, "Population"),
                .paragraph("No audit of the period was given: the population is not known."),
            ]
        }
        let parts = AuditSnapshot.standings.map { "\(last.counts[$0] ?? 0) \($0)" }
        return [
            .heading(2, "Population"),
            .paragraph(
                "Containers at \(last.time.text), by \(last.path): "
                    + parts.joined(separator: " + ") + " = \(last.total)."),
        ]
    }

    private var series: [PageBlock] {
        guard sheet.request.use.hasSeries else { return [] }
        let gaps = SeriesGap.all(of: sheet.days)
        return [
            .heading(2, "Gaps"),
            gaps.isEmpty
                ? .paragraph("None.")
                : .table(
                    head: ["from", "to", "days", "missing"],
                    rows: gaps.map {
                        [$0.first.description, $0.last.description, "\($0.days)", $0.text]
                    }),
            .heading(2, "Series"),
            .table(
                head: ["day", "audits"] + AuditSnapshot.standings
                    + ["findings", "tests passed", "gap"],
                rows: sheet.days.map(line)),
        ]
    }

    private func line(_ day: SeriesDay) -> [String] {
        let last = day.audits.last
        return [day.day.description, "\(day.audits.count)"]
            + AuditSnapshot.standings.map { standing in
                last.map { "\($0.counts[standing] ?? 0)" } ?? "-"
            } + [
                last.map { "\($0.findings.values.reduce(0, +))" } ?? "-",
                "\(day.tests["pass"] ?? 0) of \(day.testTotal)",
                day.gaps.joined(separator: "; "),
            ]
    }

    private var rest: [PageBlock] {
        var blocks: [PageBlock] = []
        if !sheet.book.notCounted.isEmpty {
            blocks += [
                .heading(2, "Records that are not counted"),
                .table(
                    head: ["record", "why"],
                    rows: sheet.book.notCounted.map { [$0.file.path, $0.reason.description] }),
            ]
        }
        if !sheet.auditsUnread.isEmpty || !sheet.auditsOutside.isEmpty {
            blocks += [
                .heading(2, "Audits that are not counted"),
                .list(
                    sheet.auditsUnread
                        + sheet.auditsOutside.map { "\($0.name): outside the period" }),
            ]
        }
        return blocks
    }

    private var limits: [PageBlock] {
        let limitations = sheet.catalogue.limitations(of: sheet.rows.map(\.requirement))
        guard !limitations.isEmpty else { return [] }
        return [
            .heading(2, "What this does not show"),
            .list(limitations.map { "\($0.id): \($0.text)" }),
        ]
    }
}
