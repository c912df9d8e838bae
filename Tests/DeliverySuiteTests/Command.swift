// SPDX-License-Identifier: Apache-2.0
import Foundation

/// How a command of the suite ended.
struct Outcome: Sendable {
    /// Exit code, or 128 + the signal.
    let status: Int32
    /// Standard output and standard error of the whole tree.
    let output: String
    /// Whether every process that held the output closed it before the time ran out: the tree is
    /// gone.
    let treeEnded: Bool
}

/// A program (its absolute path first) started by the suite, with an empty standard input, its
/// output in one pipe, and no other descriptor.
final class Command: Sendable {
    let pid: Int32
    private let output: Int32
    /// The entry that every process of the tree has, whatever group or session it is in.
    private let mark: Data?

    init(_ arguments: [String], environment: [String]) throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw SuiteFailure("pipe: errno \(errno)") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own, so that whatever is left after a failure can be ended; no blocked
        // or ignored signal of the test runner.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        // The victim closes what other tests of this process have open, and executes the rest.
        var words = ([Host.victim, "clean"] + arguments).map { strdup($0) } + [nil]
        var entries = environment.map { strdup($0) } + [nil]
        defer {
            words.forEach { free($0) }
            entries.forEach { free($0) }
        }
        var child: pid_t = 0
        let error = posix_spawn(&child, Host.victim, &actions, &attributes, &words, &entries)
        close(ends[1])
        guard error == 0 else {
            close(ends[0])
            throw SuiteFailure("cannot start \(arguments[0]): errno \(error)")
        }
        pid = child
        output = ends[0]
        mark = environment.first { $0.hasPrefix("SUITE_DIR=") }.map { Data("\($0)\0".utf8) }
        _ = fcntl(output, F_SETFD, FD_CLOEXEC)
    }

    /// Reads until the last process of the tree has closed the output, or `seconds` have passed;
    /// then ends what is left.
    func finish(within seconds: Double = 40, afterExit grace: Double = 10) -> Outcome {
        var text = Data()
        var block = [UInt8](repeating: 0, count: 4096)
        var deadline = Date().addingTimeInterval(seconds)
        var ended = false
        var status: Int32?
        while !ended {
            if status == nil, let exit = poll(for: pid) {
                status = exit
                deadline = min(deadline, Date().addingTimeInterval(grace))
            }
            let left = deadline.timeIntervalSinceNow
            guard left > 0 else { break }
            var request = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            guard Glibc.poll(&request, 1, Int32(min(left * 1000, 20)) + 1) > 0 else { continue }
            let count = read(output, &block, block.count)
            ended = count == 0
            if count > 0 { text.append(contentsOf: block.prefix(count)) }
        }
        close(output)
        if !ended { endTree() }
        return Outcome(
            status: status ?? wait(for: pid), output: String(decoding: text, as: UTF8.self),
            treeEnded: ended)
    }

    /// Ends what a failed run left behind.
    private func endTree() {
        kill(pid, SIGKILL)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        for other in names.compactMap({ Int32($0) }) {
            guard let mark, let entries = procFile("/proc/\(other)/environ"),
                entries.range(of: mark) != nil
            else { continue }
            kill(other, SIGKILL)
        }
    }

    private func poll(for pid: Int32) -> Int32? {
        var status: Int32 = 0
        return waitpid(pid, &status, WNOHANG) == pid ? Self.code(status) : nil
    }

    private func wait(for pid: Int32) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return Self.code(status)
    }

    private static func code(_ status: Int32) -> Int32 {
        status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }
}
