// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

/// The server in a process of its own.
private final class Probe {
    private let process = Process()
    private let commands = Pipe()
    private let output = Pipe()
    private(set) var port = 0

    init() throws {
        process.executableURL = URL(filePath: ProgramRun.path(of: "object-server-probe"))
        process.standardInput = commands
        process.standardOutput = output
        try process.runUnblocked()
        port = try #require(try numbers().first)
    }

    deinit {
        try? commands.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    private func numbers() throws -> [Int] {
        var line = ""
        while !line.hasSuffix("\n") {
            let part = output.fileHandleForReading.availableData
            try #require(!part.isEmpty)
            line += String(decoding: part, as: UTF8.self)
        }
        return line.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    }

    func measure() throws -> (resident: Int, buffered: Int, connections: Int) {
        try commands.fileHandleForWriting.write(contentsOf: Data("\n".utf8))
        let found = try numbers()
        try #require(found.count == 3)
        return (found[0], found[1], found[2])
    }

    /// As `measure`, once nothing is buffered any more: the last client has its answer a moment
    /// before the server knows that it left. After so many looks, whatever there is.
    func measureAtRest(looks: Int = 200) throws -> (
        resident: Int, buffered: Int, connections: Int
    ) {
        var found = try measure()
        for _ in 1..<looks where found.buffered > 0 {
            usleep(50_000)
            found = try measure()
        }
        return found
    }
}

/// Connections that have each sent a body and got an answer, and are idle since.
private final class UsedCrowd {
    private let process = Process()
    private let commands = Pipe()
    private let output = Pipe()

    private static let script = """
        import socket, sys
        port, count, size = (int(word) for word in sys.argv[1:])
        body = b"x" * size
        head = b"PUT / HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: %d\\r\\n\\r\\n" % size
        crowd = []
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", port))
            one.sendall(head + body)
            answer = b""
            while not answer.endswith(b"%d\\n" % size):
                answer += one.recv(4096)
            crowd.append(one)
        print(len(crowd), flush=True)
        sys.stdin.read()
        """

    init(port: Int, count: Int, bodyBytes: Int) throws {
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = ["-c", Self.script, String(port), String(count), String(bodyBytes)]
        process.standardInput = commands
        process.standardOutput = output
        try process.runUnblocked()
        var line = ""
        while !line.hasSuffix("\n") {
            let part = output.fileHandleForReading.availableData
            try #require(!part.isEmpty)
            line += String(decoding: part, as: UTF8.self)
        }
    }

    deinit {
        try? commands.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}

@Suite("Object server, memory", .serialized) struct MemoryTests {
    /// Of one idle connection.
    private static let idleBytesMax = 20 << 10

    @Test(arguments: [0, 1000, 1 << 20])
    func `of idle connections is small, whatever they have sent`(_ bodyBytes: Int) throws {
        let probe = try Probe()
        // What the first connections bring with them is none of the others'.
        do {
            let first = try UsedCrowd(port: probe.port, count: 20, bodyBytes: bodyBytes)
            withExtendedLifetime(first) {}
        }
        let before = try probe.measure()
        let crowd = try UsedCrowd(port: probe.port, count: 1000, bodyBytes: bodyBytes)
        let after = try probe.measureAtRest()
        withExtendedLifetime(crowd) {}
        #expect(after.connections >= 1000)
        #expect(after.buffered == 0)
        let each = (after.resident - before.resident) / 1000
        print("an idle connection after a body of \(bodyBytes) bytes: \(each) bytes resident")
        #expect(each <= Self.idleBytesMax)
    }
}
