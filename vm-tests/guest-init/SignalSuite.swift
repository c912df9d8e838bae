// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AgentSelfTest
import AttackPrograms
import CLinux
import Enforcement
import EnforcementEvents
@preconcurrency import Glibc
import LibbpfKernel
import Ports

/// What it is worth that an attacker is killed: bytes that are with others when it is dead, and how
/// long it lives, under the best tier that denies and under the signal tier.
struct SignalSuite {
    static let limit = "LIM-SIGNAL-01"
    private static let needle: UInt64 = 97
    /// Far more than a killed process needs to end (ns).
    private static let killNanosecondsMax: UInt64 = 1_000_000_000

    let host: Host
    let seed: UInt64
    let hasSecretMemory: Bool

    func run() {
        if let best = EnforcementTier.denying.first(where: works) {
            errands(best, "deny+kill", .killing)
        } else {
            report("VM-EBPF-09", "a tier that denies", "none works", false, "", true)
        }
        errands(.signal, "deny", .enforcing)
        vectors()
        agent()
    }

    func report(
        _ id: String, _ name: String, _ seen: String, _ expected: Bool, _ control: String,
        _ controlPassed: Bool
    ) {
        host.report(
            CaseResult(
                id: id, name: name, observation: seen, expected: expected, control: control,
                controlPassed: controlPassed))
    }

    private func works(_ tier: EnforcementTier) -> Bool {
        do throws(EnforcementFailure) {
            var guarded = try GuardedKernel(tier: tier)
            return guarded.works()
        } catch { return false }
    }

    // MARK: What outlives the attacker

    private struct Outcome {
        /// Raw wait status of the attacker.
        let status: Int32
        /// Of the secret, in the common page; of the target, changed.
        let bytes: Int
        /// From before the first call to the reaped process.
        let nanoseconds: UInt64
        let books: Books
        let attacker: pid_t
        let target: pid_t

        var isKilled: Bool { status & 0x7f == SIGKILL }
        var hasWorked: Bool { status == 0 && bytes > 0 }
    }

    private func errands(
        _ tier: EnforcementTier, _ mode: String, _ policy: EnforcementPolicy
    ) {
        do throws(EnforcementFailure) {
            var guarded = try GuardedKernel(tier: tier)
            if tier == .signal { costs(guarded.kernel.programCosts()) }
            for errand in Errand.allCases {
                try guarded.set(policy)
                // The same attack at the same time, on a process that nobody protects.
                let control = run(errand, enrolled: false, &guarded)
                try guarded.set(policy)
                let seen = run(errand, enrolled: true, &guarded)
                try guarded.set(.detecting)
                let observed = run(errand, enrolled: true, &guarded)
                judge(errand, tier, mode, seen, observed, control)
            }
        } catch {
            report("VM-EBPF-09", "errands, \(tier.word)", "\(error)", false, "", true)
        }
    }

    /// For bpf/verifier-baseline.csv; the suite `enforcement` has those of the other tiers.
    private func costs(_ costs: [(section: String, verified: UInt32, bytes: UInt32)]) {
        for cost in costs where cost.section.hasPrefix("raw_tp/") && cost.bytes > 0 {
            host.send([
                ("type", .text("program")), ("section", .text(cost.section)),
                ("verified", .number(Int(cost.verified))), ("bytes", .number(Int(cost.bytes))),
            ])
        }
    }

    private func run(
        _ errand: Errand, enrolled: Bool, _ guarded: inout GuardedKernel
    ) -> Outcome? {
        let needle = Needle(seed: seed, index: Self.needle)
        guard let page = CourierPage(creating: true) else { return nil }
        defer { page.unmap() }
        guard let hostage = Hostage(needle) else { return nil }
        defer { hostage.end() }
        if enrolled { guard !guarded.enrol(hostage.pid).isEmpty else { return nil } }
        let words = [
            "courier", errand.rawValue, String(hostage.pid), String(hostage.range.lowerBound),
            String(hostage.range.count),
        ]
        guard let courier = ChildProcess(words), courier.readLine() == "ready" else { return nil }
        guarded.openBooks()
        courier.send("go")
        let status = courier.reap()
        let ended = CourierPage.now()
        if page.confederate > 0 { waitpid(page.confederate, nil, 0) }
        let books = guarded.closeBooks()
        let bytes =
            errand == .writeCall
            ? missingBytes(of: needle, in: hostage, &guarded) : Self.bytes(of: needle, in: page)
        return Outcome(
            status: status, bytes: bytes, nanoseconds: ended - page.started, books: books,
            attacker: courier.pid, target: hostage.pid)
    }

