// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// `/init hostage COUNT`: a process that has a secret in its environment, no filter, and does what
/// it is told to do to itself. Prints the address of a copy, then an answer per word.
enum HostageProgram {
    static let variable = "CANARY"

    static func run(_ arguments: [String]) -> Never {
        guard let value = getenv(variable) else { exit(64) }
        let count = strlen(value)
        let page = heldPage()
        page.copyMemory(from: value, byteCount: count)
        print(UInt(bitPattern: page), count)
        fflush(stdout)
        while let word = readLine() {
            print(obey(word, page, count))
            fflush(stdout)
            if word == "use" { clinux_use_for_ever(page, count) }
            if word == "write" { writeForEver(page, count) }
        }
        exit(0)
    }

    private static func writeForEver(_ page: UnsafeRawPointer, _ count: Int) -> Never {
        let nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC)
        while true { _ = Glibc.write(nowhere, page, count) }
    }

    /// A page behind a descriptor that stays open, which can be stolen.
    private static func heldPage() -> UnsafeMutableRawPointer {
        let descriptor = clinux_memfd_create("held")
        guard descriptor >= 0, ftruncate(descriptor, 4096) == 0,
            let page = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
            page != MAP_FAILED
        else { exit(70) }
        return page
    }

    private static func obey(_ word: String, _ page: UnsafeRawPointer, _ count: Int) -> Int {
        switch word {
        case "trace-me": return Int(clinux_ptrace_traceme())
        case "fork":
            let child = Glibc.fork()
            if child == 0 { while true { pause() } }
            return Int(child)
        case "clone": return Int(clinux_clone_sharing_memory())
        case "user-fault": return Int(clinux_probe_userfaultfd())
        case "ring": return Int(clinux_probe_io_uring())
        case "socket":
            let made = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            guard made >= 0 else { return -Int(errno) }
            close(made)
            return 0
        case "use", "write": return 0
        case _ where word.hasPrefix("give "): return give(word, page, count)
        default: return -Int(EINVAL)
        }
    }
}

extension HostageProgram {
    /// `give AV-093`: tries to get its secret out that way. 0 when it came out, or -errno.
    fileprivate static func give(_ word: String, _ page: UnsafeRawPointer, _ count: Int) -> Int {
        guard let vector = InsideVector(rawValue: String(word.dropFirst("give ".count))) else {
            return -Int(EINVAL)
        }
        let secret = UnsafeRawBufferPointer(start: page, count: count)
        let result = InsideAttack(secret: secret, descriptor: nil).run(vector)
        if result.outcome == .leaked { return 0 }
        return -Int(result.errorNumber == 0 ? ENOMSG : result.errorNumber)
    }
}

/// A running hostage.
struct Hostage {
    let process: ChildProcess
    let needle: Needle
    /// Where a copy of its secret is.
    let range: Range<UInt64>

    init?(_ needle: Needle) {
        guard
            let child = ChildProcess(
                ["hostage"], secretVariable: (HostageProgram.variable, needle)),
            let words = child.readLine()?.split(separator: " "), words.count == 2,
            let address = UInt64(words[0]), let count = UInt64(words[1])
        else { return nil }
        process = child
        self.needle = needle
        range = address..<address + count
    }

    var pid: pid_t { process.pid }
    var isAlive: Bool {
        // A state after the parenthesised name: Z is dead and not yet reaped.
        guard let line = TargetProcess.text("/proc/\(pid)/stat"),
            let end = line.lastIndex(of: ")")
        else { return false }
        return !line[end...].dropFirst(2).hasPrefix("Z")
    }

    /// What it answers: 0 or more, or -errno; nil when it has ended.
    func obey(_ word: String) -> Int32? {
        process.send(word)
        return process.readLine().flatMap { Int32($0) }
    }

    func attack(_ vector: AttackVector, on other: pid_t? = nil) -> AttackReport {
        Attack(pid: other ?? pid, needle: needle, range: range).run(vector)
    }

    func end() {
        kill(pid, SIGKILL)
        process.reap()
    }
}
