// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

extension NeighbourSuite {
    /// Two attackers as fast as they can: each attempt is denied, each is counted once as an event,
    /// as held back or as dropped, and each event is a line in the agent's file or counted as lost.
    func flood(_ protected: pid_t, _ agent: pid_t) {
        let earlierLines = Flood.lines()
        let before = AgentCounts()
        let flood = Flood(on: protected)
        let after = AgentCounts()
        func increase(_ name: String) -> UInt64 {
            after.increase(of: name, since: before)[Flood.vector] ?? 0
        }
        let told = increase("vector_events_total")
        let held = increase("events_suppressed_total")
        let dropped = increase("ringbuf_dropped_total")
        // The sink has a thread of its own.
        let lines = Flood.lines(waitingFor: earlierLines + told) - earlierLines
        let lost = AgentCounts().total(of: "sink_lost_total{sink=\"file\"}")
        let resident = Flood.highWaterKiB(agent)
        report(
            "flood",
            "\(flood.attempts) attempts in \(flood.milliseconds) ms, "
                + "\(flood.attempts * 1000 / max(flood.milliseconds, 1)) a second, "
                + "\(flood.through) came through, \(increase("denied_total")) denied; counted "
                + "\(increase("attempts_total")) = \(told) events + \(held) held back + "
                + "\(dropped) dropped; \(lines) lines and \(lost) lost; the agent's memory at "
                + "most \(resident) KiB",
            flood.through == 0 && increase("denied_total") == flood.attempts
                && increase("attempts_total") == flood.attempts
                && flood.attempts == told + held + dropped && lines + lost == told
                && resident <= Flood.residentKiBMax,
            "\(flood.attackers) attackers ran",
            flood.attackers == Flood.attackersWanted && flood.attempts > 0 && told > 0)
    }
}

/// What the attackers say.
struct Flood {
    static let seconds = 10
    static let attackersWanted = 2
    /// What is attacked: `/proc/PID/environ`.
    static let vector = "AV-044"
    /// The agent's resident memory at any time (KiB).
    static let residentKiBMax = 64 << 10
    private static let path = "/tmp/flood.jsonl"
    /// Waits for another line (100 ms each). The agent is behind by thousands after a flood, and
    /// under software emulation it takes seconds to write them.
    private static let waitsMax = 100

    static let sinks = ["--events", "stdout", "--events", "file:\(path)"]

    let attackers: Int
    let attempts: UInt64
    let through: UInt64
    /// By the clock that rates are kept by, which is not the one that the attackers look at.
    let milliseconds: UInt64

    init(on protected: pid_t) {
        let begin = Self.now()
        let started = (0..<Self.attackersWanted).compactMap { _ in
            ChildProcess(["flooder", String(protected), String(Self.seconds)])
        }
        let words = started.map { attacker in
            let line = attacker.readLine() ?? ""
            attacker.reap()
            return line.split(separator: " ").compactMap { UInt64($0) }
        }.filter { $0.count == 2 }
        milliseconds = (Self.now() - begin) / 1_000_000
        attackers = words.count
        attempts = words.reduce(0) { $0 + $1[0] }
        through = words.reduce(0) { $0 + $1[1] }
    }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Lines of the vector in the agent's file, which may be behind: waits as long as more come.
    static func lines(waitingFor wanted: UInt64 = 0) -> UInt64 {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        let mark = Array("\"vector\":\"\(vector)\"".utf8)
        var found: UInt64 = 0
        var pending: [UInt8] = []
        var waits = 0
        while true {
            let isNew = readMore(file, &pending)
            found += takeLines(&pending, with: mark)
            waits = isNew ? 0 : waits + 1
            if isNew { continue }
            guard found < wanted, waits < waitsMax else { return found }
            usleep(100_000)
        }
    }

    private static func readMore(_ file: Int32, _ pending: inout [UInt8]) -> Bool {
        var block = [UInt8](repeating: 0, count: 1 << 16)
        let got = read(file, &block, block.count)
        if got > 0 { pending += block[0..<got] }
        return got > 0
    }

    /// Takes whole lines off and counts those that have the mark.
    private static func takeLines(_ pending: inout [UInt8], with mark: [UInt8]) -> UInt64 {
        var count: UInt64 = 0
        var rest = pending[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let line = Array(rest[..<end])
            if clinux_find(line, line.count, mark, mark.count) >= 0 { count += 1 }
            rest = rest[(end + 1)...]
        }
        pending = Array(rest)
        return count
    }

    static func highWaterKiB(_ pid: pid_t) -> Int {
        let lines = (TargetProcess.text("/proc/\(pid)/status") ?? "").split(separator: "\n")
        let line = lines.first { $0.hasPrefix("VmHWM:") } ?? ""
        return line.split(separator: " ").compactMap { Int($0) }.first ?? .max
    }
}

/// `/init flooder PID SECONDS`: opens the environment again and again, and prints how often, and
/// how often it was let through.
enum FlooderProgram {
    static func run(_ arguments: [String]) -> Never {
        guard arguments.count == 2, let pid = pid_t(arguments[0]), let seconds = Int(arguments[1])
        else { exit(64) }
        let end = time(nil) + seconds
        var attempts = 0
        var through = 0
        while time(nil) < end {
            for _ in 0..<64 {
                attempts += 1
                if SelfTest.reads(pid) == 0 { through += 1 }
            }
        }
        print(attempts, through)
        fflush(stdout)
        exit(0)
    }
}
