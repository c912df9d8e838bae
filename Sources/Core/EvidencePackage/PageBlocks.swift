// SPDX-License-Identifier: Apache-2.0

/// A page as blocks; texts are plain and are escaped when they are written.
enum PageBlock: Equatable {
    case heading(Int, String)
    case paragraph(String)
    case list([String])
    case table(head: [String], rows: [[String]])
}

/// Writes blocks as Markdown or as one HTML page that loads nothing.
enum PageText {
    static func markdown(_ blocks: [PageBlock]) -> String {
        blocks.map(markdown).joined(separator: "\n\n") + "\n"
    }

    private static func markdown(_ block: PageBlock) -> String {
        switch block {
        case .heading(let level, let text):
            return String(repeating: "#", count: level) + " " + markdown(text)
        case .paragraph(let text): return markdown(text)
        case .list(let items): return items.map { "- " + markdown($0) }.joined(separator: "\n")
        case .table(let head, let rows):
            let line = { (cells: [String]) in
                "| " + cells.map { markdown($0) }.joined(separator: " | ") + " |"
            }
            let rule = "|" + String(repeating: "---|", count: head.count)
            return ([line(head), rule] + rows.map(line)).joined(separator: "\n")
        }
    }

    /// One line in which nothing is markup: texts come from records and from the organisation.
    private static func markdown(_ text: String) -> String {
        var escaped = ""
        for character in Plain.line(text) {
            switch character {
            case "|", "\\", "`", "*", "_", "[", "]", "#", "!": escaped += "\\\(character)"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "&": escaped += "&amp;"
            default: escaped.append(character)
            }
        }
        return escaped
    }

    static func html(title: String, _ blocks: [PageBlock]) -> String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
        style-src 'unsafe-inline'">
        <title>\(html(title))</title>
        <style>
        body { font: 15px/1.5 sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; }
        table { border-collapse: collapse; }
        th, td { border: 1px solid #999; padding: .3em .5em; text-align: left; \
        vertical-align: top; }
        @media print { body { font-size: 10px; margin: 0; } }
        </style>
        </head>
        <body>
        \(blocks.map(html).joined(separator: "\n"))
        </body>
        </html>

        """
    }

    private static func html(_ block: PageBlock) -> String {
        switch block {
        case .heading(let level, let text): return "<h\(level)>\(html(text))</h\(level)>"
        case .paragraph(let text): return "<p>\(html(text))</p>"
        case .list(let items):
            return "<ul>\n" + items.map { "<li>\(html($0))</li>\n" }.joined() + "</ul>"
        case .table(let head, let rows):
            let line = { (tag: String, cells: [String]) in
                "<tr>" + cells.map { "<\(tag)>\(html($0))</\(tag)>" }.joined() + "</tr>\n"
            }
            return "<table>\n" + line("th", head) + rows.map { line("td", $0) }.joined()
                + "</table>"
        }
    }

    private static func html(_ text: String) -> String {
        var escaped = ""
        for character in Plain.line(text) {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}
