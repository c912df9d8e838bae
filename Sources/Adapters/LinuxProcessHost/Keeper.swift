// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
internal import Ports

/// The process between the supervisor and an untraced tree (notified): it lives as long as the
/// supervisor, and then ends the tree.
struct Keeper {
    let process: pid_t
    /// Wait statuses of the program.
    let statusDescriptor: Int32
    /// While it is open, the tree lives.
    let lifeDescriptor: Int32

    /// A pair that the keeper wrote: a process and its wait status.
    struct Message: Equatable {
        let process: pid_t
        let status: Int32
    }

    /// Nil when nothing is there, or the keeper has gone.
    func read() -> Message? {
        var pair: [Int32] = [0, 0]
        let got = pair.withUnsafeMutableBytes {
            Glibc.read(statusDescriptor, $0.baseAddress, $0.count)
        }
        return got == 8 ? Message(process: pair[0], status: pair[1]) : nil
    }

    /// Ends what is left of the tree, and waits for the keeper.
    func end() {
        close(lifeDescriptor)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR { continue }
        close(statusDescriptor)
    }
}

extension ChildStart {
    /// Forks keeper and child; the child runs C only, up to its execve.
    func startKept() throws(ProcessHostFailure) -> (StartedChild, Keeper) {
        var pair: [Int32] = [-1, -1]
        var pipes = clinux_keeper_pipes()
        let made = clinux_socket_pair(&pair)
        guard made == 0 else { throw .systemCall("socketpair", errorNumber: -made) }
        let piped = Self.open(&pipes)
        guard piped == 0 else { throw .systemCall("pipe2", errorNumber: -piped) }
        let process = withPlan(channel: pair[1], parentChannel: pair[0]) {
            clinux_start_kept_child($0, &pipes)
        }
        close(pair[1])
        close(pipes.life.0)
        close(pipes.status.1)
        guard process > 0 else { throw .systemCall("fork", errorNumber: -process) }
        let keeper = Keeper(
            process: process, statusDescriptor: pipes.status.0, lifeDescriptor: pipes.life.1)
        guard let first = keeper.read() else {
            keeper.end()
            throw .systemCall("fork", errorNumber: ECHILD)
        }
        return (StartedChild(process: first.process, channel: pair[0]), keeper)
    }

    private static func open(_ pipes: inout clinux_keeper_pipes) -> Int32 {
        let life = withUnsafeMutablePointer(to: &pipes.life) {
            $0.withMemoryRebound(to: Int32.self, capacity: 2) { clinux_pipe($0) }
        }
        guard life == 0 else { return life }
        return withUnsafeMutablePointer(to: &pipes.status) {
            $0.withMemoryRebound(to: Int32.self, capacity: 2) { clinux_pipe($0) }
        }
    }
}
