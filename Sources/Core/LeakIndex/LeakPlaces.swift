// SPDX-License-Identifier: Apache-2.0

/// A window that a value may have: which form, and whereabouts.
struct LeakWindowKind {
    enum Place {
        case first, last
        /// The nth of the windows between, from 1.
        case between(Int)
    }

    let form: LeakForm
    let alignment: Int
    let place: Place
    /// A value with fewer bytes has no room for it beside the others.
    var valueBytesMin = 0

    /// Every kind, in the order in which they are put into the table: of a table that is full the
    /// last ones are missing. Each is put there for all values before the next is.
    static let all: [LeakWindowKind] =
        [LeakWindowKind(form: .raw, alignment: 0, place: .first)]
        + [LeakWindowKind(form: .raw, alignment: 0, place: .last)]
        + encoded(.first)
        + [(1, 3), (2, 4)].map { place, windows in
            LeakWindowKind(
                form: .raw, alignment: 0, place: .between(place),
                valueBytesMin: windows * LeakIndex.windowBytesMax)
        }
        + encoded(.last)

    private static func encoded(_ place: Place) -> [LeakWindowKind] {
        let base64 = [LeakForm.base64, .base64URL].flatMap { form in
            (0..<3).map { LeakWindowKind(form: form, alignment: $0, place: place) }
        }
        let others = [LeakForm.json, .percent, .hexLower, .hexUpper].map {
            LeakWindowKind(form: $0, alignment: 0, place: place)
        }
        return base64 + others
    }
}

/// Finds the places of a value that are worth a window.
///
/// A window is moved inward, `step` bytes at a time, from a place whose bytes say little: fewer
/// than `distinctBytesMin` different ones, or a line of PEM armour (`-----BEGIN …`). The first
/// windows of a PEM text start after the line that follows its first armour too, when more lines
/// come: it holds the algorithm's name, which all keys of a kind have in common.
struct LeakPlaces {
    /// Fewer different bytes of the value under a window say too little.
    static let distinctBytesMin = 3
    /// Bytes that a window is moved at a time.
    static let step = 8
    /// A line is looked at so far back for its start (RFC 7468: lines of 64 characters).
    private static let lineBytesMax = 80

    let value: UnsafeRawBufferPointer
    private let start: Int

    init(_ value: UnsafeRawBufferPointer) {
        self.value = value
        start = Self.start(of: value)
    }

    /// Writes the window of a kind.
    ///
    /// - Returns: false when the value has none.
    func read(_ kind: LeakWindowKind, into window: inout LeakWindow) -> Bool {
        guard value.count >= max(kind.valueBytesMin, LeakIndex.windowBytesMin) else { return false }
        let reader = LeakFormReader(value: value, form: kind.form, alignment: kind.alignment)
        switch kind.place {
        case .first: return read(reader, upwardFrom: start, &window)
        case .between(let number):
            let gaps = min(value.count / LeakIndex.windowBytesMax, 4) - 1
            let place = number * (value.count - LeakIndex.windowBytesMax) / gaps
            return read(reader, upwardFrom: max(start, place), &window)
        case .last:
            var end = value.count
            while end > start {
                let source = reader.read(upTo: end, from: start, into: &window)
                if let source, isGood(source, window) { return true }
                end -= Self.step
            }
            return false
        }
    }

    private func read(
        _ reader: LeakFormReader, upwardFrom place: Int, _ window: inout LeakWindow
    ) -> Bool {
        for from in stride(from: place, to: value.count, by: Self.step) {
            let source = reader.read(from: from, to: value.count, into: &window)
            if let source, isGood(source, window) { return true }
        }
        return false
    }

    private func isGood(_ source: Range<Int>, _ window: LeakWindow) -> Bool {
        guard window.length >= LeakIndex.windowBytesMin else { return false }
        // Less than a window is good enough only as the whole of a short form.
        guard window.isFull || source == 0..<value.count else { return false }
        return hasVariety(source) && !touchesArmour(source)
    }

    private func hasVariety(_ source: Range<Int>) -> Bool {
        // Of two bytes, the first and the first that differs from it; a third ends the search.
        let one = value[source.lowerBound]
        guard let other = source.first(where: { value[$0] != one }) else { return false }
        return source.contains { value[$0] != one && value[$0] != value[other] }
    }

    // MARK: - PEM

    private func touchesArmour(_ source: Range<Int>) -> Bool {
        var line = source.lowerBound
        let earliest = max(0, line - Self.lineBytesMax)
        while line > earliest, value[line - 1] != Self.lineFeed { line -= 1 }
        while line < source.upperBound {
            if Self.isArmour(value, at: line) { return true }
            guard let end = value[line..<source.upperBound].firstIndex(of: Self.lineFeed)
            else { return false }
            line = end + 1
        }
        return false
    }

    private static func start(of value: UnsafeRawBufferPointer) -> Int {
        guard isArmour(value, at: 0), let header = nextLine(after: 0, in: value),
            let body = nextLine(after: header, in: value), !isArmour(value, at: body)
        else { return 0 }
        return body
    }

    private static func nextLine(after place: Int, in value: UnsafeRawBufferPointer) -> Int? {
        guard let end = value[place...].firstIndex(of: lineFeed), end + 1 < value.count
        else { return nil }
        return end + 1
    }

    /// RFC 7468 §2: `-----BEGIN label-----` and `-----END label-----`.
    private static func isArmour(_ value: UnsafeRawBufferPointer, at place: Int) -> Bool {
        let dashes = 5
        return value.count - place >= dashes
            && value[place..<place + dashes].allSatisfy { $0 == UInt8(ascii: "-") }
    }

    private static let lineFeed = UInt8(ascii: "\n")
}
