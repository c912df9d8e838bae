// SPDX-License-Identifier: Apache-2.0
package import Ports

/// What happened, one line for each event, and a hash over all of it.
///
/// Columns: virtual time in seconds with nine decimals, the event's number, component and
/// incarnation (`wrapper#2`, `-` for the engine), the kind of event, what it was about.
/// docs/reference/simulation.md lists the kinds.
package final class Trace: @unchecked Sendable {
    package enum Kind: String, Sendable {
        case start, end, crash, pause, resume, fault, heal, network, fact, mark, finding, note
    }

    /// Lines in order; empty when only the hash is wanted.
    package private(set) var lines: [String] = []
    /// Over every line, whether kept or not.
    package private(set) var hash = RollingHash()
    /// Events so far.
    package private(set) var count = 0
    private let keepsLines: Bool
    private let onLine: ((String) -> Void)?

    init(keepsLines: Bool, onLine: ((String) -> Void)? = nil) {
        self.keepsLines = keepsLines
        self.onLine = onLine
    }

    func add(_ kind: Kind, _ detail: String, by component: String, at time: MonotonicTime) {
        count += 1
        hash.add(time.nanoseconds)
        hash.add(text: component)
        hash.add(text: kind.rawValue)
        hash.add(text: detail)
        guard keepsLines || onLine != nil else { return }
        let columns = [
            Self.padded(time.seconds, to: 16, left: true),
            Self.padded(String(count), to: 7, left: true), Self.padded(component, to: 14),
            Self.padded(kind.rawValue, to: 8), Self.oneLine(detail),
        ]
        let line = columns.joined(separator: " ")
        if keepsLines { lines.append(line) }
        onLine?(line)
    }

    /// Something that has no line of its own changes the hash too.
    func mix(_ word: UInt64) { hash.add(word) }

    func forget() { lines = [] }

    private static func padded(_ text: String, to width: Int, left: Bool = false) -> String {
        let spaces = String(repeating: " ", count: max(0, width - text.count))
        return left ? spaces + text : text + spaces
    }

    /// Line breaks and other control characters as `\u{…}`: an event stays one line.
    private static func oneLine(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 }) else {
            return text
        }
        return text.unicodeScalars.map {
            $0.value < 32 || $0.value == 127
                ? "\\u{\(String($0.value, radix: 16))}" : String($0)
        }.joined()
    }
}

extension MonotonicTime {
    /// `12.000000001`
    package var seconds: String {
        let fraction = String(nanoseconds % 1_000_000_000)
        return "\(nanoseconds / 1_000_000_000)."
            + String(repeating: "0", count: 9 - fraction.count) + fraction
    }
}
