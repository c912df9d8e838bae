// SPDX-License-Identifier: Apache-2.0

/// The only source of chance in a simulation: every decision is a labelled draw that is recorded
/// on a tape.
///
/// Each label has a stream of its own, so a new draw in one place does not change what others get.
/// 0 is always the simplest choice: no fault, the first in the queue, the shortest delay. One
/// thread only.
package final class Choices: @unchecked Sendable {
    /// What the streams derive from.
    package let seed: UInt64
    /// Everything drawn so far.
    package private(set) var tape: Tape
    /// Changes with every draw: label, bound and value.
    package private(set) var hash = RollingHash()

    private let replayed: Tape?
    private var streams: [Stream] = []
    private var indices: [String: Int] = [:]

    /// - Parameter tape: replay these values; a label whose values are used up, or that the tape
    ///   does not have, gives 0.
    package init(seed: UInt64, replaying tape: Tape? = nil) {
        self.seed = seed
        replayed = tape
        self.tape = Tape(seed: seed)
    }

    /// A number in `0..<bound`. A bound of 1 is no choice and draws nothing.
    package func draw(below bound: UInt64, label: String) -> UInt64 {
        precondition(bound > 0, "a draw needs at least one possibility")
        guard bound > 1 else { return 0 }
        let index = streamIndex(of: label)
        let value = streams[index].next(below: bound)
        tape.append(value, label: index)
        hash.add(streams[index].labelHash ^ bound)
        hash.add(value)
        return value
    }

    /// A number in `0..<bound`, for indices.
    package func draw(below bound: Int, label: String) -> Int {
        precondition(bound > 0, "a draw needs at least one possibility")
        return Int(draw(below: UInt64(bound), label: label))
    }

    /// A number of the closed range; its lower end is the simplest.
    package func draw(in range: ClosedRange<Int>, label: String) -> Int {
        range.lowerBound + draw(below: range.count, label: label)
    }

    /// True with probability `numerator / denominator`; false is the simplest.
    package func happens(_ numerator: Int, in denominator: Int, label: String) -> Bool {
        precondition(0 <= numerator && numerator <= denominator, "no probability")
        guard numerator > 0 else { return false }
        return draw(below: denominator, label: label) >= denominator - numerator
    }

    /// One of `options`; the first is the simplest. There must be one.
    package func pick<Option>(_ options: [Option], label: String) -> Option {
        options[draw(below: options.count, label: label)]
    }

    /// Bytes that belong to the seed and not to the tape, so that shrinking leaves secrets what
    /// they are: the same seed and label always give the same bytes.
    package func seededBytes(_ count: Int, label: String) -> [UInt8] {
        var generator = Generator(seed: seed, label: label)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next() >> 32) }
    }

    /// Lets go of the tape when the run is over.
    func forget() {
        tape = Tape(seed: seed)
        streams = []
        indices = [:]
    }

    private func streamIndex(of label: String) -> Int {
        if let index = indices[label] { return index }
        let index = tape.addLabel(label)
        indices[label] = index
        streams.append(
            Stream(
                generator: Generator(seed: seed, label: label), label: label,
                values: replayed.map { $0.values(of: label) }))
        return index
    }
}

extension Choices {
    private struct Stream {
        var generator: Generator
        let labelHash: UInt64
        /// Replayed instead of generated.
        let values: [UInt64]?
        var position = 0

        init(generator: Generator, label: String, values: [UInt64]?) {
            self.generator = generator
            var hash = RollingHash()
            hash.add(text: label)
            labelHash = hash.value
            self.values = values
        }

        mutating func next(below bound: UInt64) -> UInt64 {
            guard let values else { return generator.next(below: bound) }
            guard position < values.count else { return 0 }
            position += 1
            // A changed program may ask for less than was recorded.
            return min(values[position - 1], bound - 1)
        }
    }

    /// SplitMix64 (Steele, Lea, Flood 2014), whole numbers only.
    struct Generator {
        private var state: UInt64

        init(seed: UInt64, label: String) {
            var hash = RollingHash()
            hash.add(seed)
            hash.add(text: label)
            state = hash.value
        }

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }

        /// Uniform, by Lemire's multiplication (2019).
        mutating func next(below bound: UInt64) -> UInt64 {
            var product = next().multipliedFullWidth(by: bound)
            if product.low < bound {
                let threshold = (0 &- bound) % bound
                while product.low < threshold { product = next().multipliedFullWidth(by: bound) }
            }
            return product.high
        }
    }
}

/// FNV-1a over bytes, finished as SplitMix64 does: equal for equal input in every process.
package struct RollingHash: Sendable, Equatable {
    package private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    package init() {}

    package mutating func add(_ word: UInt64) {
        var mixed = (value ^ word) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        value = mixed ^ (mixed >> 31)
    }

    package mutating func add(text: String) {
        for byte in text.utf8 { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        add(UInt64(text.utf8.count))
    }

    /// 16 hexadecimal digits.
    package var description: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
