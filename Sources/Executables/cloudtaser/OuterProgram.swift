// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A program of somebody else's that this one runs: helm, kubectl.
struct OuterProgram {
    struct Run {
        let status: Int32
        let output: String
    }

    let name: String
    let path: String

    /// nil: it is not in PATH.
    init?(_ name: String) {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        let paths = folders.map { "\($0)/\(name)" }
        guard let path = paths.first(where: FileManager.default.isExecutableFile(atPath:)) else {
            return nil
        }
        self.name = name
        self.path = path
    }

    /// Runs it to its end; what it says on standard error goes where ours goes.
    ///
    /// - Parameters:
    ///   - input: for its standard input; nil: there is none.
    ///   - isCaptured: its output is returned, and not shown.
    ///   - isQuiet: nothing of standard error is shown.
    ///   - time: after that it is ended (seconds); nil: it may take as long as it does.
    func run(
        _ arguments: [String], input: Data? = nil, isCaptured: Bool, isQuiet: Bool = false,
        time: Double? = nil
    ) throws -> Run {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        let output = Pipe()
        if isCaptured { process.standardOutput = output }
        if isQuiet { process.standardError = FileHandle.nullDevice }
        // A file, not a pipe: nobody has to read and write at once.
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        if let input { try input.write(to: file) }
        defer { try? FileManager.default.removeItem(at: file) }
        process.standardInput =
            input == nil ? FileHandle.nullDevice : try FileHandle(forReadingFrom: file)
        do { try process.run() } catch {
            throw OperationalError(description: "\(path) does not start: \(error)")
        }
        if let time {
            let end = Date(timeIntervalSinceNow: time)
            DispatchQueue.global().async {
                while process.isRunning, end.timeIntervalSinceNow > 0 { usleep(20_000) }
                if process.isRunning { process.terminate() }
            }
        }
        let data =
            isCaptured ? output.fileHandleForReading.readDataToEndOfFile() : Data()
        process.waitUntilExit()
        let isSignal = process.terminationReason == .uncaughtSignal
        return Run(
            status: process.terminationStatus + (isSignal ? 128 : 0),
            output: String(decoding: data, as: UTF8.self))
    }
}
