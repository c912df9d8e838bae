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
        let body =
            counts() + legend() + contents() + profiles.map { section($0) }.joined() + notPlayed()
        return head + body + "</body></html>\n"
    }

    private static let style = """
        :root{color-scheme:light dark;--page:#fff;--text:#1d2430;--faint:#6b7482;--line:#c9d0da;\
        --strong:#8a94a3;--head:#eef1f5;--blocked:#cdeccf;--detected:#fbe7b0;--exposed:#f6c4bf}
        @media (prefers-color-scheme:dark){:root{--page:#14181f;--text:#e6e9ee;--faint:#98a2b1;\
        --line:#3a4350;--strong:#77828f;--head:#222934;--blocked:#1f4d2b;--detected:#5d4a12;\
        --exposed:#6b2620}}
        body{background:var(--page);color:var(--text);font:15px/1.5 system-ui,sans-serif;\
        margin:0 auto;padding:1rem}
        p,ul{max-width:60rem}code{overflow-wrap:anywhere}
        nav a{display:inline-block;margin-right:1rem;color:inherit}
        .wide{overflow:auto;max-height:92vh;max-width:max-content;border:1px solid var(--line)}
        table{border-collapse:separate;border-spacing:0;font-size:13px}
        th,td{border:solid var(--line);border-width:0 1px 1px 0;padding:.15rem .4rem;\
        text-align:left;vertical-align:top}
        th{background:var(--head);font-weight:600}
        .wide td{vertical-align:middle}
        thead th{position:sticky;top:0;z-index:2;line-height:1.2rem}\
        thead tr+tr th{top:calc(1.5rem + 1px)}
        tbody th{position:sticky;left:0;z-index:1;min-width:16rem;max-width:24rem;\
        font-weight:400;vertical-align:middle}thead th:first-child{left:0;z-index:3}
        .cell{padding:0;min-width:4.6rem}.group{border-left:2px solid var(--strong)}
        .cell span{display:block;padding:.1rem .4rem}
        .blocked{background:var(--blocked)}.detected{background:var(--detected)}
        .exposed{background:var(--exposed)}.not{color:var(--faint)}
        .measured{text-decoration:underline;text-underline-offset:2px}
        .wrong{outline:3px solid #d22;outline-offset:-3px}
        @media (max-width:40rem){tbody th{min-width:8rem;max-width:10rem}}
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
            were also compared with a real kernel in a virtual machine. \(total.onModelledKernels) \
            cells are on kernels that are modelled, not measured: nobody booted one.</p>
            <table><tr>\(verdicts)</tr></table>

            """
    }

    private func legend() -> String {
        """
        <h2>How to read it</h2>
        <ul><li><span class="blocked">blocked</span>: the attacker got no byte of the secret, no \
        control, no setting</li>
        <li><span class="detected">detected</span>: the attacker got it, and an event says so</li>
        <li><span class="exposed">exposed</span>: the attacker got it, and nothing says so</li>
        <li><span class="not">–</span>: not applicable, there is nothing to try</li>
        <li><span class="measured">underlined</span>: compared with a real kernel; all others are \
        modelled</li>
        <li>Columns: how the secret was delivered, and below it what watches. <b>none</b>: no \
        agent. <b>detect</b>, <b>deny</b> and <b>deny+kill</b> are modelled: they show the planned \
        agent (step 3)</li>
        <li>One word in a cell: the application and the wrapper as targets alike. Two words: the \
        application first, then the wrapper. Hold the pointer over a word for the reason</li></ul>

        """
    }

    private func contents() -> String {
        let links = profiles.map {
            "<a href=\"#\(Self.anchor(of: $0))\">\(Self.escaped($0.title))</a>"
        }
        return "<nav>Kernels: \(links.joined()) <a href=\"#not-played\">not played</a></nav>\n"
    }

    private static func anchor(of profile: KernelProfile) -> String {
        escaped("kernel-\(profile.name)")
    }

    private func section(_ profile: KernelProfile) -> String {
        let groups = ModelledDelivery.allCases.map {
            "<th class=\"group\" colspan=\"\(EnforcementMode.modes.count)\">\($0.rawValue)</th>"
        }.joined()
        let modes = ModelledDelivery.allCases.flatMap { _ in
            EnforcementMode.modes.map { mode in
                "<th\(mode == .none ? " class=\"group\"" : "")>\(mode.rawValue)</th>"
            }
        }.joined()
        let rows = catalogue.vectors.filter(\.isExecutable).map { row($0, profile.name) }
        let words = profile.parameters.map { "<code>\(Self.escaped($0))</code>" }
        let boot = words.isEmpty ? "" : "<p>Booted with \(words.joined(separator: " "))</p>"
        return """
            <h2 id="\(Self.anchor(of: profile))">Kernel \(Self.escaped(profile.title))</h2>
            \(boot)
            <div class="wide"><table><thead>
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
                    }, beginsGroup: mode == .none)
            }
        }.joined()
        let title = Self.escaped("\(vector.mechanism) Residual: \(vector.residual)")
        return "<tr><th title=\"\(title)\">\(vector.id) \(Self.escaped(vector.name))</th>"
            + "<td>\(vector.attacker.rawValue)</td>\(columns)</tr>\n"
    }

    /// A word for each target; one for both when nothing tells them apart.
    private func column(_ cells: [Cell], beginsGroup: Bool) -> String {
        let words = cells.map { Word($0, isMeasured: isMeasured($0)) }
        let isAlike = words.allSatisfy { $0.style == words.first?.style }
        let group = beginsGroup ? " group" : ""
        let wrong = cells.allSatisfy(\.agrees) ? "" : " wrong"
        if isAlike, let word = words.first {
            let reasons = Self.escaped(words.map(\.reason).joined(separator: " · "))
            return "<td class=\"cell\(group)\(wrong) \(word.style)\" title=\"\(reasons)\">"
                + "<span>\(word.text)</span></td>"
        }
        let lines = words.map { word in
            "<span class=\"\(word.style)\" title=\"\(Self.escaped(word.reason))\">"
                + "\(word.text)</span>"
        }
        return "<td class=\"cell\(group)\(wrong)\">\(lines.joined())</td>"
    }

    /// What a cell shows of one target.
    private struct Word {
        let text: String
        let style: String
        let reason: String

        init(_ cell: Cell, isMeasured: Bool) {
            let verdict = cell.derived.verdict
            text = verdict == .notApplicable ? "–" : verdict.rawValue
            style = AttackMatrix.style(of: verdict) + (isMeasured ? " measured" : "")
            let expected = cell.expected?.reason ?? cell.derived.reason
            reason =
                "\(cell.at.target): \(verdict.rawValue), \(expected) [\(cell.derived.reason)]"
        }
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
            <h2 id="not-played">Not played</h2>
            <div class="wide"><table><thead><tr><th>id</th><th>vector</th>\
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
