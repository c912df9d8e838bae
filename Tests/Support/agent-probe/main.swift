// SPDX-License-Identifier: Apache-2.0
import AgentPorts
// What the agent's adapters do to their own process, for tests: they fork, and give up privileges
// for good, so a test cannot call them in its own.
import AgentPrivileges
import AgentSelfTest
import Enforcement
import Glibc
import Ports

func statusLines(_ names: [String]) -> [String] {
    guard let file = fopen("/proc/self/status", "r") else { return [] }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 4096)
    var found: [String] = []
    while fgets(&line, Int32(line.count), file) != nil {
        let bytes = line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }
        let text = String(decoding: bytes, as: UTF8.self)
        if names.contains(where: { text.hasPrefix($0 + ":") }) { found.append(text) }
    }
    return found
}

/// Unbuffered: an attacker that is forked must not write its parent's lines again.
func say(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    _ = write(STDOUT_FILENO, bytes, bytes.count)
}

/// Each vector's outcome, then whether any child or victim is left.
func selfTest() -> Int32 {
    var probe = LinuxAttackProbe()
    do throws(AttackProbeFailure) {
        let victim = try probe.begin()
        say("victim \(kill(victim, 0) == 0 ? "alive" : "missing")")
        for vector in probe.vectors {
            say("\(vector) \(probe.attempt(vector))")
        }
        say("victim \(kill(victim, 0) == 0 ? "alive" : "missing")")
        let second = try probe.begin()
        say("second \(second != victim && kill(victim, 0) != 0 ? "alone" : "beside the first")")
        // 2 has no attempt: the attacker says so, and is no denial.
        let unknown = VectorNumber(2 as UInt16).map { probe.attempt($0) }
        say("unknown \(unknown == .failed(errorNumber: ENOSYS) ? "not tried" : "tried")")
        probe.end()
        probe.end()
        let isGone = kill(second, 0) != 0 && errno == ESRCH
        say("victim \(isGone ? "gone" : "left")")
        var status: Int32 = 0
        let left = waitpid(-1, &status, WNOHANG)
        say("children \(left == -1 && errno == ECHILD ? "none" : "left")")
        return 0
    } catch {
        say("no victim: \(error)")
        return 1
    }
}

/// Capabilities before and after, and what still works.
func privileges() -> Int32 {
    let names = ["CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs"]
    for line in statusLines(names) { say("before \(line)") }
    do throws(PrivilegeFailure) { try AgentPrivileges.reduce() } catch {
        say("failed \(error)")
        return 1
    }
    for line in statusLines(names) { say("after \(line)") }
    // CAP_SETUID, CAP_CHOWN: gone. An exec brings nothing back.
    say("setuid \(setuid(65534) == 0 ? "works" : "refused")")
    execl("/bin/grep", "grep", "CapEff", "/proc/self/status")
}

func execl(_ path: String, _ words: String...) -> Never {
    var arguments = words.map { strdup($0) } + [nil]
    execv(path, &arguments)
    exit(127)
}

switch CommandLine.arguments.dropFirst().first {
case "self-test": exit(selfTest())
case "privileges": exit(privileges())
default: exit(64)
}
