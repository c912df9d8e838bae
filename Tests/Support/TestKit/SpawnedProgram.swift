// SPDX-License-Identifier: Apache-2.0
package import Foundation
import Glibc

/// A running program with an empty standard input and its output and errors in one pipe.
///
/// For what Foundation's Process cannot do: an environment that names something twice, and no
/// signal blocked or ignored, as the test runner's own are not the program's.
package struct SpawnedProgram {
    package let process: pid_t
    /// Reaches its end when the last process that has it open has ended.
    package let reader: FileHandle

    /// - Parameters:
    ///   - words: the program's absolute path and its arguments.
    ///   - entries: the whole environment, `NAME=value` each.
    package init(_ words: [String], entries: [String]) throws {
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
        var environment = entries.map { strdup($0) } + [nil]
        defer { for pointer in arguments + environment { free(pointer) } }
        var child: pid_t = 0
        let result = posix_spawn(
            &child, words[0], &actions, &attributes, &arguments, &environment)
        try pipe.fileHandleForWriting.close()
        guard result == 0 else { throw POSIXError(POSIXErrorCode(rawValue: result) ?? .EIO) }
        process = child
        reader = pipe.fileHandleForReading
    }

    /// Waits for the end. Returns the exit code, or 128 + the signal.
    package func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR { continue }
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    }
}
