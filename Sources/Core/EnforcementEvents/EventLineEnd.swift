// SPDX-License-Identifier: Apache-2.0

/// The end of a line, which has a fixed form so that it can be found without reading the rest:
/// `,"chain":{"segment":"…","index":"…","previous":"…","hash":"…"}}`.
///
/// What is hashed is the line without `,"hash":"…"`: every byte before it and the two braces.
enum EventLineEnd {
    static let braces = Array("}}".utf8)
    private static let start = Array(",\"chain\":{\"segment\":\"".utf8)
    private static let indexName = Array("\",\"index\":\"".utf8)
    private static let previousName = Array("\",\"previous\":\"".utf8)
    private static let hashName = Array(",\"hash\":\"".utf8)
    private static let quote = UInt8(ascii: "\"")

    static func unhashed(segment: EventSegment, index: UInt64, previous: EventHash) -> [UInt8] {
        var bytes = start + Array(segment.text.utf8)
        bytes += indexName + Array(String(index).utf8)
        bytes += previousName + Array(previous.text.utf8)
        bytes.append(quote)
        return bytes
    }

    static func hash(_ hash: EventHash) -> [UInt8] {
        hashName + Array(hash.text.utf8) + [quote] + braces
    }

    /// A line taken apart.
    struct Parts {
        let link: EventLink
        let hashed: [UInt8]
    }

    /// nil unless the line ends just as `EventChain` ends one.
    static func parts(of line: [UInt8]) -> Parts? {
        var rest = line[...]
        guard take(&rest, [quote] + braces),
            let hash = EventHash(hexadecimal: takeDigits(&rest, 64)),
            take(&rest, hashName)
        else { return nil }
        let hashed = Array(rest) + braces
        guard take(&rest, [quote]),
            let previous = EventHash(hexadecimal: takeDigits(&rest, 64)),
            take(&rest, previousName), let index = takeIndex(&rest), take(&rest, indexName),
            let segment = EventSegment(hexadecimal: takeDigits(&rest, 32)), take(&rest, start),
            rest.first == UInt8(ascii: "{")
        else { return nil }
        return Parts(
            link: EventLink(segment: segment, index: index, previous: previous, hash: hash),
            hashed: hashed)
    }

    private static func take(_ rest: inout ArraySlice<UInt8>, _ end: [UInt8]) -> Bool {
        guard rest.suffix(end.count).elementsEqual(end) else { return false }
        rest = rest.dropLast(end.count)
        return true
    }

    private static func takeDigits(_ rest: inout ArraySlice<UInt8>, _ count: Int) -> [UInt8] {
        let digits = Array(rest.suffix(count))
        rest = rest.dropLast(count)
        return digits
    }

    /// Decimal without leading zeros: one number has one form.
    private static func takeIndex(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        let digits = rest.reversed().prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard !digits.isEmpty, digits.count <= 20,
            let index = UInt64(String(decoding: digits.reversed(), as: UTF8.self)),
            String(index).utf8.count == digits.count, index <= EventLink.indexMax
        else { return nil }
        rest = rest.dropLast(digits.count)
        return index
    }
}

extension EventLink {
    /// The place of a line that was written before; nil when it is no whole line.
    package init?(ofLine line: [UInt8]) {
        guard let parts = EventLineEnd.parts(of: line) else { return nil }
        self = parts.link
    }

    /// A place as people pass it on, `SEGMENT:INDEX:HASH`, which `place` gives; nil for anything
    /// else. What the line names as its predecessor is not part of it.
    package init?(place: String) {
        let parts = place.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let segment = EventSegment(hexadecimal: parts[0].utf8),
            let index = UInt64(parts[1]), String(index) == parts[1], index <= Self.indexMax,
            let hash = EventHash(hexadecimal: parts[2].utf8)
        else { return nil }
        self.init(segment: segment, index: index, previous: .none, hash: hash)
    }

    /// `SEGMENT:INDEX:HASH`.
    package var place: String { "\(segment.text):\(index):\(hash.text)" }

    /// Whether both are the same line, whatever is known of the one before.
    package func isSamePlace(as other: EventLink) -> Bool {
        segment == other.segment && index == other.index && hash == other.hash
    }
}
