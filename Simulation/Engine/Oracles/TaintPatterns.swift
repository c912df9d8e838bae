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
        /// Where in `pool` what stands before the last eight bytes is.
        let prefix: Range<Int>
        /// Another pattern with the same last eight bytes; -1: none.
        let next: Int
    }

    static let keyBytes = 8
    /// Bytes before a position that a pattern can reach back to.
    private(set) var prefixBytesMax = 0
    private var patterns: [Pattern] = []
    /// By their last eight bytes, the newest pattern.
    private var newest: [UInt64: Int] = [:]
    private var pool: [UInt8] = []
    private var filter = [Bool](repeating: false, count: 1 << 16)

    var isEmpty: Bool { patterns.isEmpty }

    /// Adds every run of a form that is long enough to be looked up.
    mutating func add(_ form: TaintEncoding.Form, meaning: Meaning) {
        let base = pool.count
        pool += form.text
        for run in form.runs where run.count >= Self.keyBytes {
            let end = base + run.upperBound
            var key: UInt64 = 0
            for byte in pool[end - Self.keyBytes..<end] { key = key << 8 | UInt64(byte) }
            let prefix = base + run.lowerBound..<end - Self.keyBytes
            let next = newest[key] ?? -1
            guard !isKnown(prefix, meaning, from: next) else { continue }
            patterns.append(Pattern(meaning: meaning, prefix: prefix, next: next))
            newest[key] = patterns.count - 1
            filter[Self.slot(of: key)] = true
            prefixBytesMax = max(prefixBytesMax, prefix.count)
        }
    }

    /// Most texts are the same in several encodings.
    private func isKnown(_ prefix: Range<Int>, _ meaning: Meaning, from first: Int) -> Bool {
        var index = first
        while index >= 0 {
            let known = patterns[index]
            if known.meaning.secret == meaning.secret, known.prefix.count == prefix.count,
                pool[known.prefix].elementsEqual(pool[prefix])
            {
                return true
            }
            index = known.next
        }
        return false
    }

    private static func slot(of key: UInt64) -> Int {
        Int((key &* 0x9E37_79B9_7F4A_7C15) >> 48)
    }

    /// Calls `found` for each pattern that ends in `text` at or after `start`.
    func matches(in text: [UInt8], from start: Int, _ found: (Meaning) -> Void) {
        var key: UInt64 = 0
        let first = max(0, start - Self.keyBytes + 1)
        for index in first..<max(first, text.count) {
            key = key << 8 | UInt64(text[index])
            let isComplete = index - first >= Self.keyBytes - 1
            guard isComplete, filter[Self.slot(of: key)], var candidate = newest[key]
            else { continue }
            let before = text[..<(index - Self.keyBytes + 1)]
            while candidate >= 0 {
                let pattern = patterns[candidate]
                if before.ends(with: pool[pattern.prefix]) { found(pattern.meaning) }
                candidate = pattern.next
            }
        }
    }
}

extension ArraySlice<UInt8> {
    fileprivate func ends(with suffix: ArraySlice<UInt8>) -> Bool {
        count >= suffix.count && self.suffix(suffix.count).elementsEqual(suffix)
    }
}
