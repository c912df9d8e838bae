// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import TestKit
import Testing

/// What stands above the program.
enum Above: String, CaseIterable, CustomTestStringConvertible {
    /// Nothing: a plain exec, the control.
    case nothing
    case attached, notified, environ, file

    static let wrapped: [Above] = [.attached, .notified, .environ, .file]

    var testDescription: String { rawValue }

    var options: [String] {
        switch self {
        case .nothing: []
        case .attached, .notified: ["--follow", rawValue]
        case .environ, .file: ["--mode", rawValue]
        }
    }
}

/// Where the process above the program stands, or the program itself where nothing is above it.
enum Place: String, CaseIterable, CustomTestStringConvertible {
    /// A child of the test runner, among all other processes.
    case ordinary
    /// Process 1 of a PID namespace, as a container's first process is. The kernel drops every
    /// signal to it that it has no handler for, but SIGKILL and SIGSTOP from outside; orphans are
    /// its children; and its end is everybody's.
    case first

    /// Those that this host allows; `FirstProcessTests` holds it to a reason.
    static let here: [Place] = probe.map { $0.status == 0 } == true ? allCases : [.ordinary]

    /// A program that is process 1 and ends at once; nil when it could not be started at all.
    static let probe: DutyRun.End? = try? DutyRun(
        .nothing, [DutyRun.probe, "exit", "0"], place: .first
    ).finish()

    var testDescription: String { rawValue }

    var starters: [String] { self == .first ? [DutyRun.probe, "as-first"] : [] }
}

/// A program that runs below one of them, its output seen as it comes.
final class DutyRun {
    static let probe = ProgramRun.path(of: "duty-probe")
    static let harness = ProgramRun.path(of: "delivery-harness")
    /// Exit code of delivery-harness where the host refuses what splice needs.
    static let refused: Int32 = 104

    private let program: SpawnedProgram
    private let place: Place
    private let secrets: URL?
    private var text = ""

    /// - Parameters:
    ///   - starters: words before the harness, each executing the rest.
    ///   - entries: the whole environment.
    init(
        _ above: Above, _ command: [String], starters: [String] = [], options: [String] = [],
        entries: [String] = ["PATH=/usr/bin:/bin"], place: Place = .ordinary
    ) throws {
        self.place = place
        // Other tests of this process have descriptors open.
        var words = [Self.probe, "with-none-above", "3"] + place.starters + starters
        if above == .nothing {
            secrets = nil
        } else {
            let file = FileManager.default.temporaryDirectory
                .appending(path: "cloudtaser-duty-\(UUID().uuidString)")
            try Data("CT_DUTY=canary-of-the-duties\n".utf8).write(to: file)
            secrets = file
            words += [Self.harness] + above.options + options + ["--secrets", file.path(), "--"]
        }
        words += command
        program = try SpawnedProgram(words, entries: entries)
    }

    deinit { if let secrets { try? FileManager.default.removeItem(at: secrets) } }

    /// What signals are sent to: the process above the program, or the program itself. Under
    /// `first` it is the child of the one that made the namespace; read once it runs.
    var process: pid_t {
        guard place == .first else { return program.process }
        let path = "/proc/\(program.process)/task/\(program.process)/children"
        let children = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        // 0 would be the test's own process group.
        return children.split(separator: " ").first.flatMap { pid_t($0) } ?? program.process
    }

    /// Reads until the output has that many occurrences of a text; false at its end.
    @discardableResult
    func awaitOutput(_ wanted: String, count: Int = 1) -> Bool {
        while text.components(separatedBy: wanted).count <= count {
            let data = program.reader.availableData
            guard !data.isEmpty else { return false }
            text += String(decoding: data, as: UTF8.self)
        }
        return true
    }

    func send(_ signal: Int32) { kill(process, signal) }

    struct End: Equatable {
        let status: Int32
        let output: String

        /// Where the host refuses a call, nothing may have run.
        var isRefused: Bool { status == DutyRun.refused && output.contains("refused") }
    }

    func finish() -> End {
        text += String(decoding: program.reader.readDataToEndOfFile(), as: UTF8.self)
        return End(status: program.wait(), output: text)
    }
}

/// Runs the same below everything and compares with the plain exec.
///
/// - Parameters:
///   - place: of the process above. The plain exec is an ordinary process in either case: a program
///     below a wrapper that is process 1 is to find itself as one that is not.
///   - meanwhile: what is done to the process above, or to the program itself.
func expectAsPlainExec(
    _ command: [String], starters: [String] = [], options: [String] = [],
    entries: [String] = ["PATH=/usr/bin:/bin"], below: [Above] = Above.wrapped,
    place: Place = .ordinary,
    ignoring isIgnored: (Substring) -> Bool = { _ in false },
    meanwhile: (DutyRun) throws -> Void = { _ in },
    control: (DutyRun.End) -> Void = { _ in }, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let plain = try DutyRun(.nothing, command, starters: starters, entries: entries)
    try meanwhile(plain)
    let expected = plain.finish()
    control(expected)
    func lines(_ end: DutyRun.End) -> [Substring] {
        end.output.split(separator: "\n", omittingEmptySubsequences: false)
            .filter { !isIgnored($0) }
    }
    for above in below {
        let run = try DutyRun(
            above, command, starters: starters, options: options, entries: entries, place: place)
        try meanwhile(run)
        let end = run.finish()
        if end.isRefused { continue }
        #expect(end.status == expected.status, "\(above): \(end)", sourceLocation: sourceLocation)
        #expect(lines(end) == lines(expected), "\(above)", sourceLocation: sourceLocation)
    }
}