    private static func bytes(of needle: Needle, in page: CourierPage) -> Int {
        needle.occurrences(in: UnsafeRawBufferPointer(page.content)) * Needle.bytesMin
    }

    /// How much of its secret the hostage has not any more.
    private func missingBytes(
        of needle: Needle, in hostage: Hostage, _ guarded: inout GuardedKernel
    ) -> Int {
        do throws(EnforcementFailure) { try guarded.set(.silent) } catch { return -1 }
        var bytes = [UInt8](repeating: 0, count: needle.count)
        let got = clinux_process_vm_readv(
            hostage.pid, hostage.range.lowerBound, &bytes, bytes.count)
        guard got == Int64(bytes.count) else { return -1 }
        return needle.count - bytes.withUnsafeBytes { needle.occurrences(in: $0) }
            * Needle.bytesMin
    }

    /// What others keep. Two ways are left under the signal tier: a table of descriptors that is
    /// shared gives another process what was opened, and that one is not killed.
    private static func expectedBytes(_ errand: Errand, _ tier: EnforcementTier) -> Int {
        tier == .signal && errand == .sharedTable ? 40 : 0
    }

    private func judge(
        _ errand: Errand, _ tier: EnforcementTier, _ mode: String, _ seen: Outcome?,
        _ observed: Outcome?, _ control: Outcome?
    ) {
        let id = tier == .signal ? Self.limit : "VM-EBPF-09"
        let name = "\(errand.rawValue), \(mode), \(tier.word)"
        guard let seen, let observed, let control else {
            return report(id, name, "it could not be played", false, "", true)
        }
        var wrong = Self.wrong(seen, errand, .killed, tier)
        wrong += Self.wrong(observed, errand, .observed, tier)
        let expected = Self.expectedBytes(errand, tier)
        report(
            id, name,
            "the attacker " + (seen.isKilled ? "ends by SIGKILL" : "lives (\(seen.status))")
                + " \(seen.nanoseconds / 1000) µs after its first call, \(seen.bytes) bytes are "
                + "with others; while only reported it has \(observed.bytes)"
                + (wrong.isEmpty ? "" : "; wrong: \(wrong.joined(separator: "; "))"),
            seen.isKilled && seen.bytes == expected && wrong.isEmpty && observed.hasWorked
                && seen.nanoseconds <= Self.killNanosecondsMax,
            "on a process without protection it lives and has \(control.bytes) bytes",
            control.hasWorked && control.books.records.isEmpty)
        host.send([
            ("type", .text("containment")), ("errand", .text(errand.rawValue)),
            ("vector", .text(errand.reportedID)), ("tier", .text(tier.word)),
            ("mode", .text(mode)), ("killed", .boolean(seen.isKilled)),
            ("bytes", .number(seen.bytes)), ("microseconds", .number(Int(seen.nanoseconds / 1000))),
            ("controlBytes", .number(control.bytes)),
        ])
    }

    /// Whether the books name this attack, once, with this verdict.
    private static func wrong(
        _ outcome: Outcome, _ errand: Errand, _ verdict: EventVerdict, _ tier: EnforcementTier
    ) -> [String] {
        let records = outcome.books.records.filter { "\($0.vector)" == errand.reportedID }
        var wrong: [String] = []
        if !outcome.books.isBalanced { wrong.append("the books do not balance") }
        if records.isEmpty || verdict == .killed && records.count != 1 {
            wrong.append("\(records.count) events \(errand.reportedID)")
        }
        for record in records
        where record.verdict != verdict || record.tier != tier
            || record.actor.group != outcome.attacker || record.target?.group != outcome.target
        {
            wrong.append(
                "\(record.vector) \(record.verdict) \(record.tier.word) by \(record.actor.group) "
                    + "on \(record.target?.group ?? 0)")
        }
        return wrong
    }

    // MARK: Every vector of the agent's self-test

    /// What the tier never sees: the link stands for a file of its own.
    private static let open: Set<String> = ["AV-013"]

