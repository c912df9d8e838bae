// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// Words that no page of this product may use about the product, and why.
///
/// This file is the one place where they stand; `ArchitectureTests` and the catalogue's
/// refusals both read the list from here.
package enum Wording {
    /// Lower case. Each promises what no test can show.
    package static let bannedPhrases = [
        "physically unable", "guarantee", "eliminates", "eliminate the risk",
        "cannot be read by", "military grade", "military-grade", "fully compliant",
        "is compliant", "are compliant", "unhackable", "unbreakable", "100% secure",
        "near-zero", "near zero", "cannot access", "compliant with", "-compliant", "never be read",
        "regardless of any legal compulsion", "sole control of",
    ]

    /// Refused in the catalogue only: elsewhere these are widths, remainders and denials.
    package static let bannedInCatalogue = ["certified", "100%", "100 %"]

    /// The first phrase in `text`, in any case, that no page may say.
    package static func bannedPhrase(in text: String) -> String? {
        let words = asRead(text)
        return bannedPhrases.first { words.contains($0) }
    }

    /// `text` as somebody reads it: in lower case, with one space for whatever stands between
    /// words, without what cannot be seen or is Markdown's, and with one kind of hyphen.
    static func asRead(_ text: String) -> String {
        let text = text.lowercased().filter { $0 != "*" && $0 != "`" }
        // Most are: one space between words, and nothing that is not ASCII.
        if text.utf8.allSatisfy({ (0x20...0x7e).contains($0) }), !text.contains("  ") {
            return text
        }
        var words: [String] = [""]
        for scalar in text.decomposedStringWithCompatibilityMapping.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .spaceSeparator, .lineSeparator, .paragraphSeparator, .control:
                if words.last?.isEmpty == false { words.append("") }
            case .format: continue
            case .dashPunctuation: words[words.count - 1].append("-")
            default:
                // A minus sign looks like a hyphen.
                words[words.count - 1].unicodeScalars.append(scalar == "\u{2212}" ? "-" : scalar)
            }
        }
        return words.joined(separator: " ")
    }

    /// The first phrase in `text`, in any case, that no text of the catalogue may say.
    package static func promise(in text: String) -> String? {
        let words = asRead(text)
        return (bannedPhrases + bannedInCatalogue).first { words.contains($0) }
    }

    /// Begins the line of a page that says what older text said wrong.
    package static let correctionMark = "> Corrected: "

    /// `text` without what stands between “ and ”: a correction quotes the words it takes back.
    /// A quote that never ends takes nothing back.
    package static func withoutQuotes(_ text: String) -> String {
        var depth = 0
        let rest = String(
            text.filter { character in
                if character == "“" { depth += 1 }
                defer { if character == "”", depth > 0 { depth -= 1 } }
                return depth == 0
            })
        return depth == 0 ? rest : text
    }

    /// Whether `text` is worded as the standards whose text is under copyright word their
    /// controls and criteria, and as nobody writes own words.
    package static func isWordedAsAStandard(_ text: String) -> Bool {
        let words = text.lowercased().split { !$0.isLetter }
        return words.contains("shall")
            || zip(words, words.dropFirst()).contains { $0 == ("the", "entity") }
    }

    /// A number written before a word that a program can count ("13 tests", "twenty vectors"), or
    /// with one word between ("13 passing tests", "twenty-one tests").
    package static func writtenCount(in text: String) -> String? {
        let words = asRead(text).split { !($0.isLetter || $0.isNumber || $0 == "+") }
        for (index, noun) in words.enumerated() where counted.contains(String(noun)) {
            for start in [index - 1, index - 2] where start >= 0 && isNumber(words[start]) {
                return words[start...index].joined(separator: " ")
            }
        }
        return nil
    }

    private static func isNumber(_ word: Substring) -> Bool {
        let digits = word.filter { $0 != "+" }
        return numerals.contains(String(word))
            || !digits.isEmpty && digits.allSatisfy(\.isNumber)
    }

    private static let counted: Set<String> = [
        "tests", "claims", "requirements", "limitations", "controls", "rows", "vectors",
        "attacks", "kernels", "checks", "frameworks",
    ]

    private static let numerals: Set<String> = [
        "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
        "nineteen", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
        "hundred", "thousand", "dozen", "dozens", "hundreds", "thousands",
    ]
}
