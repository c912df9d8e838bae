// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AttackPrograms
import Enforcement
import EnforcementEvents
@preconcurrency import Glibc
import Ports

/// One read that root may make of any process.
enum SelfTest {
    /// 0, or the error number.
    static func reads(_ pid: pid_t) -> Int32 { opens("/proc/\(pid)/environ") }

    static func opens(_ path: String) -> Int32 {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        close(descriptor)
        return 0
    }
}

/// One attack that was played while the agent's programs watched.
struct PlayedAttack {
    let name: String
    /// The vector that its events name.
    let reportedID: String
    let outcome: AttackOutcome
    let errorNumber: Int32
    let detail: String
    /// Who may be named as the actor; empty: anybody.
    var actors: Set<pid_t> = [getpid()]
    /// Who may be named as the target; empty: anybody or nobody.
    var targets: Set<pid_t> = []
    /// How many calls of it a hook judges, where that is known: one event each. What is let through
    /// may be judged again when it is used.
    var calls: (detect: Int, deny: Int)?
    /// While it is let through, the kernel may ask again about what it makes in the same call.
    var asksAgain = false
}

/// Whether the events say what happened.
struct BooksJudge {
    let mode: String
    private(set) var wrong: [String] = []
    private(set) var attempts: UInt64 = 0
    private(set) var records = 0
    private var vectors: Set<VectorNumber> = []
    private var quiet = 0

    init(mode: String) { self.mode = mode }

    private var isDenying: Bool { mode != "detect" }

    mutating func look(at books: Books, _ attack: PlayedAttack) {
        attempts += books.counts.values.reduce(0) { $0 + $1.attempts }
        records += books.records.count
        vectors.formUnion(books.records.map(\.vector))
        if books.records.isEmpty { quiet += 1 }
        if !books.isBalanced { note(attack, "the books do not balance (\(books.text))") }
        for record in books.records { look(at: record, attack) }
        if attack.outcome == .refused, attack.errorNumber == EPERM, isDenying,
            !books.records.contains(where: { $0.verdict != .observed })
        {
            note(attack, "EPERM without an event (\(attack.detail))")
        }
        guard let reported = VectorNumber(attack.reportedID), let calls = attack.calls,
            attack.outcome != .unavailable
        else { return }
        let own = books.records(of: reported).count
        let expected = isDenying ? calls.deny : calls.detect
        let mayRepeat = attack.asksAgain && !isDenying && own > expected
        if own != expected && !mayRepeat {
            note(attack, "\(own) events \(reported) and not \(expected) (\(books.text))")
        }
    }

    private mutating func look(at record: EnforcementRecord, _ attack: PlayedAttack) {
        if !attack.actors.isEmpty, !attack.actors.contains(record.actor.group) {
            note(attack, "actor \(record.actor.group) and not \(attack.actors)")
        }
        if !attack.targets.isEmpty, let seen = record.target,
            !attack.targets.contains(seen.group)
        {
            note(attack, "target \(seen.group) and not \(attack.targets)")
        }
        let denies = EnforcementPolicy.enforcing[record.vector] == .deny && isDenying
        if (record.verdict != .observed) != denies {
            note(attack, "\(record.vector) is \(record.verdict.rawValue)")
        }
    }

    mutating func note(_ attack: PlayedAttack, _ text: String) {
        wrong.append("\(attack.name): \(text)")
    }

    var observation: String {
        "\(attempts) attempts on \(vectors.count) vectors, \(records) records"
            + (wrong.isEmpty ? "" : "; wrong: " + wrong.prefix(12).joined(separator: "; "))
    }

    /// cmdline is readable for everybody and no hook's business.
    var controlText: String { "\(quiet) attacks that no hook knows give no event" }
    var controlPassed: Bool { quiet > 0 }
}

extension Host {
    /// What an attack came to and what the agent's programs told of it, for the host's tables.
    func verdict(
        _ attack: PlayedAttack, id: String, delivery: String, enforcement: String, target: String,
        tier: EnforcementTier?, books: Books?, isSimulated: Bool = true
    ) {
        send([
            ("type", .text("verdict")), ("id", .text(id)), ("vector", .text(attack.name)),
            ("delivery", .text(delivery)), ("enforcement", .text(enforcement)),
            ("target", .text(target)), ("outcome", .text(attack.outcome.rawValue)),
            ("errorName", .text(SystemError.name(of: attack.errorNumber))),
            ("detail", .text(attack.detail)), ("tier", .text(tier?.word ?? "none")),
            ("events", .text(books?.eventsText ?? "")), ("simulated", .boolean(isSimulated)),
        ])
    }
}

extension Books {
    /// `AV-044 denied at file_open`, once for each kind.
    var eventsText: String {
        var seen: [String] = []
        for record in records {
            let text = "\(record.vector) \(record.verdict.rawValue) at \(record.hook)"
            if !seen.contains(text) { seen.append(text) }
        }
        return seen.joined(separator: "; ")
    }
}
