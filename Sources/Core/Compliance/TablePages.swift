// SPDX-License-Identifier: Apache-2.0

extension CompliancePages {
    var claimsPage: String {
        let sections = catalogue.claims.map { claim in
            let rows = catalogue.requirements.filter { $0.claims.contains(claim.id) }.map(\.id)
            let open = claim.notYetProven.map { "- `\($0.test)`: \($0.text)" }
            let limits = claim.limitations.compactMap { id in
                catalogue.limitations.first { $0.id == id }
            }.map { "- `\($0.id)`: \($0.text)" }
            let openPart = open.isEmpty ? [] : ["Not yet proven:", open.joined(separator: "\n")]
            return
                ([
                    "### \(claim.id)", claim.text,
                    "Tests: \(links(claim.tests, on: "tests.md")).", "Limits:",
                    limits.joined(separator: "\n"),
                ] + openPart + ["Rows: " + rows.map(link(to:)).joined(separator: ", ")])
                .joined(separator: "\n\n")
        }
        return """
            \(Self.notice)
            # Claims

            The sentences that rows are made of. Each says no more than its tests observe.
            [All pages](README.md)

            \(sections.joined(separator: "\n\n"))

            """
    }

    var testsPage: String {
        let sections = catalogue.tests.map { test in
            """
            ### \(test.id)

            Kind `\(test.kind.rawValue)`, run by `\(test.command)`.

            - Experiment: \(test.experiment)
            - Must be observed: \(test.expected)
            - Positive control: \(test.positiveControl)
            """
        }
        return """
            \(Self.notice)
            # Tests

            Kind `shows`: the protection holds. Kind `limits`: the leak is there, as the limitation
            says; such a test fails when it does not see the leak. Results are measured, not
            written here: each run leaves one record for each test and kernel in `build/evidence`,
            and `cloudtaser evidence report --records build/evidence` prints them.
            [All pages](README.md)

            \(sections.joined(separator: "\n\n"))

            """
    }

    var limitationsPage: String {
        let sections = catalogue.limitations.map { limit in
            """
            ### \(limit.id)

            \(limit.text)

            Shown by: \(limit.shownBy.isEmpty
                ? "documentation only" : links(limit.shownBy, on: "tests.md"))
            """
        }
        return """
            \(Self.notice)
            # Limitations

            What is not protected. Each is named next to every claim that it touches.
            [All pages](README.md)

            \(sections.joined(separator: "\n\n"))

            """
    }

    var eventsPage: String {
        let rows = catalogue.events.map { event in
            cells([
                "`\(event.name)`" + (event.origin == .added ? " (added)" : ""), event.seen,
                event.outcomes.isEmpty ? "–" : event.outcomes.joined(separator: ", "), event.ocsf,
                event.requirements.map(link(to:)).joined(separator: ", "),
                links(event.tests, on: "tests.md"), links(event.limitations, on: "limitations.md"),
            ])
        }
        return """
            \(Self.notice)
            # Events as evidence

            What the agent tells, and which rows it is an input to. Fields, chain and delivery:
            [Events](../reference/events.md). `denied`: refused before it had an effect. `killed`:
            killed after it had begun, bytes may have left. `observed`: it went on. What was tried
            is in the event's `vector`: pidfd_getfd, io_uring and the load of a crash kernel have
            vectors and no type of their own. An event is not an incident: classifying it is the
            customer's.
            [All pages](README.md)

            | event | told when | verdicts | OCSF 1.8 | rows | tests | limits |
            |---|---|---|---|---|---|---|
            \(rows.joined(separator: "\n"))

            ## Corrections

            \(corrections(catalogue.events.map { ($0.name, $0.correction) }))

            """
    }

    var matrixPage: String {
        let columns = catalogue.frameworks.filter { framework in
            catalogue.matrix.contains { $0.framework == framework.id }
        }
        let sections = Component.allCases.compactMap { component -> String? in
            let cellsOfIt = catalogue.matrix.filter { $0.component == component }
            guard !cellsOfIt.isEmpty else { return nil }
            let rows = columns.flatMap { framework in
                cellsOfIt.filter { $0.framework == framework.id }.map { cell in
                    cells([
                        framework.title, cell.reading,
                        cell.requirements.map(link(to:)).joined(separator: ", "),
                    ])
                }
            }
            return """
                ## \(component.title)

                | framework | what it contributes | rows |
                |---|---|---|
                \(rows.joined(separator: "\n"))
                """
        }
        return """
            \(Self.notice)
            # Components and frameworks

            What may be read from each cell. The rows say how far tests back it.
            [All pages](README.md)

            \(sections.joined(separator: "\n\n"))

            ## Corrections

            \(corrections(catalogue.matrix.map { ("\($0.component.title), \($0.framework)",
                $0.correction) }))

            """
    }

    var auditPage: String {
        let items = catalogue.auditItems.map { item in
            let open = item.notYetProven.map { "`\($0.test)`: \($0.text)" }
            return cells([
                item.title, item.reading, item.requirements.map(link(to:)).joined(separator: ", "),
                links(item.tests, on: "tests.md"), links(item.limitations, on: "limitations.md"),
                open.isEmpty ? "–" : open.joined(separator: " "),
            ])
        }
        return """
            \(Self.notice)
            # The audit report and its uses

            What `cloudtaser audit` reports, and which files of the customer a report can go into.
            [All pages](README.md)

            ## Contents

            | content | what it says, and from where | rows | tests | limits | not yet proven |
            |---|---|---|---|---|---|
            \(items.joined(separator: "\n"))

            \(corrections(catalogue.auditItems.map { ($0.title, $0.correction) }))

            \(useSection(catalogue.uses))

            """
    }

    private func corrections(_ entries: [(String, String?)]) -> String {
        entries.compactMap { name, text in text.map { Self.corrected("\(name): \($0)") } }
            .joined(separator: "\n\n")
    }
}
