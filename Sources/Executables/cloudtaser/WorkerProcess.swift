// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc

/// A worker that runs, seen from the supervisor.
final class WorkerProcess {
    /// Seeds that it is to run.
    let seeds: Range<UInt64>
    /// The seed that has begun and not ended.
    private(set) var current: UInt64?
    /// It said that it is done.
    private(set) var isDone = false
    /// What it said outside the protocol, the first lines: why it died.
    private(set) var lastWords: [Substring] = []

    private static let lastWordsMax = 3
    private let process = Process()
    private let output = Pipe()
    private var rest: [UInt8] = []

    var descriptor: Int32 { output.fileHandleForReading.fileDescriptor }

    /// - Parameter extra: further arguments.
    init(scenario: String, seeds: Range<UInt64>, extra: [String] = []) throws {
        self.seeds = seeds
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments =
            [
                "simulate-worker", "--scenario", scenario, "--first", "\(seeds.lowerBound)",
                "--count", "\(seeds.count)",
            ] + extra
        // A trap's own words are enough; a stack trace takes seconds to print.
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            throw OperationalError(description: "a worker cannot be started: \(error)")
        }
        // The writing end is the child's alone: its end shows as the end of the file.
        try? output.fileHandleForWriting.close()
    }

    /// Reads what there is. Waits when there is nothing yet.
    ///
    /// - Returns: nil at the end.
    func read() -> [WorkerLine]? {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { return [] }
        guard count > 0 else { return nil }
        rest += buffer.prefix(count)
        guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
        let text = String(decoding: rest[...end], as: UTF8.self)
        rest.removeSubrange(...end)
        return text.split(separator: "\n").compactMap(note)
    }

    private func note(_ text: Substring) -> WorkerLine? {
        guard let line = WorkerLine(text) else {
            if lastWords.count < Self.lastWordsMax { lastWords.append(text) }
            return nil
        }
        switch line {
        case .begin(let seed): current = seed
        case .end: current = nil
        case .done: isDone = true
        case .finding, .mark, .tape: break
        }
        return line
    }

    /// Waits for the end, and says how it came.
    func end() -> String {
        process.waitUntilExit()
        let how =
            process.terminationReason == .uncaughtSignal
            ? "ended by signal \(process.terminationStatus)"
            : "ended with \(process.terminationStatus)"
        let words = lastWords.joined(separator: " ").split(whereSeparator: \.isNewline)
            .joined(separator: " ")
        return words.isEmpty ? how : "\(how): \(words)"
    }

    func terminate() { process.terminate() }
}
