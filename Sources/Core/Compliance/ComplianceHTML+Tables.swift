// SPDX-License-Identifier: Apache-2.0

extension ComplianceHTML {
    var tables: String {
        [scenarios, matrix, events, audit, claims, tests, limits].joined(separator: "\n")
    }

    private func section(
        _ id: String, _ title: String, _ lead: String, _ columns: [String], _ rows: [String]
    ) -> String {
        guard !rows.isEmpty else { return "" }
        return """
            <section id="\(id)">
            <h2>\(html(title))</h2>
            <p>\(html(lead))</p>
            \(table(columns, rows))
            </section>
            """
    }

    private func table(_ columns: [String], _ rows: [String]) -> String {
        """
        <div class="wide"><table>
        <thead><tr>\(columns.map { "<th scope=\"col\">\(html($0))</th>" }.joined())</tr></thead>
        <tbody>
        \(rows.joined(separator: "\n"))
        </tbody></table></div>
        """
    }

    /// - Parameter content: HTML; the first is the row's head.
    private func line(_ id: String, _ content: [String]) -> String {
        let head = "<th scope=\"row\">\(content.first ?? "")</th>"
        return "<tr id=\"\(id)\">\(head)"
            + content.dropFirst().map { "<td>\($0)</td>" }.joined() + "</tr>"
    }

    private func corrected(_ text: String?) -> String {
        text.map { "<p class=\"corrected\">Corrected: \(html($0))</p>" } ?? ""
    }

    private func open(_ parts: [Claim.OpenPart]) -> String {
        parts.isEmpty
            ? "–"
            : parts.map { "<code>\($0.test)</code> \(html($0.text))" }.joined(separator: "<br>")
    }

    private var scenarios: String {
        section(
            "scenarios", "Deployment scenarios",
            "Which one applies is declared by the customer. It is never inferred from an address, "
                + "a region or a certificate.",
            ["Scenario", "Deployment", "Legal basis to record", "What the product can be", "Rows"],
            catalogue.scenarios.map { one in
                line(
                    one.id,
                    [
                        one.id, html(one.title), html(one.basis), html(one.role),
                        ids(one.requirements),
                    ])
            })
    }

    private var matrix: String {
        section(
            "matrix", "Components and frameworks",
            "What may be read from each cell; the rows say how far tests back it.",
            ["Component", "Framework", "What it contributes", "Rows"],
            catalogue.matrix.map { cell in
                let framework = catalogue.frameworks.first { $0.id == cell.framework }
                return line(
                    cell.id,
                    [
                        html(cell.component.title), html(framework?.title ?? cell.framework),
                        html(cell.reading) + corrected(cell.correction), ids(cell.requirements),
                    ])
            })
    }

    private var events: String {
        section(
            "events", "Events as evidence",
            "What the agent tells. Denied: refused before it had an effect. Killed: after it had "
                + "begun, bytes may have left. Observed: it went on. An event is not an incident.",
            ["Event", "Told when", "Verdicts", "OCSF 1.8", "Rows", "Tests", "Limits"],
            catalogue.events.map { event in
                line(
                    event.id,
                    [
                        "<code>\(event.name)</code>",
                        html(event.seen) + corrected(event.correction),
                        event.outcomes.isEmpty ? "–" : event.outcomes.joined(separator: ", "),
                        html(event.ocsf), ids(event.requirements), ids(event.tests),
                        ids(event.limitations),
                    ])
            })
    }

    private var audit: String {
        let items = catalogue.auditItems.map { item in
            line(
                item.id,
                [
                    html(item.title), html(item.reading) + corrected(item.correction),
                    ids(item.requirements), ids(item.tests), ids(item.limitations),
                    open(item.notYetProven),
                ])
        }
        let uses = catalogue.uses.map { use in
            line(
                use.id,
                [
                    html(use.title), html(use.reading) + corrected(use.correction),
                    ids(use.requirements), ids(use.limitations),
                ])
        }
        guard !items.isEmpty || !uses.isEmpty else { return "" }
        return section(
            "audit", "The audit report and its uses",
            "What a report of cloudtaser audit holds, and from where it knows.",
            ["Content", "What it says", "Rows", "Tests", "Limits", "Not yet proven"], items)
            + "\n<h3>Files that a report can go into</h3>\n"
            + table(
                ["File", "What it asks for, and what a report is to it", "Rows", "Limits"], uses)
    }

    private var claims: String {
        section(
            "claims", "Claims", "The sentences that rows are made of.",
            ["Claim", "Text", "Tests", "Limits", "Not yet proven"],
            catalogue.claims.map { claim in
                line(
                    claim.id,
                    [
                        claim.id, html(claim.text), ids(claim.tests), ids(claim.limitations),
                        open(claim.notYetProven),
                    ])
            })
    }

    private var tests: String {
        section(
            "tests", "Tests",
            "Shows: the protection holds. Limits: the leak is there, and the test fails when it "
                + "does not see it. Results are in the records of a run, not here.",
            ["Test", "Kind", "Experiment", "Must be observed", "Positive control", "Run by"],
            catalogue.tests.map { test in
                line(
                    test.id,
                    [
                        test.id, test.kind.rawValue, html(test.experiment), html(test.expected),
                        html(test.positiveControl), "<code>\(html(test.command))</code>",
                    ])
            })
    }

    private var limits: String {
        section(
            "limits", "Limitations", "What is not protected.",
            ["Limitation", "What is not protected", "Shown by"],
            catalogue.limitations.map { limit in
                line(
                    limit.id,
                    [
                        limit.id, html(limit.text),
                        limit.shownBy.isEmpty ? "documentation only" : ids(limit.shownBy),
                    ])
            })
    }
}
