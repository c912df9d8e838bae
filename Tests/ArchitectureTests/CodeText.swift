// SPDX-License-Identifier: Apache-2.0

/// Source text with comments and the insides of string literals replaced by spaces, so that a
/// rule about code does not read prose. Lines and columns stay where they were.
struct CodeText {
    enum Language {
        case swift, c

        init?(path: String) {
            if path.hasSuffix(".swift") {
                self = .swift
            } else if path.hasSuffix(".c") || path.hasSuffix(".h") {
                self = .c
            } else {
                return nil
            }
        }
    }

    static func lines(of text: String, language: Language) -> [String] {
        var scanner = CodeText(bytes: Array(text.utf8), language: language)
        scanner.skipCode(untilParenthesis: false)
        return scanner.kept.split(separator: newline, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    private static let newline = UInt8(ascii: "\n")
    private static let quote = UInt8(ascii: "\"")
    private let bytes: [UInt8]
    private let language: Language
    private var kept: [UInt8] = []
    private var index = 0

    private init(bytes: [UInt8], language: Language) {
        self.bytes = bytes
        self.language = language
        kept.reserveCapacity(bytes.count)
    }

    private func starts(_ text: StaticString, at offset: Int = 0) -> Bool {
        let start = index + offset
        guard start + text.utf8CodeUnitCount <= bytes.count else { return false }
        return text.withUTF8Buffer { wanted in
            wanted.indices.allSatisfy { bytes[start + $0] == wanted[$0] }
        }
    }

    private mutating func keep(_ count: Int = 1) {
        for _ in 0..<count where index < bytes.count {
            kept.append(bytes[index])
            index += 1
        }
    }

    private mutating func blank(_ count: Int = 1) {
        for _ in 0..<count where index < bytes.count {
            let byte = bytes[index]
            kept.append(byte == Self.newline ? byte : UInt8(ascii: " "))
            index += 1
        }
    }

    /// Keeps code up to the end, or up to the parenthesis that closes an interpolation.
    private mutating func skipCode(untilParenthesis: Bool) {
        var depth = 0
        while index < bytes.count {
            if starts("//") {
                while index < bytes.count, bytes[index] != Self.newline { blank() }
            } else if starts("/*") {
                skipComment()
            } else if let hashes = rawStringHashes() {
                skipString(hashes: hashes)
            } else if language == .c, bytes[index] == UInt8(ascii: "'") {
                skipCharacter()
            } else {
                if bytes[index] == UInt8(ascii: "(") { depth += 1 }
                if bytes[index] == UInt8(ascii: ")") {
                    if untilParenthesis, depth == 0 { return }
                    depth -= 1
                }
                keep()
            }
        }
    }

    private mutating func skipComment() {
        var depth = 0
        repeat {
            if starts("/*"), language == .swift || depth == 0 {
                depth += 1
                blank(2)
            } else if starts("*/") {
                depth -= 1
                blank(2)
            } else {
                blank()
            }
        } while depth > 0 && index < bytes.count
    }

    /// The number of `#` before the quote that starts here, nil when no string starts here.
    private func rawStringHashes() -> Int? {
        var end = index
        while language == .swift, end < bytes.count, bytes[end] == UInt8(ascii: "#") { end += 1 }
        return end < bytes.count && bytes[end] == Self.quote ? end - index : nil
    }

    private mutating func skipString(hashes: Int) {
        keep(hashes)
        let isMultiline = language == .swift && starts("\"\"\"")
        keep(isMultiline ? 3 : 1)
        while index < bytes.count {
            if closesString(isMultiline: isMultiline, hashes: hashes) {
                keep((isMultiline ? 3 : 1) + hashes)
                return
            }
            if !isMultiline, bytes[index] == Self.newline { return }
            if bytes[index] == UInt8(ascii: "\\"), followed(byHashes: hashes, at: 1) {
                blank(1 + hashes)
                if language == .swift, index < bytes.count, bytes[index] == UInt8(ascii: "(") {
                    keep()
                    skipCode(untilParenthesis: true)
                    keep()
                } else {
                    blank()
                }
            } else {
                blank()
            }
        }
    }

    private func closesString(isMultiline: Bool, hashes: Int) -> Bool {
        isMultiline
            ? starts("\"\"\"") && followed(byHashes: hashes, at: 3)
            : bytes[index] == Self.quote && followed(byHashes: hashes, at: 1)
    }

    private func followed(byHashes hashes: Int, at offset: Int) -> Bool {
        (0..<hashes).allSatisfy {
            index + offset + $0 < bytes.count
                && bytes[index + offset + $0] == UInt8(ascii: "#")
        }
    }

    /// A C character constant.
    private mutating func skipCharacter() {
        keep()
        while index < bytes.count, bytes[index] != Self.newline {
            if bytes[index] == UInt8(ascii: "\\") {
                blank(2)
            } else if bytes[index] == UInt8(ascii: "'") {
                keep()
                return
            } else {
                blank()
            }
        }
    }
}
