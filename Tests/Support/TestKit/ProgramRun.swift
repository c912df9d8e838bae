// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// A program of this package that was run to its end.
package struct ProgramRun: Sendable {
    /// Exit code, or 128 + the signal.
    package let status: Int32
    package let output: String
    package let errors: String

    /// Where the products lie: beside the running test program.
    static let productFolder = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent()

    /// - Parameters:
    ///   - product: name of an executable product.
    ///   - environment: all of it; nothing is inherited.
    package init(
        _ product: String, _ arguments: [String], environment: [String: String]
    ) throws {
        try self.init(path: Self.path(of: product), arguments, environment: environment)
    }

    /// Absolute path of a product.
    package static func path(of product: String) -> String {
        productFolder.appending(path: product).path(percentEncoded: false)
    }

    /// - Parameter path: of any program.
    package init(path: String, _ arguments: [String], environment: [String: String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        // Files, not pipes: nobody has to read both at once.
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "cloudtaser-run-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = try ["out", "err"].map { name in
            let url = folder.appending(path: name)
            try Data().write(to: url)
            return (url, try FileHandle(forWritingTo: url))
        }
        process.standardOutput = files[0].1
        process.standardError = files[1].1
        try process.runUnblocked()
        process.waitUntilExit()
        let isSignal = process.terminationReason == .uncaughtSignal
        status = process.terminationStatus + (isSignal ? 128 : 0)
        output = String(decoding: try Data(contentsOf: files[0].0), as: UTF8.self)
        errors = String(decoding: try Data(contentsOf: files[1].0), as: UTF8.self)
    }
}

extension Process {
    /// `run()` with no signal blocked in the program: it inherits what the starting thread blocks,
    /// and the test runner blocks some.
    package func runUnblocked() throws {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try run()
    }
}
