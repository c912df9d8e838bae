// SPDX-License-Identifier: Apache-2.0
import Foundation
import KubernetesFormat
import KubernetesPorts
import Ports
import ServerProcess
import Synchronization
import Testing

/// What programs that serve do with their process. Their signals are tested with the programs
/// (OperatorProgramTests, S3ProxyProgramTests): a handler is the whole process's.
@Suite("The process of a server") struct ServerProcessTests {
    /// Does the next thing in the place of each wait, and cancels the task after the last.
    private final class Waits: AsyncTimeSource {
        private let left: Mutex<[@Sendable () -> Void]>

        init(_ things: [@Sendable () -> Void]) { left = Mutex(things) }

        func monotonic() -> MonotonicTime { MonotonicTime(nanoseconds: 0) }
        func secondsSince1970() -> Int64 { 1_700_000_000 }

        func sleep(until time: MonotonicTime) async {
            let next: (@Sendable () -> Void)? = left.withLock {
                $0.isEmpty ? nil : $0.removeFirst()
            }
            if let next { next() } else { withUnsafeCurrentTask { $0?.cancel() } }
        }
    }

    /// Two files in a folder of their own.
    private struct Pair {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "server-process-\(UUID().uuidString)")

        init(certificate: [UInt8], key: [UInt8]) throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try write(certificate, "tls.crt")
            try write(key, "tls.key")
        }

        var files: CertificateFiles {
            CertificateFiles(
                certificatePath: folder.appending(path: "tls.crt").path(),
                keyPath: folder.appending(path: "tls.key").path())
        }

        func write(_ bytes: [UInt8], _ name: String) throws {
            try Data(bytes).write(to: folder.appending(path: name))
        }

        func remove() { try? FileManager.default.removeItem(at: folder) }
    }

    @Test func `files are read up to their limit, and refused by name`() throws {
        let most = [UInt8](repeating: 1, count: CertificateFiles.bytesMax)
        let pair = try Pair(certificate: most, key: [2])
        defer { pair.remove() }
        #expect(try pair.files.read() == CertificateFiles.Content(certificates: most, key: [2]))
        try pair.write(most + [1], "tls.crt")
        let tooLarge = try #require(throws: StartFailure.self) { try pair.files.read() }
        #expect(tooLarge.text.contains("tls.crt is empty or larger than 1048576 bytes"))
        try pair.write([], "tls.crt")
        #expect(throws: StartFailure.self) { try pair.files.read() }
        try pair.write([1], "tls.crt")
        #expect(throws: Never.self) { try pair.files.read() }
        try FileManager.default.removeItem(at: pair.folder.appending(path: "tls.key"))
        let missing = try #require(throws: StartFailure.self) { try pair.files.read() }
        #expect(missing.text.contains("tls.key cannot be read; name a PEM file"))
    }

    @Test func `changed files are served, each once, and what is missing changes nothing`()
        async throws
    {
        let pair = try Pair(certificate: [1], key: [1])
        defer { pair.remove() }
        let waits = Waits([
            {},
            { try? pair.write([2], "tls.crt") },
            {},
            { try? FileManager.default.removeItem(at: pair.folder.appending(path: "tls.key")) },
            { try? pair.write([3], "tls.key") },
        ])
        let served = Mutex<[CertificateFiles.Content]>([])
        let first = try pair.files.read()
        let task = Task {
            await pair.files.follow(
                from: first, clock: waits, log: ProgramLog(clock: waits, least: .error)
            ) { new in
                served.withLock { $0.append(new) }
                return true
            }
        }
        await task.value
        #expect(
            served.withLock { $0 } == [
                CertificateFiles.Content(certificates: [2], key: [1]),
                CertificateFiles.Content(certificates: [2], key: [3]),
            ])
    }

    @Test func `a line of the log is an object of JSON with the fields at its end`() throws {
        let record = TelemetryRecord(
            .warning, "lease_lost", "two\nlines", fields: [.init("holder", "a\u{1B}b")])
        let line = ProgramLog.line(record, at: 1_700_000_000_123_456_789)
        #expect(line.last == UInt8(ascii: "\n") && line.count { $0 == UInt8(ascii: "\n") } == 1)
        let tree = try JSONTree(Array(line.dropLast()))
        #expect(
            tree.members?.map(\.name) == ["time", "severity", "event", "message", "holder"])
        #expect(tree["time"]?.text == "2023-11-14T22:13:20.123456Z")
        #expect(tree["severity"]?.text == "warning" && tree["message"]?.text == "two\nlines")
        #expect(!line.contains(0x1B))
    }

    @Test func `a failure is news when it differs from the last of its place, and ends once`() {
        let log = ProgramLog(clock: Waits([]), least: .error)
        #expect(log.isNews("refused", of: "vault") && !log.isNews("refused", of: "vault"))
        #expect(log.isNews("refused", of: "store") && log.isNews("timed out", of: "vault"))
        #expect(log.endsFailure(of: "vault") && !log.endsFailure(of: "vault"))
        #expect(log.isNews("timed out", of: "vault"))
    }

    @Test func `a stop is set once and for all`() {
        let flag = StopFlag()
        #expect(!flag.isSet)
        flag.set()
        #expect(flag.isSet)
    }
}
