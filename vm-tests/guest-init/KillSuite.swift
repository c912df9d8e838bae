// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AttackPrograms
import CLinux
import Enforcement
import EnforcementEvents
@preconcurrency import Glibc
import LibbpfKernel
import Ports

/// VM-EBPF-09: whoever is denied is killed. The attacker is a process of its own; what it would
/// have got is what it prints, so one that dies in the denied call prints nothing.
struct KillSuite {
    private static let vectors: [AttackVector] = [
        .memory, .environ, .processVMReadv, .ptraceInject, .descriptorTheft,
    ]

    private static let needle: UInt64 = 95
    private static let rounds = 20
    /// The end of a killed process is its own and the scheduler's work; far more than both need.
    private static let killNanosecondsMax: UInt64 = 1_000_000_000

    let host: Host
    let seed: UInt64

    func run(_ guarded: inout GuardedKernel) {
        let tier = guarded.kernel.tier
        for vector in Self.vectors {
            do throws(EnforcementFailure) {
                let control = try attempt(vector, .detecting, &guarded)
                report(vector, try attempt(vector, .killing, &guarded), control, tier)
            } catch {
                report(vector, nil, nil, tier, "\(error)")
            }
        }
        distribution(&guarded)
    }

    /// How long it takes, over many attackers.
    private func distribution(_ guarded: inout GuardedKernel) {
        var times: [UInt64] = []
        var bytes = 0
        for _ in 0..<Self.rounds {
            do throws(EnforcementFailure) {
                guard let killed = try attempt(.memory, .killing, &guarded), killed.isKilled,
                    let time = killed.nanoseconds
                else { continue }
                times.append(time)
                bytes += killed.bytes
            } catch { continue }
        }
        times.sort()
        // Of so few, the 99th percentile is the longest.
        let (median, longest) = (times.dropFirst(times.count / 2).first ?? 0, times.last ?? 0)
        host.report(
            CaseResult(
                id: "VM-EBPF-09", name: "time to the end, \(guarded.kernel.tier.word)",
                observation: "\(times.count) of \(Self.rounds) attackers killed, p50 "
                    + "\(median / 1000) µs, p99 \(longest / 1000) µs, \(bytes) bytes",
                expected: times.count == Self.rounds && bytes == 0
                    && longest <= Self.killNanosecondsMax,
                control: "the times differ", controlPassed: Set(times).count > 1))
    }

    /// The theft of a descriptor tries each number, and the first is not the secret's.
    private static func reported(_ vector: AttackVector) -> String {
        vector == .descriptorTheft
            ? AttackVector.connectionTheft.reportedID : vector.reportedID
    }

    private struct Attempt {
        /// What the attacker printed; nil when it could not.
        let line: String?
        /// The raw wait status.
        let status: Int32
        /// From the denied call to the reaped process; nil when nothing was denied.
        let nanoseconds: UInt64?
        let books: Books
        let attacker: pid_t
        let target: pid_t

        /// Bytes of the secret that the attacker says it got.
        var bytes: Int {
            let name = "\"bytes\":"
            let member = (line ?? "").split(separator: ",").first { $0.hasPrefix(name) }
            return Int(member?.dropFirst(name.count) ?? "") ?? 0
        }
        var isKilled: Bool { status & 0x7f == SIGKILL }
    }

    private func attempt(
        _ vector: AttackVector, _ policy: EnforcementPolicy, _ guarded: inout GuardedKernel
    ) throws(EnforcementFailure) -> Attempt? {
        try guarded.set(policy)
        guard let hostage = Hostage(Needle(seed: seed, index: Self.needle)) else { return nil }
        defer { hostage.end() }
        let words = [
            "attacker", vector.rawValue, String(hostage.pid), String(seed, radix: 16),
            String(Self.needle), String(hostage.range.lowerBound),
            String(hostage.range.upperBound),
        ]
        guard !guarded.enrol(hostage.pid).isEmpty, let attacker = ChildProcess(words),
            attacker.readLine() == "ready"
        else { return nil }
        guarded.openBooks()
        attacker.send("go")
        let line = attacker.readLine()
        let status = attacker.reap()
        let ended = Self.now()
        let books = guarded.closeBooks()
        let denied = books.records.first { $0.verdict != .observed }
        return Attempt(
            line: line, status: status, nanoseconds: denied.map { ended - $0.time },
            books: books, attacker: attacker.pid, target: hostage.pid)
    }

    /// CLOCK_MONOTONIC (ns), by which the records are dated.
    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private func report(
        _ vector: AttackVector, _ killed: Attempt?, _ control: Attempt?, _ tier: EnforcementTier,
        _ failure: String = ""
    ) {
        guard let killed, let control else {
            return host.report(
                CaseResult(
                    id: "VM-EBPF-09", name: vector.rawValue,
                    observation: failure.isEmpty ? "it could not be played" : failure,
                    expected: false, control: "", controlPassed: true))
        }
        var judge = BooksJudge(mode: "deny+kill")
        let played = PlayedAttack(
            name: vector.rawValue, reportedID: Self.reported(vector), outcome: .refused,
            errorNumber: EPERM, detail: "the attacker was killed in the denied call",
            actors: [killed.attacker], targets: [killed.target], calls: (1, 1))
        judge.look(at: killed.books, played)
        let time = killed.nanoseconds ?? UInt64.max
        host.report(
            CaseResult(
                id: "VM-EBPF-09", name: "\(vector.rawValue), \(tier.word)",
                observation: "the attacker "
                    + (killed.isKilled ? "ends by SIGKILL" : "lives (status \(killed.status))")
                    + ", \(time / 1000) µs after the denial, with \(killed.bytes) bytes; "
                    + killed.books.eventsText
                    + (judge.wrong.isEmpty ? "" : "; wrong: \(judge.wrong)"),
                expected: killed.isKilled && killed.bytes == 0 && killed.line == nil
                    && time <= Self.killNanosecondsMax && judge.wrong.isEmpty,
                control: "while the agent only reports it has \(control.bytes) bytes",
                controlPassed: control.bytes > 0 && !control.isKilled))
        host.verdict(
            played, id: vector.catalogueID, delivery: "environ", enforcement: "deny+kill",
            target: "application", tier: tier, books: killed.books)
    }
}

/// `/init attacker VECTOR PID SEED INDEX FROM TO`: waits for a word, attacks, prints the report.
enum AttackerProgram {
    static func run(_ words: [String]) -> Never {
        guard words.count == 6, let vector = AttackVector(rawValue: words[0]),
            let pid = pid_t(words[1]), let seed = UInt64(words[2], radix: 16),
            let index = UInt64(words[3]), let from = UInt64(words[4]), let to = UInt64(words[5]),
            from < to
        else { exit(64) }
        print("ready")
        fflush(stdout)
        guard readLine() == "go" else { exit(65) }
        let needle = Needle(seed: seed, index: index)
        print(Attack(pid: pid, needle: needle, range: from..<to).run(vector).jsonLine)
        fflush(stdout)
        exit(0)
    }
}
