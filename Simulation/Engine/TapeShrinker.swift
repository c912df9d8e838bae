// SPDX-License-Identifier: Apache-2.0

/// Makes the tape of a failing run simple: keeps what is needed for the same oracle to fail and
/// turns the rest to 0, the simplest choice.
///
/// In this order, again and again until nothing more goes: whole labels are zeroed (a fault class
/// is off), values are left out (steps of an attack), tails are cut, blocks are zeroed, single
/// values are lowered. Everything is deterministic.
package struct TapeShrinker {
    /// Runs that a shrinking may take.
    package var runsMax = 500
    /// Asked before each run: whether there is time for it.
    package var mayGoOn: () -> Bool = { true }

    package struct Outcome: Sendable, Equatable {
        package let tape: Tape
        package let runs: Int
        /// False when runs or time were used up: it might get simpler yet.
        package let isFinished: Bool
    }

    package init() {}

    /// - Parameter stillFails: runs a tape and says whether it fails as the original does.
    package func shrink(_ tape: Tape, stillFails: (Tape) -> Bool) -> Outcome {
        var search = Search(
            seed: tape.seed, parts: tape.trimmed.parts, runsMax: runsMax, mayGoOn: mayGoOn)
        search.run(stillFails)
        return Outcome(
            tape: Tape(seed: tape.seed, parts: search.parts).trimmed, runs: search.runs,
            isFinished: !search.isExhausted)
    }
}

private struct Search {
    let seed: UInt64
    var parts: [Tape.Part]
    let runsMax: Int
    let mayGoOn: () -> Bool
    var runs = 0
    var isExhausted = false

    static let blockSizes = [64, 32, 16, 8, 4, 2, 1]

    mutating func run(_ stillFails: (Tape) -> Bool) {
        var before: [Tape.Part] = []
        while before != parts, !isExhausted {
            before = parts
            zeroLabels(stillFails)
            for index in parts.indices {
                cutTail(index, stillFails)
                removeBlocks(index, stillFails)
                zeroBlocks(index, stillFails)
                lowerValues(index, stillFails)
            }
            parts.removeAll { $0.values.isEmpty }
        }
    }

    /// Keeps `candidate` when it still fails.
    @discardableResult
    private mutating func attempt(
        _ candidate: [Tape.Part], _ stillFails: (Tape) -> Bool
    ) -> Bool {
        guard candidate != parts else { return false }
        guard runs < runsMax, mayGoOn() else {
            isExhausted = true
            return false
        }
        runs += 1
        guard stillFails(Tape(seed: seed, parts: candidate)) else { return false }
        parts = candidate
        return true
    }

    @discardableResult
    private mutating func attempt(
        _ index: Int, _ values: [UInt64], _ stillFails: (Tape) -> Bool
    ) -> Bool {
        var candidate = parts
        let end = values.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
        candidate[index].values = Array(values.prefix(end))
        return attempt(candidate, stillFails)
    }

    /// All labels, then halves of them, down to single ones.
    private mutating func zeroLabels(_ stillFails: (Tape) -> Bool) {
        var size = parts.count
        while size > 0, !isExhausted {
            var start = 0
            while start < parts.count, !isExhausted {
                var candidate = parts
                candidate.removeSubrange(start..<min(start + size, parts.count))
                if !attempt(candidate, stillFails) { start += size }
            }
            size /= 2
        }
    }

    private mutating func cutTail(_ index: Int, _ stillFails: (Tape) -> Bool) {
        while parts[index].values.count > 1, !isExhausted {
            let values = parts[index].values
            guard attempt(index, Array(values.prefix(values.count / 2)), stillFails) else { return }
        }
    }

    private mutating func removeBlocks(_ index: Int, _ stillFails: (Tape) -> Bool) {
        for size in Self.blockSizes where size <= parts[index].values.count {
            var start = 0
            while start < parts[index].values.count, !isExhausted {
                var values = parts[index].values
                values.removeSubrange(start..<min(start + size, values.count))
                if !attempt(index, values, stillFails) { start += size }
            }
        }
    }

    private mutating func zeroBlocks(_ index: Int, _ stillFails: (Tape) -> Bool) {
        for size in Self.blockSizes {
            var start = 0
            while start < parts[index].values.count, !isExhausted {
                var values = parts[index].values
                let block = start..<min(start + size, values.count)
                let isZero = values[block].allSatisfy { $0 == 0 }
                if !isZero {
                    values.replaceSubrange(block, with: repeatElement(0, count: block.count))
                    attempt(index, values, stillFails)
                }
                start += size
            }
        }
    }

    /// The lowest value that still fails, by halving.
    private mutating func lowerValues(_ index: Int, _ stillFails: (Tape) -> Bool) {
        var position = 0
        while position < parts[index].values.count, !isExhausted {
            var tooLow: UInt64 = 0
            while position < parts[index].values.count, !isExhausted,
                parts[index].values[position] > tooLow + 1
            {
                let middle = tooLow + (parts[index].values[position] - tooLow) / 2
                var values = parts[index].values
                values[position] = middle
                if !attempt(index, values, stillFails) { tooLow = middle }
            }
            position += 1
        }
    }
}
