// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
@preconcurrency import Glibc

/// What an exhausted budget of locked memory does to the wrapper and its tree: an exec that ends
/// with a message, or a wrapper that refuses to start; never a wrapper that dies of SIGBUS, never
/// a program that runs without its value.
struct BudgetSuite {
    static let id = "VM-BUDGET-01"
    private static let needleIndex: UInt64 = 71
    private static let user: uid_t = 1234
    /// What a container may get (bytes).
    private static let smallLimit = 64 << 10
    private static let ampleLimit = 8 << 20
    private static let childrenCount = 40
    private static let errorsFile = "/tmp/budget-errors"
    /// WrapperExit: secret memory not to be had, host refuses, delivery failed.
    private static let refusals: ClosedRange<Int32> = 109...111

    let host: Host
    let seed: UInt64
    let profile: KernelProfile

    /// How one run of the wrapper went.
    private struct Outcome {
        /// The program itself, as its first line says.
        var started = false
        /// Children that hold the right value, and that hold another one.
        var filled = 0
        var unfilled = 0
        /// Children that were killed, or not started at all.
        var ended = 0
        /// Messages of the wrapper about a delivery that failed.
        var messages = 0
        var reason = "no message"
        /// Raw wait status of the wrapper.
        var status: Int32 = -1

        var diedOfSignal: Bool { status & 0x7F != 0 }
        var code: Int32 { status >> 8 & 0xFF }
        /// Every child has its value, or was ended with a message.
        var failsClosed: Bool {
            started && unfilled == 0 && filled + ended == BudgetSuite.childrenCount
                && messages >= ended && status == (128 + SIGTERM) << 8
        }
        /// Nothing ran, and the exit code says why.
        var refusesToStart: Bool {
            !started && !diedOfSignal && BudgetSuite.refusals.contains(code)
                && reason != "no message"
        }

        var text: String {
            let end = diedOfSignal ? "signal \(status & 0x7F)" : "exit \(code)"
            guard started else { return "not started, \(end), \(reason)" }
            return "\(filled) filled, \(unfilled) unfilled, \(ended) ended with "
                + "\(messages) messages, wrapper \(end)"
        }
    }

    /// Secret memory taken by a process of the same user.
    private struct Neighbour {
        let process: ChildProcess
        let pages: Int
        /// The errno that refused the next page.
        let refusal: Int32

        init?() {
            let started = ChildProcess(
                BudgetSuite.limited(BudgetSuite.smallLimit, "/tmp/neighbour-errors")
                    + [ChildProcess.programPath, "eater"])
            guard let child = started else { return nil }
            let words = (child.readLine() ?? "").split(separator: " ")
            process = child
            pages = words.first.flatMap { Int($0) } ?? -1
            refusal = words.last.flatMap { Int32($0) } ?? 0
        }

        func end() {
            kill(process.pid, SIGKILL)
            process.reap()
        }
    }

    func run() {
        guard let vault = GuestVault(seed: seed, needle: Self.needleIndex) else {
            return failed("the vault did not start")
        }
        defer { vault.kill() }
        for path in [vault.authorityFile, vault.secretIDFile] {
            guard chown(path, Self.user, Self.user) == 0 else {
                return failed("chown: \(SystemError.name(of: errno))")
            }
        }
        guard profile.hasSecretMemory else { return withoutSecretMemory(vault) }
        guard let (sharesBudget, refusal) = measureCharging() else {
            return failed("no neighbour")
        }
        let scope =
            "charged per \(sharesBudget ? "user" : "process"), then "
            + SystemError.name(of: refusal)
        let bare = unwrapped()
        let ample = wrapped(vault, limit: Self.ampleLimit)
        let small = wrapped(vault, limit: Self.smallLimit)
        report(
            "40 processes with 64 KiB, \(scope)", small,
            expected: small.failsClosed && (sharesBudget || small.filled == Self.childrenCount),
            control: "with 8 MiB: \(ample.text); with empty placeholders and no wrapper: "
                + "\(bare.unfilled) unfilled",
            controlPassed: ample.failsClosed && ample.filled == Self.childrenCount
                && bare.unfilled == Self.childrenCount)
        let eaten = wrapped(vault, limit: Self.smallLimit, neighbour: .afterStart)
        report(
            "40 processes, a neighbour takes the rest, \(scope)", eaten,
            expected: eaten.failsClosed
                && eaten.filled == (sharesBudget ? 0 : Self.childrenCount),
            control: "without it: \(small.text)", controlPassed: small.filled > 0)
        let late = wrapped(vault, limit: Self.smallLimit, neighbour: .beforeStart)
        report(
            "start beside a neighbour that has taken all, \(scope)", late,
            expected: sharesBudget
                ? late.refusesToStart
                : late.failsClosed && late.filled == Self.childrenCount,
            control: "without it: \(small.text)", controlPassed: small.started)
    }

