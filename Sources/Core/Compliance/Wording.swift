// SPDX-License-Identifier: Apache-2.0

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
        let lowered = text.lowercased()
        return bannedPhrases.first { lowered.contains($0) }
    }

    /// The first phrase in `text`, in any case, that no text of the catalogue may say.
    package static func promise(in text: String) -> String? {
        let lowered = text.lowercased()
        return (bannedPhrases + bannedInCatalogue).first { lowered.contains($0) }
    }

    /// Begins the line of a page that says what older text said wrong.
    package static let correctionMark = "> Corrected: "

    /// `text` without what stands between “ and ”: a correction quotes the words it takes back.
    package static func withoutQuotes(_ text: String) -> String {
        var depth = 0
        return String(
            text.filter { character in
                if character == "“" { depth += 1 }
                defer { if character == "”", depth > 0 { depth -= 1 } }
                return depth == 0
            })
    }

    /// Whether `text` is worded as the standards whose text is under copyright word their
    /// controls and criteria, and as nobody writes own words.
    package static func isWordedAsAStandard(_ text: String) -> Bool {
        let words = text.lowercased().split { !$0.isLetter }
        return words.contains("shall")
            || zip(words, words.dropFirst()).contains { $0 == ("the", "entity") }
    }

    /// A number written before a word that a program can count ("13 tests", "twenty vectors").
    package static func writtenCount(in text: String) -> String? {
        let words = text.lowercased().split { !($0.isLetter || $0.isNumber || $0 == "+") }
        for (number, noun) in zip(words, words.dropFirst()) where counted.contains(String(noun)) {
            let digits = number.filter { $0 != "+" }
            let isNumber = !digits.isEmpty && digits.allSatisfy(\.isNumber)
            if isNumber || numerals.contains(String(number)) { return "\(number) \(noun)" }
        }
        return nil
    }

    private static let counted: Set<String> = [
        "tests", "claims", "requirements", "limitations", "controls", "rows", "vectors",
        "attacks", "kernels", "checks", "frameworks",
    ]

    private static let numerals: Set<String> = [
        "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve", "thirteen", "fourteen", "fifteen", "twenty", "thirty", "forty", "fifty",
        "hundred", "dozens", "hundreds",
    ]
}
