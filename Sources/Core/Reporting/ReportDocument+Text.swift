// SPDX-License-Identifier: Apache-2.0
internal import Inventory

extension ReportDocument {
    /// For a terminal.
    ///
    /// - Parameter isColored: with SGR sequences (ECMA-48), for a terminal that shows them.
    package func text(isColored: Bool = false) -> String {
        let style = Style(isColored: isColored)
        var blocks = [style.bold(TextTable.neutral(title))]
        if !header.isEmpty {
            let width = header.map(\.name.count).max() ?? 0
            blocks.append(
                header.map { entry in
                    let blanks = String(repeating: " ", count: width - entry.name.count + 2)
                    return entry.name + blanks + TextTable.neutral(entry.value)
                }.joined(separator: "\n"))
        }
        blocks.append(style.bold(TextTable.neutral(verdict)))
        if !figures.isEmpty {
            blocks.append(
                figures.map { style.tone($0.tone, "\($0.value) \($0.label)") }
                    .joined(separator: " · "))
        }
        for section in sections {
            var lines = [style.bold(section.title.uppercased())]
            lines += section.text.map { TextTable.neutral($0) }
            if let table = section.table { lines += Self.lines(table, style) }
            blocks.append(lines.joined(separator: "\n"))
        }
        return blocks.joined(separator: "\n\n")
    }

    /// Columns as wide as their widest cell, two blanks between.
    private static func lines(_ table: Table, _ style: Style) -> [String] {
        let rows = ([table.head] + table.rows).map { $0.map(TextTable.neutral) }
        let widths = table.head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.enumerated().map { index, row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let isLast = column + 1 == row.count
                let blanks = isLast ? 0 : widths[column] - cell.count + 2
                line += index == 0 ? cell.uppercased() : style.word(cell)
                line += String(repeating: " ", count: blanks)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    private struct Style {
        let isColored: Bool

        func bold(_ text: String) -> String { code("1", text) }

        func tone(_ tone: Figure.Tone, _ text: String) -> String {
            switch tone {
            case .good: code("32", text)
            case .bad: code("31", text)
            case .neutral: text
            }
        }

        /// Words that say how it is.
        func word(_ cell: String) -> String {
            switch cell {
            case "critical", "high", "unprotected", "exposed", "unreadable": code("31", cell)
            case "medium", "unknown", "detected": code("33", cell)
            case "protected", "blocked": code("32", cell)
            default: cell
            }
        }

        private func code(_ code: String, _ text: String) -> String {
            isColored ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
        }
    }
}
