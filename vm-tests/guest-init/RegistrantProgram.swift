// SPDX-License-Identifier: Apache-2.0
import AgentProtocol
import CLinux
@preconcurrency import Glibc

/// `/init registrant SOCKET`: says each line of its standard input to the agent.
enum RegistrantProgram {
    static func run(_ arguments: [String]) -> Never {
        guard let path = arguments.first else { exit(64) }
        print("ready")
        fflush(stdout)
        while let word = readLine() {
            switch word {
            case "register": print(say(Registration.request, to: path))
            case "fork": fork()
            case "program": program(path)
            case "listen": print(clinux_seccomp_listener())
            case "ring": print(clinux_open_io_uring())
            case "fault": print(clinux_open_userfaultfd())
            case "fault elsewhere": print(faultElsewhere())
            case let read where read.hasPrefix("read "):
                print(SelfTest.reads(pid_t(read.dropFirst("read ".count)) ?? 0))
            default: print(say(word + "\n", to: path))
            }
            fflush(stdout)
        }
        exit(0)
    }

    /// A child holds what answers for this process's pages; this process does not. The child or
    /// -errno.
    private static func faultElsewhere() -> Int32 {
        let faults = clinux_open_userfaultfd()
        guard faults >= 0 else { return faults }
        let child = Glibc.fork()
        if child == 0 { while true { pause() } }
        close(faults)
        return child
    }

    /// A child that executes something.
    private static func program(_ path: String) {
        guard let child = ChildProcess(["registrant", path]), child.readLine() == "ready" else {
            return print(0)
        }
        // Its pipes stay open as long as this process runs.
        print(child.pid)
    }

    private static func fork() {
        let child = Glibc.fork()
        if child == 0 { while true { pause() } }
        print(child)
    }

    /// The agent's answer to one line.
    static func say(_ line: String, to path: String) -> String {
        let connection = clinux_local_connect(path, 5000)
        guard connection >= 0 else { return "no agent: \(-connection)" }
        defer { close(connection) }
        _ = line.utf8CString.withUnsafeBufferPointer {
            write(connection, $0.baseAddress, $0.count - 1)
        }
        var answer = [UInt8](repeating: 0, count: Registration.lineBytesMax)
        let got = read(connection, &answer, answer.count)
        guard got > 0 else { return "no answer" }
        return String(decoding: answer.prefix(got).prefix { $0 != 10 }, as: UTF8.self)
    }
}
