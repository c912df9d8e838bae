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
    ]

    /// The first banned phrase in `text`, in any case.
    package static func bannedPhrase(in text: String) -> String? {
        let lowered = text.lowercased()
        return bannedPhrases.first { lowered.contains($0) }
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