    private func vectors() {
        do throws(EnforcementFailure) {
            var guarded = try GuardedKernel(tier: .signal)
            try guarded.set(.silent)
            let before = attempts(nil, &guarded)
            try guarded.set(.denyingAll)
            let after = attempts(Self.self, &guarded)
            let late = after.filter { $0.value.tries > 1 }.map { "\($0.key)" }.sorted()
            var results: [(VectorNumber, String)] = []
            for (vector, outcome) in before {
                let word =
                    switch (outcome.last, after[vector]?.last) {
                    case (.through, .killed): "killed"
                    case (.through, _): "not denied"
                    default: "untested"
                    }
                results.append((vector, word))
                host.send([
                    ("type", .text("contained")), ("vector", .text("\(vector)")),
                    ("result", .text(word)),
                ])
            }
            let open = results.filter { $0.1 == "not denied" }.map { "\($0.0)" }
            let killed = results.count { $0.1 == "killed" }
            report(
                Self.limit, "vectors, signal",
                "\(killed) of \(results.count) end by SIGKILL; not seen: \(open)"
                    + (late.isEmpty ? "" : "; through at first, killed when tried again: \(late)"),
                Set(open) == Self.open && killed > 15,
                "\(before.count { $0.value.last == .through }) go through without protection",
                before.count { $0.value.last == .through } > 15)
        } catch {
            report(Self.limit, "vectors, signal", "\(error)", false, "", true)
        }
    }

    /// Tries of a vector until one was killed. The kernel may send the signal from an interrupt
    /// that comes a moment later (bpf_send_signal, irq_work): an attacker can be gone by then.
    private static let triesMax = 4

    private func attempts(
        _ protected: SignalSuite.Type?, _ guarded: inout GuardedKernel
    ) -> [VectorNumber: (last: ProbeOutcome, tries: Int)] {
        var probe = LinuxAttackProbe()
        do throws(AttackProbeFailure) {
            let victim = try probe.begin()
            if protected != nil { _ = guarded.enrol(victim) }
        } catch { return [:] }
        defer { probe.end() }
        var outcomes: [VectorNumber: (last: ProbeOutcome, tries: Int)] = [:]
        // What the victim lets out itself only programs that scan see.
        for vector in probe.vectors where !VectorNumber.victimsLeaks.contains(vector) {
            var tries = 1
            var last = probe.attempt(vector)
            let isOpen = protected == nil || Self.open.contains("\(vector)")
            while last == .through, !isOpen, tries < Self.triesMax {
                last = probe.attempt(vector)
                tries += 1
            }
            outcomes[vector] = (last, tries)
        }
        return outcomes
    }

    // MARK: The agent, told to use this tier

    private func agent() {
        guard
            let agent = RunningAgent([
                "--events-per-second", "0", "--pins", "none", "--tier", "signal",
            ])
        else { return report(Self.limit, "agent", "it said nothing", false, "", true) }
        defer {
            kill(agent.pid, SIGTERM)
            _ = agent.reap()
        }
        guard let child = ChildProcess(["registrant", AgentSuite.socketPath]),
            child.readLine() == "ready"
        else { return report(Self.limit, "agent", "no registrant", false, "", true) }
        defer {
            kill(child.pid, SIGKILL)
            child.reap()
        }
        let before = reader(of: child.pid)
        child.send("register")
        let answer = child.readLine() ?? "nothing"
        child.send("fork")
        let grandchild = child.readLine().flatMap { pid_t($0) } ?? 0
        defer { kill(grandchild, SIGKILL) }
        let statuses = [reader(of: child.pid), reader(of: grandchild)]
        let event = agent.line { $0.contains("\"vector\":\"AV-044\"") } ?? "none"
        let names = ["ENVIRON_READ", "\"killed\"", "\"signal\"", "\"sys_exit\""]
        let missing = names.filter { !event.contains($0) } + (event.contains("errno") ? ["x"] : [])
        let ready = HTTPProbe.get("/readyz")
        let metrics = HTTPProbe.get("/metrics")
        report(
            Self.limit, "agent --tier signal",
            "\(answer); who reads the environment of it and of its child: \(statuses); "
                + (missing.isEmpty ? "event complete" : "event without \(missing): \(event)")
                + "; readyz: \(ready.dropFirst(9).prefix(3))",
            answer.hasPrefix("enrolled 2 ") && answer.hasSuffix(" signal blind")
                && statuses == [SIGKILL, SIGKILL] && missing.isEmpty
                && ready.hasPrefix("HTTP/1.1 503") && ready.contains("Nothing is denied")
                && metrics.contains("enforcement_tier{tier=\"signal\"} 1"),
            "before the registration the reader ends with \(before)", before == 0)
        wrapped()
    }

    /// Raw wait status of a process that reads the environment.
    func reader(of pid: pid_t) -> Int32 {
        guard let page = CourierPage(creating: true) else { return -1 }
        defer { page.unmap() }
        let words = ["courier", Errand.environmentFile.rawValue, String(pid), "0", "0"]
        guard let courier = ChildProcess(words), courier.readLine() == "ready" else { return -1 }
        courier.send("go")
        return courier.reap()
    }
}
