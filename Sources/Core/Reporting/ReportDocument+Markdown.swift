// SPDX-License-Identifier: Apache-2.0
internal import Inventory

extension ReportDocument {
    /// GitHub-flavoured Markdown (https://github.github.com/gfm/), ending in one newline.
    package var markdown: String {
        var blocks = ["# \(Self.inline(title))"]
        if !header.isEmpty {
            blocks.append(Self.table(["", ""], header.map { [$0.name, $0.value] }))
        }
        blocks.append("**\(Self.inline(verdict))**")
        if !figures.isEmpty {
            blocks.append(
                Self.table(figures.map(\.label), [figures.map(\.value)]))
        }
        for section in sections {
            blocks.append("## \(Self.inline(section.title))")
            blocks += section.text.map(Self.inline)
            if let table = section.table {
                blocks.append(Self.table(table.head, table.rows))
            }
        }
        return blocks.joined(separator: "\n\n") + "\n"
    }

    private static func table(_ head: [String], _ rows: [[String]]) -> String {
        ([head, head.map { _ in "---" }] + rows).enumerated().map { index, cells in
            "| " + cells.map { index == 1 ? $0 : inline($0) }.joined(separator: " | ") + " |"
        }.joined(separator: "\n")
    }

    /// Punctuation that Markdown and the HTML in it read is taken for itself.
    private static func inline(_ text: String) -> String {
        TextTable.neutral(text).reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\\", "`", "*", "_", "[", "]", "|", "#", "~":
                result += "\\"
                result.append(character)
            default: result.append(character)
            }
        }
    }
}
