// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc

/// How far a campaign is, on standard error: a bar on a terminal, now and then a line elsewhere.
struct ProgressBar {
    private static let width = 30
    private static let linesMax = 10
    private let total: Int
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var shown = -1

    init(total: Int) { self.total = total }

    mutating func show(_ count: Int, failures: Int, seedsPerMinute: Double) {
        let steps = isTerminal ? 1000 : Self.linesMax
        guard count * steps / total > shown * steps / total || shown < 0 && isTerminal else {
            return
        }
        shown = count
        let facts = "\(count)/\(total) seeds, \(Int(seedsPerMinute))/min, \(failures) failures"
        guard isTerminal else { return Terminal.error(facts) }
        let filled = count * Self.width / total
        let bar =
            String(repeating: "#", count: filled)
            + String(repeating: "·", count: Self.width - filled)
        FileHandle.standardError.write(Data("\r[\(bar)] \(facts)\u{1B}[K".utf8))
    }

    func end() {
        if isTerminal { FileHandle.standardError.write(Data("\n".utf8)) }
    }
}
