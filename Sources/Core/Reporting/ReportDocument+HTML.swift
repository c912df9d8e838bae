// SPDX-License-Identifier: Apache-2.0
internal import Inventory

extension ReportDocument {
    /// One page that needs nothing else: no script, no font, no picture, no request. Ends in one
    /// newline.
    package var html: String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="Content-Security-Policy" \
        content="default-src 'none'; style-src 'unsafe-inline'">
        <title>\(Self.escaped(title))</title>
        <style>
        \(Self.style)
        </style>
        </head>
        <body>
        <header>
        <h1>\(Self.escaped(title))</h1>
        <dl>\(header.map(Self.fact).joined())</dl>
        </header>
        <main>
        <p class="verdict">\(Self.escaped(verdict))</p>
        <ul class="figures">\(figures.map(Self.figure).joined())</ul>
        \(contents)
        \(sections.enumerated().map(Self.section).joined(separator: "\n"))
        </main>
        </body>
        </html>

        """
    }

    private var contents: String {
        guard sections.count > 1 else { return "" }
        let links = sections.enumerated().map { index, section in
            "<li><a href=\"#s\(index)\">\(Self.escaped(section.title))</a></li>"
        }
        return "<nav><ul>\(links.joined())</ul></nav>"
    }

    private static func fact(_ entry: (name: String, value: String)) -> String {
        "<div><dt>\(escaped(entry.name))</dt><dd>\(escaped(entry.value))</dd></div>"
    }

    private static func figure(_ figure: Figure) -> String {
        "<li class=\"\(figure.tone.rawValue)\"><b>\(escaped(figure.value))</b> "
            + "\(escaped(figure.label))</li>"
    }

    private static func section(_ entry: (offset: Int, element: Section)) -> String {
        let (index, section) = entry
        let text = section.text.map { "<p>\(escaped($0))</p>" }.joined(separator: "\n")
        return """
            <section id="s\(index)">
            <h2>\(escaped(section.title))</h2>
            \(text)
            \(section.table.map(table) ?? "")
            </section>
            """
    }

    private static func table(_ table: Table) -> String {
        let head = table.head.map { "<th scope=\"col\">\(escaped($0))</th>" }.joined()
        let rows = table.rows.map { row in
            "<tr>" + row.map(cell).joined() + "</tr>"
        }
        return """
            <div class="wide"><table>
            <thead><tr>\(head)</tr></thead>
            <tbody>
            \(rows.joined(separator: "\n"))
            </tbody>
            </table></div>
            """
    }

    /// Words that say how it is get a colour, and stay words.
    private static let words: Set = [
        "critical", "high", "medium", "low", "info", "protected", "unprotected", "excluded",
        "unreadable", "blocked", "detected", "exposed", "unknown",
    ]

    private static func cell(_ text: String) -> String {
        // A finding's id stays in one piece.
        if text.utf8.count == 6, text.hasPrefix("CT"), text.dropFirst(2).allSatisfy(\.isNumber) {
            return "<td class=\"id\">\(escaped(text))</td>"
        }
        return words.contains(text)
            ? "<td><span class=\"w \(text)\">\(text)</span></td>" : "<td>\(escaped(text))</td>"
    }

    static func escaped(_ text: String) -> String {
        TextTable.neutral(text).reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.append(character)
            }
        }
    }

    private static let style = """
        :root{color-scheme:light dark;--b:#fff;--f:#1b1f24;--m:#59636e;--l:#d1d9e0;--c:#f6f8fa;\
        --g:#1a7f37;--r:#cf222e;--y:#9a6700}
        @media(prefers-color-scheme:dark){:root{--b:#0d1117;--f:#e6edf3;--m:#9198a1;--l:#3d444d;\
        --c:#151b23;--g:#3fb950;--r:#f85149;--y:#d29922}}
        *{box-sizing:border-box}
        body{margin:0 auto;max-width:72rem;padding:1.5rem;background:var(--b);color:var(--f);\
        font:16px/1.5 system-ui,sans-serif}
        h1{font-size:1.7rem;margin:.2em 0}
        h2{font-size:1.2rem;margin:2.2em 0 .4em;border-bottom:1px solid var(--l)}
        dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(16rem,1fr));gap:.4rem 1.5rem}
        dt{color:var(--m);font-size:.85rem}
        dd{margin:0;overflow-wrap:anywhere}
        .verdict{font-size:1.15rem;padding:.8rem 1rem;background:var(--c);\
        border-left:4px solid var(--m);overflow-wrap:anywhere}
        .figures{display:flex;flex-wrap:wrap;gap:.8rem;padding:0;list-style:none}
        .figures li{flex:1 1 8rem;padding:.7rem 1rem;border:1px solid var(--l);border-radius:.5rem;\
        color:var(--m)}
        .figures b{display:block;font-size:1.8rem;line-height:1.2;color:var(--f)}
        .figures .good b{color:var(--g)}
        .figures .bad b{color:var(--r)}
        nav ul{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;padding:0;list-style:none}
        a{color:inherit}
        .wide{overflow-x:auto}
        table{border-collapse:collapse;width:100%;font-size:.9rem}
        th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;\
        border-bottom:1px solid var(--l);overflow-wrap:anywhere}
        th{position:sticky;top:0;background:var(--c)}
        .id{white-space:nowrap}
        .w{font-weight:600}
        .critical,.high,.unprotected,.exposed,.unreadable{color:var(--r)}
        .medium,.unknown,.detected{color:var(--y)}
        .protected,.blocked{color:var(--g)}
        @media print{body{max-width:none;padding:0;font-size:11pt}nav{display:none}\
        th{position:static}tr{break-inside:avoid}}
        """
}
