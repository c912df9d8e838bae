// SPDX-License-Identifier: Apache-2.0

/// Finds many patterns in a text at once: every pattern is looked up by its last eight bytes, and
/// what is before them is compared only then. A table of bits keeps most positions from the
/// lookup.
struct TaintPatterns {
    /// What a pattern stands for.
    struct Meaning {
        let secret: Int
        let encoding: TaintEncoding
    }

    private struct Pattern {
        let meaning: Meaning
        /// What stands before the last eight bytes.
        let prefix: [UInt8]
    }

    static let keyBytes = 8
    /// Bytes before a position that a pattern can reach back to.
    private(set) var prefixBytesMax = 0
    private var patterns: [UInt64: [Pattern]] = [:]
    private var filter = [Bool](repeating: false, count: 1 << 16)

    var isEmpty: Bool { patterns.isEmpty }

    mutating func add(_ bytes: [UInt8], meaning: Meaning) {
        guard bytes.count >= Self.keyBytes else { return }
        let key = bytes.suffix(Self.keyBytes).reduce(0) { $0 << 8 | UInt64($1) }
        let prefix = Array(bytes.dropLast(Self.keyBytes))
        let known = patterns[key]?.contains {
            $0.prefix == prefix && $0.meaning.secret == meaning.secret
        }
        guard known != true else { return }
        patterns[key, default: []].append(Pattern(meaning: meaning, prefix: prefix))
        filter[Self.slot(of: key)] = true
        prefixBytesMax = max(prefixBytesMax, prefix.count)
    }

    private static func slot(of key: UInt64) -> Int {
        Int((key &* 0x9E37_79B9_7F4A_7C15) >> 48)
    }

    /// Calls `found` for each pattern that ends in `text` at or after `start`.
    func matches(in text: [UInt8], from start: Int, _ found: (Meaning) -> Void) {
        var key: UInt64 = 0
        let first = max(0, start - Self.keyBytes + 1)
        filter.withUnsafeBufferPointer { filter in
            for index in first..<max(first, text.count) {
                key = key << 8 | UInt64(text[index])
                let isComplete = index - first >= Self.keyBytes - 1
                guard isComplete, filter[Self.slot(of: key)], let candidates = patterns[key]
                else { continue }
                let before = text[..<(index - Self.keyBytes + 1)]
                for pattern in candidates where before.ends(with: pattern.prefix) {
                    found(pattern.meaning)
                }
            }
        }
    }
}

extension ArraySlice<UInt8> {
    fileprivate func ends(with suffix: [UInt8]) -> Bool {
        count >= suffix.count && self.suffix(suffix.count).elementsEqual(suffix)
    }
}
