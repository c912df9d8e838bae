// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// A copy of this program in another role, with its standard input and output on pipes.
struct ChildProcess {
    static let programPath = "/init"

    let pid: pid_t
    private let input: Int32
    private let output: Int32
    private let lines = Lines()

    /// - Parameters:
    ///   - words: arguments after the program's name.
    ///   - environment: more of it, `NAME=value` each.
    ///   - joiningErrors: standard error goes where standard output goes.
    ///   - secretVariable: a needle in the environment, the classic way; its plain bytes are in
    ///     this process only while the kernel copies them.
    init?(
        _ words: [String], environment more: [String] = [],
        secretVariable: (name: String, needle: Needle)? = nil, path: String = programPath,
        joiningErrors: Bool = false
    ) {
        var toChild: [Int32] = [-1, -1]
        var fromChild: [Int32] = [-1, -1]
        guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else { return nil }
        // One thread: nothing else can fork between the two calls.
        for descriptor in toChild + fromChild { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
        posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
        if joiningErrors { posix_spawn_file_actions_adddup2(&actions, fromChild[1], 2) }
        var arguments = ([path] + words).map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var environment = (["SWIFT_ROOT=/"] + more).map { strdup($0) }
        let owned = environment
        defer { for entry in owned { free(entry) } }
        let variable = UnsafeMutableRawBufferPointer.allocate(byteCount: 256, alignment: 16)
        defer {
            clinux_zero(variable.baseAddress, variable.count)
            variable.deallocate()
        }
        if let secretVariable, let base = variable.baseAddress {
            let name = Array((secretVariable.name + "=").utf8)
            clinux_zero(base, variable.count)
            base.copyMemory(from: name, byteCount: name.count)
            secretVariable.needle.unmask(into: base + name.count)
            environment.append(base.assumingMemoryBound(to: CChar.self))
        }
        environment.append(nil)
        var child: pid_t = 0
        let result = posix_spawn(&child, path, &actions, nil, &arguments, &environment)
        close(toChild[0])
        close(fromChild[1])
        guard result == 0 else { return nil }
        pid = child
        input = toChild[1]
        output = fromChild[0]
    }

    /// The next line of the child's output, or nil at its end.
    func readLine() -> String? { lines.next(from: output) }

    /// Drops what the child says until its end.
    func discardOutput() {
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while read(output, &block, block.count) > 0 {}
    }

    func send(_ word: String) {
        let bytes = Array((word + "\n").utf8)
        _ = write(input, bytes, bytes.count)
    }

    /// Waits for the child's end and closes the pipes. The raw wait status.
    @discardableResult
    func reap() -> Int32 {
        var status: Int32 = 0
        close(input)
        waitpid(pid, &status, 0)
        close(output)
        return status
    }
}

/// What was read from a descriptor, and no line of it taken yet: a read for each byte takes longer
/// in a guest than what most children do.
private final class Lines {
    private static let bytesMax = 4096

    private var block = [UInt8](repeating: 0, count: 64 << 10)
    private var waiting = 0..<0

    func next(from descriptor: Int32) -> String? {
        var line: [UInt8] = []
        while line.count < Self.bytesMax {
            if waiting.isEmpty {
                let count = read(descriptor, &block, block.count)
                guard count > 0 else {
                    return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
                }
                waiting = 0..<count
            }
            let most = block[waiting.prefix(Self.bytesMax - line.count)]
            let end = most.firstIndex(of: UInt8(ascii: "\n"))
            line += most[..<(end ?? most.endIndex)]
            waiting = (end.map { $0 + 1 } ?? most.endIndex)..<waiting.upperBound
            if end != nil { break }
        }
        return String(decoding: line, as: UTF8.self)
    }
}
