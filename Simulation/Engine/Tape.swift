// SPDX-License-Identifier: Apache-2.0

/// Why a text is no tape.
package enum TapeFailure: Error, Sendable, Equatable {
    /// It does not begin with `tape/1 seed=N`.
    case headerMissing
    /// Not `label=value,value,…` with decimal values or `value*count`.
    case partMalformed(String)
    /// The same label twice.
    case labelRepeated(String)
    /// More values than `Tape.valuesMax`.
    case tooLong
}

/// What was drawn in a run: a sequence of values for each label, in the order of their draws.
///
/// Text form, on one line or several (`;` and newline are the same):
/// `tape/1 seed=7;schedule=0*12,1;fault/store.sealed=99`. Values not written are 0.
package struct Tape: Sendable, Equatable {
    /// More is refused when a text is read: a run draws some thousand values.
    package static let valuesMax = 10_000_000

    package let seed: UInt64
    /// Labels in the order of their first draw, with what was drawn.
    package private(set) var parts: [Part] = []

    package struct Part: Sendable, Equatable {
        package let label: String
        package var values: [UInt64]

        package init(label: String, values: [UInt64]) {
            self.label = label
            self.values = values
        }
    }

    package init(seed: UInt64) { self.seed = seed }

    package init(seed: UInt64, parts: [Part]) {
        self.seed = seed
        self.parts = parts
    }

    /// Empty for a label that nothing was drawn for.
    package func values(of label: String) -> [UInt64] {
        parts.first { $0.label == label }?.values ?? []
    }

    /// How many values are not 0: what a reader has to understand.
    package var complexity: Int {
        parts.reduce(0) { $0 + $1.values.count { $0 != 0 } }
    }

    mutating func addLabel(_ label: String) -> Int {
        parts.append(Part(label: label, values: []))
        return parts.count - 1
    }

    mutating func append(_ value: UInt64, label: Int) { parts[label].values.append(value) }

    /// The same choices without zeros at the ends of labels and without labels of zeros only.
    package var trimmed: Tape {
        let kept = parts.map { part in
            let end = part.values.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
            return Part(label: part.label, values: Array(part.values.prefix(end)))
        }
        return Tape(seed: seed, parts: kept.filter { !$0.values.isEmpty })
    }
}

extension Tape {
    /// One line; `init(text:)` reads it back.
    package var text: String { lines.joined(separator: ";") }

    /// A line for the header and one for each label.
    package var lines: [String] {
        ["tape/1 seed=\(seed)"]
            + trimmed.parts.map { part in
                "\(part.label)=" + Self.runs(of: part.values).joined(separator: ",")
            }
    }

    private static func runs(of values: [UInt64]) -> [String] {
        var texts: [String] = []
        var start = 0
        for end in 1...values.count where end == values.count || values[end] != values[start] {
            let count = end - start
            texts.append(count == 1 ? "\(values[start])" : "\(values[start])*\(count)")
            start = end
            start = end
        }
        return texts
    }

    package init(text: String) throws(TapeFailure) {
        let lines = text.split { $0 == ";" || $0.isNewline }
        let header = "tape/1 seed="
        guard let first = lines.first, first.hasPrefix(header),
            let seed = UInt64(first.dropFirst(header.count))
        else { throw .headerMissing }
        var parts: [Part] = []
        var count = 0
        for line in lines.dropFirst() {
            guard let equals = line.firstIndex(of: "="), equals > line.startIndex else {
                throw .partMalformed(String(line))
            }
            let label = String(line[..<equals])
            guard !parts.contains(where: { $0.label == label }) else {
                throw .labelRepeated(label)
            }
            let values = try Self.values(
                line[line.index(after: equals)...], room: Self.valuesMax - count)
            count += values.count
            parts.append(Part(label: label, values: values))
        }
        self.init(seed: seed, parts: parts)
    }

    private static func values(
        _ text: Substring, room: Int
    ) throws(TapeFailure) -> [UInt64] {
        var values: [UInt64] = []
        for run in text.split(separator: ",", omittingEmptySubsequences: false) {
            let pair = run.split(separator: "*", omittingEmptySubsequences: false)
            guard (1...2).contains(pair.count), let value = UInt64(pair[0]),
                let count = pair.count == 1 ? 1 : Int(pair[1]), count > 0
            else { throw .partMalformed(String(run)) }
            guard count <= room - values.count else { throw .tooLong }
            values += [UInt64](repeating: value, count: count)
        }
        return values
    }
}
