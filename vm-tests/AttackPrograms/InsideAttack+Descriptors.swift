// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// Gives the secret's descriptor to another program, which maps it (delivery mode `file`).
extension InsideAttack {
    /// A program that this one executes has the descriptor still.
    func inheritedDescriptor() -> (AttackOutcome, Int32) {
        guard let descriptor else { return (.unavailable, EBADF) }
        return shown(byOwnProgram: ["map", String(descriptor)])
    }

    /// A program gets the descriptor over a Unix socket.
    func descriptorPassing() -> (AttackOutcome, Int32) {
        guard let descriptor else { return (.unavailable, EBADF) }
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            return (.unavailable, errno)
        }
        defer { for end in ends { close(end) } }
        let sent = clinux_pass_descriptor(ends[0], descriptor)
        guard sent >= 0 else { return (.refused, -sent) }
        return shown(byOwnProgram: ["receive", String(ends[1])])
    }

    /// What this program, executed anew with these words, writes to its standard output.
    private func shown(byOwnProgram words: [String]) -> (AttackOutcome, Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return (.unavailable, errno) }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        let path = "/proc/self/exe"
        var arguments = ([path] + words).map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var child: pid_t = 0
        let failure = posix_spawn(&child, path, &actions, nil, &arguments, environ)
        close(ends[1])
        guard failure == 0 else { return (.refused, failure) }
        let result = received { Int64(read(ends[0], $0.baseAddress, $0.count)) }
        var status: Int32 = 0
        waitpid(child, &status, 0)
        // Its exit code is the error number that refused the mapping.
        return status == 0 ? result : (.refused, status >> 8 & 0xff)
    }

    /// The other program: writes the pages of an open descriptor to standard output and ends, with
    /// the error number that refused as its exit code.
    package static func show(_ descriptor: Int32) -> Never {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { exit(errno) }
        let bytes = Int(status.st_size)
        guard let base = mmap(nil, bytes, PROT_READ, MAP_SHARED, descriptor, 0),
            base != MAP_FAILED
        else { exit(errno) }
        exit(write(STDOUT_FILENO, base, bytes) == bytes ? 0 : errno)
    }

    /// The same with a descriptor that waits in the socket `channel`.
    package static func receive(from channel: Int32) -> Never {
        let descriptor = clinux_receive_descriptor(channel)
        guard descriptor >= 0 else { exit(-descriptor) }
        show(descriptor)
    }
}
