// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// Connections to a port of 127.0.0.1 on which nothing is said, held by another process: so many
/// descriptors would slow down whoever else of the tests calls select(2). They end with the object.
package final class IdleCrowd: Sendable {
    private let process: Process
    private let lifeline: Pipe

    private static let script = """
        import socket, sys
        crowd = [socket.create_connection(("127.0.0.1", int(sys.argv[1])))
                 for _ in range(int(sys.argv[2]))]
        print(len(crowd), flush=True)
        sys.stdin.read()
        """

    package struct NotThere: Error { package let output: String }

    package init(port: Int, count: Int) throws {
        process = Process()
        lifeline = Pipe()
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = ["-c", Self.script, String(port), String(count)]
        process.standardInput = lifeline
        process.standardOutput = output
        try process.runUnblocked()
        // One line, or nothing when it failed.
        var line = ""
        while !line.hasSuffix("\n") {
            let part = output.fileHandleForReading.availableData
            guard !part.isEmpty else { break }
            line += String(decoding: part, as: UTF8.self)
        }
        guard line == "\(count)\n" else { throw NotThere(output: line) }
    }

    deinit {
        try? lifeline.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
