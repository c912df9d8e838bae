// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc

/// A program in a process group of its own: what it starts ends with it. Foundation's `Process`
/// waits for whoever inherited its descriptors, and cannot be told not to.
final class PluginProcess {
    /// Tries of 10 ms to run a file that is being written.
    static let busyTriesMax = 50

    private let identifier: pid_t
    private let descriptor: Int32
    /// As wait(2) gives it, once it has ended.
    private var ended: Int32?

    /// nil: it cannot be started.
    init?(_ path: String, _ arguments: [String], _ environment: [String: String]) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[1]) }
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        // It may print anything there, and nobody else would keep it to himself.
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        posix_spawnattr_setpgroup(&attributes, 0)
        let words = Self.copies([path] + arguments)
        let variables = Self.copies(environment.map { "\($0.key)=\($0.value)" })
        defer { for copy in words + variables { free(copy) } }
        var child = pid_t()
        var error = posix_spawn(&child, path, &actions, &attributes, words, variables)
        // A program that was just installed may be open for writing a moment longer, in somebody's
        // child.
        for _ in 0..<Self.busyTriesMax where error == ETXTBSY {
            Thread.sleep(forTimeInterval: 0.01)
            error = posix_spawn(&child, path, &actions, &attributes, words, variables)
        }
        guard error == 0 else {
            close(ends[0])
            return nil
        }
        identifier = child
        descriptor = ends[0]
    }

    deinit { close(descriptor) }

    /// C strings and a nil at the end.
    private static func copies(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
        texts.map { strdup($0) } + [nil]
    }

    /// Up to its end; nil: too much or too long.
    func output(until end: Date, bytesMax: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= bytesMax {
            let left = end.timeIntervalSinceNow
            guard left > 0 else { return nil }
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, Int32(left * 1000) + 1) > 0 else { continue }
            let count = read(descriptor, &part, part.count)
            if count == 0 { return bytes }
            guard count > 0 else { return nil }
            bytes += part[..<count]
        }
        return nil
    }

    /// Its exit code, or 128 and the signal that ended it; nil: it goes on.
    func status(until end: Date) -> Int? {
        while ended == nil {
            var status: Int32 = 0
            guard waitpid(identifier, &status, WNOHANG) == 0 else {
                ended = status
                break
            }
            guard end.timeIntervalSinceNow > 0 else { return nil }
            Thread.sleep(forTimeInterval: 0.01)
        }
        guard let ended else { return nil }
        let signal = Int(ended & 0x7F)
        return signal == 0 ? Int(ended >> 8 & 0xFF) : 128 + signal
    }

    /// With all that it started.
    func kill() {
        guard ended == nil else { return }
        Glibc.kill(-identifier, SIGKILL)
        var status: Int32 = 0
        waitpid(identifier, &status, 0)
        ended = status
    }
}
