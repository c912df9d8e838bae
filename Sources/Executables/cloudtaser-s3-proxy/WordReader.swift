// SPDX-License-Identifier: Apache-2.0

struct UsageFailure: Error {
    let text: String

    init(_ text: String) { self.text = text }
}

/// Takes what a subcommand knows out of the command line; the rest is for the proxy's settings.
struct WordReader {
    private(set) var words: [String]

    init(_ words: [String]) { self.words = words }

    mutating func takeFirst() -> String? {
        guard let first = words.first, !first.hasPrefix("--") else { return nil }
        return words.removeFirst()
    }

    mutating func flag(_ name: String) -> Bool {
        guard let index = words.firstIndex(of: name) else { return false }
        words.remove(at: index)
        return true
    }

    /// `NAME VALUE` or `NAME=VALUE`, as the proxy's settings are written.
    mutating func value(_ name: String) throws(UsageFailure) -> String? {
        if let index = words.firstIndex(where: { $0.hasPrefix("\(name)=") }) {
            return String(words.remove(at: index).dropFirst(name.count + 1))
        }
        guard let index = words.firstIndex(of: name) else { return nil }
        guard index + 1 < words.count else { throw UsageFailure("\(name) needs a value") }
        let value = words[index + 1]
        words.removeSubrange(index...index + 1)
        return value
    }
}
