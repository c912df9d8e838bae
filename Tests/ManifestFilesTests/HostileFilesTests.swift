// SPDX-License-Identifier: Apache-2.0
import Foundation
import Inventory
import ManifestFiles
import TestKit
import Testing

/// Files that are none, folders that go in circles, and memory.
@Suite("Hostile files") struct HostileFilesTests {
    private static let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"

    /// A folder of the test's own, gone when it ends.
    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "hostile-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.path(percentEncoded: false))
    }

    private func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
    }

    @Test func `links in a circle are walked once, and what is linked is read once`() throws {
        try inFolder { folder in
            let files = FileManager.default
            try files.createDirectory(atPath: folder + "/a", withIntermediateDirectories: true)
            try write(Self.map, folder + "/a/one.yaml")
            try files.createSymbolicLink(atPath: folder + "/a/b", withDestinationPath: folder)
            try files.createSymbolicLink(
                atPath: folder + "/again.yaml", withDestinationPath: folder + "/a/one.yaml")
            try files.createSymbolicLink(
                atPath: folder + "/lost.yaml", withDestinationPath: folder + "/none")
            #expect(mkfifo(folder + "/pipe.yaml", 0o600) == 0)
            var manifests = Manifests()
            try manifests.read(folder)
            #expect(manifests.objects.count == 1)
            #expect(
                manifests.unread.map(\.reason) == ["is a link that leads nowhere", "is no file"])
        }
    }

    @Test func `a linked folder is read: nothing is silently left out`() throws {
        try inFolder { folder in
            try inFolder { other in
                try write(Self.map, other + "/one.yaml")
                try FileManager.default.createSymbolicLink(
                    atPath: folder + "/linked", withDestinationPath: other)
                var manifests = Manifests()
                try manifests.read(folder)
                #expect(manifests.objects.count == 1)
            }
        }
    }

    @Test func `a pipe that somebody writes to is read`() throws {
        let run = try ProgramRun(
            path: "/bin/bash",
            [
                "-c", #"exec "$0" discover -o json <(printf '%s' "$1")"#,
                ProgramRun.path(of: "cloudtaser"), Self.map,
            ],
            environment: ["PATH": "/usr/bin:/bin"])
        #expect(run.status == 0 && run.output.contains("\"objects\":1"), "\(run)")
    }

    @Test func `a pipe that nobody writes to is given up`() throws {
        try inFolder { folder in
            let pipe = folder + "/pipe"
            #expect(mkfifo(pipe, 0o600) == 0)
            let run = try ProgramRun("cloudtaser", ["discover", pipe], environment: [:])
            #expect(run.status == 1 && run.errors.contains("nobody writes to"), "\(run)")
        }
    }

    // MARK: - Memory

    /// Runs a program and prints its largest resident memory, in KiB, after what it wrote itself.
    private static let meter = """
        import os, sys
        child = os.fork()
        if child == 0: os.execv(sys.argv[1], sys.argv[1:])
        _, status, usage = os.wait4(child, 0)
        print("RSS", usage.ru_maxrss)
        sys.exit(os.waitstatus_to_exitcode(status))
        """

    private func metered(_ words: [String]) throws -> (run: ProgramRun, mebibytes: Int) {
        let run = try ProgramRun(
            path: "/usr/bin/python3", ["-c", Self.meter] + words,
            environment: ["PATH": "/usr/bin:/bin"])
        let last = run.output.split(separator: "\n").last ?? ""
        let kibibytes = Int(last.split(separator: " ").last ?? "") ?? .max
        return (run, kibibytes / 1024)
    }

    /// Of one run on any of the files below.
    private static let mebibytesMax = 1_024

    @Test func `what is large or endless is refused within bounded memory`() throws {
        // The control: the meter sees a program that needs more.
        let large = try metered([
            "/usr/bin/python3", "-c", "x = bytearray(\(Self.mebibytesMax + 100) << 20)",
        ])
        #expect(large.run.status == 0 && large.mebibytes > Self.mebibytesMax)
        try inFolder { folder in
            let line = "k: " + String(repeating: "x", count: 1_020) + "\n"
            let path = folder + "/x.yaml"
            let cases: [(text: String, count: Int, status: Int32, reason: String)] = [
                (line, 100 << 10, 4, "larger than 67108864 bytes"),
                ("[],", 9_000_000, 4, "values and marks"),
                ("{\"a\":[" + String(repeating: "[],", count: 1_000), 8_000, 1, "values"),
            ]
            for (text, count, status, reason) in cases {
                let bytes = Data(String(repeating: text, count: count).utf8)
                try bytes.write(to: URL(filePath: path))
                let (run, mebibytes) = try metered([
                    ProgramRun.path(of: "cloudtaser"), "discover", path,
                ])
                #expect(run.status == status, "\(run)")
                #expect((run.output + run.errors).contains(reason), "\(run)")
                #expect(mebibytes < Self.mebibytesMax)
            }
            let zero = try metered([
                ProgramRun.path(of: "cloudtaser"), "discover", "/dev/zero",
            ])
            #expect(zero.run.status == 1 && zero.run.errors.contains("is larger than"))
            #expect(zero.mebibytes < Self.mebibytesMax)
        }
    }
}
