// SPDX-License-Identifier: Apache-2.0

extension CompliancePages {
    func page(of framework: Framework) -> String {
        let rows = catalogue.requirements.filter { $0.framework == framework.id }
        let uses = catalogue.uses.filter { $0.framework == framework.id }
        return """
            \(Self.notice)
            # \(framework.title)

            Source: \(framework.source). Text: \(framework.textLicence).
            [All pages](README.md) · [what a status means](README.md#status)
            \(scenarios(on: framework))
            | row | provision | status |
            |---|---|---|
            \(rows.map(entry).joined(separator: "\n"))

            \(rows.map(section).joined(separator: "\n\n"))
            \(limits(of: rows))\(uses.isEmpty ? "" : "\n" + useSection(uses) + "\n")
            """
    }

    private func entry(_ row: Requirement) -> String {
        cells([
            "[\(row.id)](#\(Self.anchor(of: row.id)))", "\(row.reference): \(row.title)",
            row.status.rawValue,
        ])
    }

    /// On the page about transfers; empty elsewhere.
    private func scenarios(on framework: Framework) -> String {
        guard framework.id == Catalogue.transfers, !catalogue.scenarios.isEmpty else { return "" }
        let table = catalogue.scenarios.map { scenario in
            cells([
                scenario.id, scenario.title, scenario.basis, scenario.role,
                scenario.requirements.map(link(to:)).joined(separator: ", "),
            ])
        }
        return """

            ## Deployment scenarios

            Which one applies is declared by the customer. It is never inferred from an address, a
            region or a certificate.

            | scenario | deployment | legal basis to record | what the product can be | rows |
            |---|---|---|---|---|
            \(table.joined(separator: "\n"))

            ## Rows

            """
    }

    private func section(_ row: Requirement) -> String {
        let claims = catalogue.claims(of: row)
        var parts = [
            "### \(row.id)",
            "**\(row.reference): \(row.title)**"
                + (row.origin == .added ? " (not in the first mapping)" : ""),
            "Asked for: \(row.text)",
            "**What may be said** (`\(row.status.rawValue)`): \(row.permittedClaim)",
            "**What the customer has to do:** \(row.duty)" + documents(of: row),
        ]
        parts.append(facts(of: row))
        let open = claims.flatMap(\.notYetProven)
        if !open.isEmpty {
            parts.append("Not yet proven:")
            parts.append(
                Self.unique(open.map { "- `\($0.test)`: \($0.text)" }).joined(separator: "\n"))
        }
        if let correction = row.correction { parts.append(Self.corrected(correction)) }
        return parts.joined(separator: "\n\n")
    }

    /// A line of its own, so that the words that it quotes are known for quotes.
    static func corrected(_ text: String) -> String { "\(Wording.correctionMark)\(text)" }

    private func documents(of row: Requirement) -> String {
        guard !row.manual.isEmpty else { return "" }
        return " To have: "
            + row.manual.map { "`\($0.rawValue)`, \($0.meaning)" }.joined(separator: "; ") + "."
    }

    /// What the row stands on, by id.
    private func facts(of row: Requirement) -> String {
        var facts: [String] = []
        if row.claims.isEmpty {
            facts.append("- Nothing is claimed.")
        } else {
            let name = row.status == .none ? "Known" : "Claims"
            facts.append("- \(name): \(links(row.claims, on: "claims.md"))")
            facts.append("- Tests: \(links(catalogue.tests(of: row).map(\.id), on: "tests.md"))")
        }
        let limits = catalogue.limitations(of: row).map(\.id)
        if !limits.isEmpty { facts.append("- Limits: \(links(limits, on: "limitations.md"))") }
        return facts.joined(separator: "\n")
    }

    /// The limits that rows of the page name, each once, with what they say.
    private func limits(of rows: [Requirement]) -> String {
        let named = Set(rows.flatMap { catalogue.limitations(of: $0) }.map(\.id))
        let lines = catalogue.limitations.filter { named.contains($0.id) }
            .map { "- `\($0.id)`: \($0.text)" }
        guard !lines.isEmpty else { return "" }
        return "\n## Limits named on this page\n\n\(lines.joined(separator: "\n"))\n"
    }

    func useSection(_ uses: [ReportUse]) -> String {
        let rows = uses.map { use in
            cells([
                use.title, use.reading, use.requirements.map(link(to:)).joined(separator: ", "),
                use.limitations.joined(separator: ", "),
            ])
        }
        let corrections = uses.compactMap { use in
            use.correction.map { Self.corrected("\(use.title): \($0)") }
        }
        return """
            ## What a report can be part of

            | file of the customer | what it asks for, and what a report is to it | rows | limits |
            |---|---|---|---|
            \(rows.joined(separator: "\n"))

            \(corrections.joined(separator: "\n\n"))
            """
    }
}

extension Catalogue {
    /// Id of the framework that deployment scenarios belong to.
    static let transfers = "EDPB"

    /// The limits of a requirement's claims and its own, each once, in the catalogue's order.
    package func limitations(of requirement: Requirement) -> [Limitation] {
        let ids = Set(claims(of: requirement).flatMap(\.limitations) + requirement.limitations)
        return limitations.filter { ids.contains($0.id) }
    }

    /// The tests of a requirement's claims, each once, in the catalogue's order.
    package func tests(of requirement: Requirement) -> [EvidenceTest] {
        let ids = Set(claims(of: requirement).flatMap(\.tests))
        return tests.filter { ids.contains($0.id) }
    }
}