    /// No budget to exhaust: the wrapper refuses, whatever may be locked.
    private func withoutSecretMemory(_ vault: GuestVault) {
        let refused = wrapped(vault, limit: Self.ampleLimit)
        let classic = Application(classic: Needle(seed: seed, index: Self.needleIndex))
        report(
            "an ordinary user without memfd_secret", refused, expected: refused.refusesToStart,
            control: "classic application started: \(classic?.holdsNeedle ?? false)",
            controlPassed: classic?.holdsNeedle ?? false)
        classic?.end()
    }

    /// Whether a second process of the user gets less than the first, and the errno that ends
    /// it: EFAULT stands for SIGBUS at first touch. Nil when they did not run.
    private func measureCharging() -> (perUser: Bool, refusal: Int32)? {
        guard let first = Neighbour() else { return nil }
        defer { first.end() }
        guard let second = Neighbour() else { return nil }
        defer { second.end() }
        host.console("neighbours got \(first.pages) and \(second.pages) pages")
        guard first.pages > 0, second.pages >= 0 else { return nil }
        return (second.pages < first.pages, first.refusal)
    }

    private enum NeighbourTime {
        case never, beforeStart, afterStart
    }

    private static func limited(_ bytes: Int, _ errors: String) -> [String] {
        ["limited", String(user), String(bytes), errors]
    }

    /// The program that starts its children when it is told to.
    private static let family = [
        ChildProcess.programPath, "family", String(childrenCount), Application.variable,
    ]

    /// Control: what an image with an unfilled placeholder looks like to `count`.
    private func unwrapped() -> Outcome {
        let child = ChildProcess(
            Self.limited(Self.smallLimit, Self.errorsFile) + Self.family,
            environment: ["\(Application.variable)="])
        let outcome = observe(child, neighbour: .never)
        if let child { Self.endGroup(of: child) }
        return outcome
    }

    /// Without a wrapper nobody ends the children: they are this process's now.
    private static func endGroup(of child: ChildProcess) {
        kill(-child.pid, SIGKILL)
        var status: Int32 = 0
        while waitpid(-child.pid, &status, 0) > 0 || errno == EINTR {}
    }

    private func wrapped(
        _ vault: GuestVault, limit: Int, neighbour: NeighbourTime = .never
    ) -> Outcome {
        let eater = neighbour == .beforeStart ? Neighbour() : nil
        defer { eater?.end() }
        let command = [Application.wrapperPath, "run", "--"] + Self.family
        let child = ChildProcess(
            Self.limited(limit, Self.errorsFile) + command,
            environment: vault.controlVariables(
                delivering: Application.variable, delivery: "splice"))
        return observe(child, neighbour: neighbour)
    }

    private func observe(_ started: ChildProcess?, neighbour: NeighbourTime) -> Outcome {
        var outcome = Outcome()
        guard let child = started else { return outcome }
        var eater: Neighbour?
        defer { eater?.end() }
        outcome.started = child.readLine() == "family"
        if outcome.started {
            if neighbour == .afterStart { eater = Neighbour() }
            child.send("go")
            count(child, into: &outcome)
            kill(child.pid, SIGTERM)
        }
        outcome.status = child.reap()
        readErrors(into: &outcome)
        return outcome
    }

    /// One line for each child: its own, or its parent's about its end.
    private func count(_ child: ChildProcess, into outcome: inout Outcome) {
        let needle = Needle(seed: seed, index: Self.needleIndex)
        let right = Application.readyLine(needle)
        for _ in 0..<Self.childrenCount {
            guard let line = child.readLine() else { return }
            if line == right {
                outcome.filled += 1
            } else if line == "killed \(SIGKILL)" || line.hasPrefix("refused ") {
                outcome.ended += 1
            } else {
                outcome.unfilled += 1
            }
        }
    }

    private func readErrors(into outcome: inout Outcome) {
        let lines = (TargetProcess.text(Self.errorsFile) ?? "").split(separator: "\n")
        outcome.messages = lines.filter { $0.contains("delivery to process") }.count
        for line in lines {
            let words = line.split(separator: " ")
            if words.first == "what:" { outcome.reason = words.dropFirst().joined(separator: " ") }
        }
    }

    private func report(
        _ name: String, _ outcome: Outcome, expected: Bool, control: String, controlPassed: Bool
    ) {
        host.report(
            CaseResult(
                id: Self.id, name: name, observation: outcome.text, expected: expected,
                control: control, controlPassed: controlPassed))
    }

    private func failed(_ reason: String) {
        host.report(
            CaseResult(
                id: Self.id, name: "set-up of the budget", observation: reason, expected: false,
                control: "not run", controlPassed: false))
    }
}
