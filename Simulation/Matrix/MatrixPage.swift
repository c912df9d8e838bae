// SPDX-License-Identifier: Apache-2.0
internal import AttackCatalogue
internal import Simulation

extension AttackMatrix {
    /// A page of HTML that needs nothing else: legend, counts, one table per kernel profile, and
    /// the vectors that are not played with their reasons.
    package func html() -> String {
        let head = """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>CloudTaser attack matrix</title><style>\(Self.style)</style></head><body>
            <h1>Attack matrix</h1>

            """
        let body = counts() + legend() + profiles.map { section($0) }.joined() + notPlayed()
        return head + body + "</body></html>\n"
    }

    private static let style = """
        :root{color-scheme:light dark;--page:#fff;--text:#1d2430;--line:#c9d0da;--head:#eef1f5;\
        --blocked:#cdeccf;--detected:#fbe7b0;--exposed:#f6c4bf;--none:#eceef1}
        @media (prefers-color-scheme:dark){:root{--page:#14181f;--text:#e6e9ee;--line:#3a4350;\
        --head:#222934;--blocked:#1f4d2b;--detected:#5d4a12;--exposed:#6b2620;--none:#2a303a}}
        body{background:var(--page);color:var(--text);font:15px/1.5 system-ui,sans-serif;\
        margin:0 auto;max-width:90rem;padding:1rem}
        .wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px}
        th,td{border:1px solid var(--line);padding:.2rem .45rem;text-align:left}
        th{background:var(--head)}thead th{position:sticky;top:0}
        .blocked{background:var(--blocked)}.detected{background:var(--detected)}
        .exposed{background:var(--exposed)}.not{background:var(--none)}
        .measured{text-decoration:underline;text-underline-offset:2px}
        .wrong{outline:3px solid #d22}td span{display:block;white-space:nowrap}
        """

    private func counts() -> String {
        let total = summary
        let verdicts = CellVerdict.allCases.map {
            "<td class=\"\(Self.style(of: $0))\">\(total.byVerdict[$0] ?? 0) \($0.rawValue)</td>"
        }.joined()
        return """
            <p>\(total.vectors) vectors are known, \(total.executable) are played. Each is derived \
            by a model of the kernel and compared with the catalogue's expectation: \
            \(total.cells) cells, \(total.disagreements) disagreements. \(total.measured) cells \
            were also compared with a real kernel in a virtual machine.</p>
            <table><tr>\(verdicts)</tr></table>

            """
    }

    private func legend() -> String {
        """
        <h2>How to read it</h2>
        <ul><li><b>blocked</b>: the attacker got no byte of the secret, no control, no setting</li>
        <li><b>detected</b>: the attacker got it, and an event says so</li>
        <li><b>exposed</b>: the attacker got it, and nothing says so</li>
        <li><b>not applicable</b>: there is nothing to try</li>
        <li><span class="measured">underlined</span>: compared with a real kernel; all others are \
        modelled</li>
        <li>column <b>none</b>: no agent. <b>detect</b> and <b>deny</b> are modelled: they show \
        the planned agent (step 3)</li>
        <li>first line of a cell: the application as target; second: the wrapper</li></ul>

        """
    }

    private func section(_ profile: KernelProfile) -> String {
        let groups = ModelledDelivery.allCases.map {
            "<th colspan=\"\(EnforcementMode.modes.count)\">\($0.rawValue)</th>"
        }.joined()
        let modes = ModelledDelivery.allCases.flatMap { _ in
            EnforcementMode.modes.map { "<th>\($0.rawValue)</th>" }
        }.joined()
        let rows = catalogue.vectors.filter(\.isExecutable).map { row($0, profile.name) }
        let words =
            profile.parameters.isEmpty ? "" : " (\(profile.parameters.joined(separator: " ")))"
        return """
            <h2>Kernel \(Self.escaped(profile.name + words))</h2><div class="wide"><table><thead>
            <tr><th rowspan="2">vector</th><th rowspan="2">attacker</th>\(groups)</tr>
            <tr>\(modes)</tr></thead><tbody>
            \(rows.joined())</tbody></table></div>

            """
    }

    private func row(_ vector: CatalogueVector, _ profile: String) -> String {
        let cells = cells(vector.id, in: profile)
        let columns = ModelledDelivery.allCases.flatMap { delivery in
            EnforcementMode.modes.map { mode in
                column(
                    cells.filter {
                        $0.at.delivery == delivery.rawValue && $0.at.enforcement == mode.rawValue
                    })
            }
        }.joined()
        let title = Self.escaped("\(vector.mechanism) Residual: \(vector.residual)")
        return "<tr><th title=\"\(title)\">\(vector.id) \(Self.escaped(vector.name))</th>"
            + "<td>\(vector.attacker.rawValue)</td>\(columns)</tr>\n"
    }

    private func column(_ cells: [Cell]) -> String {
        let worst = cells.max { $0.derived.verdict.severity < $1.derived.verdict.severity }
        let lines = cells.map { cell in
            let reason = cell.expected?.reason ?? cell.derived.reason
            let mark = isMeasured(cell) ? " class=\"measured\"" : ""
            let title = Self.escaped("\(cell.at.target): \(reason) [\(cell.derived.reason)]")
            return "<span\(mark) title=\"\(title)\">\(cell.derived.verdict.rawValue)</span>"
        }.joined()
        let wrong = cells.allSatisfy(\.agrees) ? "" : " wrong"
        let style = Self.style(of: worst?.derived.verdict ?? .notApplicable)
        return "<td class=\"\(style)\(wrong)\">\(lines)</td>"
    }

    private func notPlayed() -> String {
        let rows = catalogue.vectors.compactMap { vector in
            vector.notExecutable.map { reason in
                "<tr><th>\(vector.id)</th><td>\(Self.escaped(vector.name))</td>"
                    + "<td>\(Self.escaped(reason))</td>"
                    + "<td>\(Self.escaped(vector.residual))</td></tr>\n"
            }
        }
        return """
            <h2>Not played</h2><div class="wide"><table><thead><tr><th>id</th><th>vector</th>\
            <th>why not</th><th>what is left</th></tr></thead><tbody>
            \(rows.joined())</tbody></table></div>

            """
    }

    private static func style(of verdict: CellVerdict) -> String {
        verdict == .notApplicable ? "not" : verdict.rawValue
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
        return result
    }
}
