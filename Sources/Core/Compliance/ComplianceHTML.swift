// SPDX-License-Identifier: Apache-2.0

/// The catalogue as one page of HTML that needs nothing else: no script, no font, no request.
///
/// Filters are radio buttons and style rules, so that they work where scripts are off, and print
/// as they are set.
struct ComplianceHTML {
    let catalogue: Catalogue

    init(_ catalogue: Catalogue) {
        self.catalogue = catalogue
    }

    var page: String {
        """
        <!doctype html>
        \(CompliancePages.notice)
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>CloudTaser: compliance evidence</title>
        <style>
        \(Self.style)\(filterRules)</style>
        </head>
        <body>
        <header>
        <h1>Compliance evidence</h1>
        <p class="lead">Provision by provision: what CloudTaser may say about itself, which tests
        back that, what is not protected, and what is left to you. A row never says that an
        organisation meets a provision. Nothing here is legal advice.</p>
        <nav aria-label="Parts of this page">
        <a href="#rows">Provisions</a> <a href="#scenarios">Scenarios</a>
        <a href="#matrix">Matrix</a> <a href="#events">Events</a> <a href="#audit">Audit report</a>
        <a href="#claims">Claims</a>
        <a href="#tests">Tests</a> <a href="#limits">Limitations</a>
        </nav>
        </header>
        <main>
        \(statusSection)
        \(filters)
        <section id="rows">
        <h2>Provisions</h2>
        \(catalogue.frameworks.map(section).joined(separator: "\n"))
        </section>
        \(tables)
        </main>
        </body>
        </html>

        """
    }

    // MARK: - Head of the page

    private var statusSection: String {
        let head = Status.allCases.reversed().map { "<th scope=\"col\">\($0.rawValue)</th>" }
            .joined()
        let rows = catalogue.frameworks.map { framework in
            let members = catalogue.requirements.filter { $0.framework == framework.id }
            let counts = Status.allCases.reversed().map { status -> String in
                let count = members.count { $0.status == status }
                return "<td>\(count == 0 ? "·" : String(count))</td>"
            }.joined()
            let link = "<a href=\"#\(framework.id)\">\(html(framework.title))</a>"
            return "<tr><th scope=\"row\">\(link)</th>\(counts)</tr>"
        }
        let legend = Status.allCases.reversed().map { status in
            "<dt>\(badge(status))</dt><dd>\(html(status.meaning))</dd>"
        }
        return """
            <section id="status">
            <h2>How far it goes</h2>
            <dl class="legend">\(legend.joined())</dl>
            <div class="wide"><table class="counts">
            <thead><tr><th scope="col">Provisions of</th>\(head)</tr></thead>
            <tbody>
            \(rows.joined(separator: "\n"))
            </tbody></table></div>
            <p>Claims: \(catalogue.claims.count). Tests: \(catalogue.tests.count), each with a
            positive control. Limitations: \(catalogue.limitations.count).</p>
            </section>
            """
    }

    private var filters: String {
        let frameworks = catalogue.frameworks.map { ($0.id, $0.title) }
        let statuses = Status.allCases.reversed().map { ("status-\($0.rawValue)", $0.rawValue) }
        return """
            <div class="filters">
            \(group("framework", "Show", [("all", "All frameworks")] + frameworks))
            \(group("status", "Status", [("status-all", "Any status")] + statuses))
            </div>
            """
    }

    private func group(_ name: String, _ title: String, _ choices: [(String, String)]) -> String {
        let buttons = choices.enumerated().map { index, choice in
            "<label><input type=\"radio\" name=\"\(name)\" id=\"show-\(choice.0)\""
                + (index == 0 ? " checked" : "") + "> \(html(choice.1))</label>"
        }
        return
            "<fieldset><legend>\(html(title))</legend>\(buttons.joined(separator: "\n"))</fieldset>"
    }

    /// What is chosen hides the rest.
    private var filterRules: String {
        let frameworks = catalogue.frameworks.map { framework in
            "body:has(#show-\(framework.id):checked) .framework:not(#\(framework.id))"
        }
        let statuses = Status.allCases.map { status in
            "body:has(#show-status-\(status.rawValue):checked) .row:not(.\(status.rawValue))"
        }
        return (frameworks + statuses).joined(separator: ",\n") + " { display: none }\n"
    }

    // MARK: - Provisions

    private func section(_ framework: Framework) -> String {
        let rows = catalogue.requirements.filter { $0.framework == framework.id }
        return """
            <section class="framework" id="\(framework.id)">
            <h3>\(html(framework.title))</h3>
            <p class="source">\(html(framework.source)). Text: \(html(framework.textLicence)).</p>
            \(rows.map(article).joined(separator: "\n"))
            </section>
            """
    }

    private func article(_ row: Requirement) -> String {
        let claims = catalogue.claims(of: row)
        let tests = catalogue.tests(of: row)
        let limits = catalogue.limitations(of: row)
        let open = CompliancePages.unique(
            claims.flatMap(\.notYetProven).map {
                "<li><code>\($0.test)</code> \(html($0.text))</li>"
            })
        var parts = [
            "<article class=\"row \(row.status.rawValue)\" id=\"\(row.id)\">",
            "<header><h4><span class=\"ref\">\(html(row.reference))</span> \(html(row.title))</h4>",
            "\(badge(row.status)) <a class=\"id\" href=\"#\(row.id)\">\(row.id)</a></header>",
            "<p class=\"asked\">\(html(row.text))</p>",
            "<dl><dt>May be said</dt><dd>\(html(row.permittedClaim))</dd>",
            "<dt>Left to you</dt><dd>\(html(row.duty))\(documents(of: row))</dd>",
        ]
        if !claims.isEmpty {
            parts.append("<dt>\(row.status == .none ? "Known" : "Claims")</dt><dd>")
            parts.append(ids(claims.map(\.id)) + "</dd>")
            parts.append("<dt>Tests</dt><dd>\(ids(tests.map(\.id)))</dd>")
        }
        if !open.isEmpty {
            parts.append("<dt>Not yet proven</dt><dd><ul>\(open.joined())</ul></dd>")
        }
        if !limits.isEmpty {
            let texts = limits.map {
                "<li><a href=\"#\($0.id)\">\($0.id)</a> \(html($0.text))</li>"
            }
            parts.append(
                "<dt>Limits</dt><dd><details><summary>\(limits.map(\.id).joined(separator: " "))")
            parts.append("</summary><ul>\(texts.joined())</ul></details></dd>")
        }
        if let correction = row.correction {
            parts.append("<dt>Corrected</dt><dd class=\"corrected\">\(html(correction))</dd>")
        }
        return (parts + ["</dl></article>"]).joined(separator: "\n")
    }

    private func documents(of row: Requirement) -> String {
        row.manual.map { " <code>\($0.rawValue)</code>: \(html($0.meaning))." }.joined()
    }

    // MARK: - Pieces

    func badge(_ status: Status) -> String {
        "<span class=\"badge \(status.rawValue)\">\(status.rawValue)</span>"
    }

    /// Ids as links to where they stand on this page.
    func ids(_ ids: [String]) -> String {
        ids.isEmpty ? "–" : ids.map { "<a href=\"#\($0)\">\($0)</a>" }.joined(separator: " ")
    }
}

/// `text` with what HTML gives a meaning to written as characters, in content and in quotes.
func html(_ text: String) -> String {
    var escaped = ""
    for character in text {
        switch character {
        case "&": escaped += "&amp;"
        case "<": escaped += "&lt;"
        case ">": escaped += "&gt;"
        case "\"": escaped += "&quot;"
        default: escaped.append(character)
        }
    }
    return escaped
}
