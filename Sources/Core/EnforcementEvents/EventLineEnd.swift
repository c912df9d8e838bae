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
}
