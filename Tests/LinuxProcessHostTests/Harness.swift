// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc

/// Runs a shell script under delivery-harness.
struct Harness {
    struct Outcome {
        let status: Int32
        let output: String

        /// The host refuses ptrace, seccomp or memfd_secret; then nothing may have run.
        var isRefused: Bool { status == 104 }
    }

    static let value = "canary-of-the-run-tests"

    /// Words before the harness, such as `unshare -pf --mount-proc`.
    var below: [String] = []
    var options: [String] = []

    /// - Parameter meanwhile: gets the harness's process id once the script wrote its first line.
    func run(_ script: String, meanwhile: (pid_t) -> Void = { _ in }) throws -> Outcome {
        let secrets = FileManager.default.temporaryDirectory
            .appending(path: "cloudtaser-run-\(UUID().uuidString)")
        try Data("CT_CANARY=\(Self.value)\n".utf8).write(to: secrets)
        defer { try? FileManager.default.removeItem(at: secrets) }
        let words =
            ["/usr/bin/env"] + below + [Self.path] + options + ["--secrets", secrets.path(), "--"]
            + ["/bin/sh", "-c", script]
        let (child, reader) = try Self.spawn(words)
        var output = reader.availableData
        meanwhile(child)
        output += reader.readDataToEndOfFile()
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR { continue }
        let code = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
        return Outcome(status: code, output: String(decoding: output, as: UTF8.self))
    }

    /// With no signal blocked or ignored: the test runner's own are not the program's.
    private static func spawn(_ words: [String]) throws -> (pid_t, FileHandle) {
        let pipe = Pipe()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        let writer = pipe.fileHandleForWriting.fileDescriptor
        posix_spawn_file_actions_adddup2(&actions, writer, 1)
        posix_spawn_file_actions_adddup2(&actions, writer, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var arguments = words.map { strdup($0) } + [nil]
        var environment = [strdup("PATH=/usr/bin:/bin:/usr/sbin:/sbin"), nil]
        defer { for pointer in arguments + environment { free(pointer) } }
        var child: pid_t = 0
        let result = posix_spawn(
            &child, words[0], &actions, &attributes, &arguments, &environment)
        try pipe.fileHandleForWriting.close()
        guard result == 0 else { throw POSIXError(POSIXErrorCode(rawValue: result) ?? .EIO) }
        return (child, pipe.fileHandleForReading)
    }

    /// Products lie beside the test runner.
    private static let path: String = {
        let runner = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        return runner.deletingLastPathComponent().appending(path: "delivery-harness").path()
    }()
}
