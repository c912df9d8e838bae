// SPDX-License-Identifier: Apache-2.0

/// Text for a terminal: the one place where names that others chose become lines.
package enum TextTable {
    /// Columns as wide as their widest cell, two blanks between.
    package static func lines(_ head: [String], _ rows: [[String]]) -> [String] {
        let all = ([head] + rows).map { $0.map(neutral) }
        let widths = head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                if column + 1 < row.count {
                    line += String(repeating: " ", count: widths[column] - cell.count + 2)
                }
            }
            return line
        }
    }

    package static func text(_ lines: [String]) -> String {
        lines.map(neutral).joined(separator: "\n")
    }

    /// With what would move the cursor, change colours or turn the direction of text written as
    /// `\\u{1B}`: C0 and C1 controls, DEL, line separators, the marks
    /// of UAX #9, and characters that no eye sees.
    package static func neutral(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isActive) else { return text }
        return text.unicodeScalars.reduce(into: "") { found, scalar in
            if isActive(scalar) {
                found += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            } else {
                found.unicodeScalars.append(scalar)
            }
        }
    }

    private static func isActive(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x061C, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x2069,
            0xFEFF, 0xE0000...0xE007F:
            true
        default: false
        }
    }
}
