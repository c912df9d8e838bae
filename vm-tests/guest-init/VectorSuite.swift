// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
@preconcurrency import Glibc

/// Every attack that can be made here, on the application and on the wrapper, without the agent:
/// the host compares each result with the simulated kernel's.
struct VectorSuite {
    private static let needles: [(delivery: String, index: UInt64)] = [
        ("splice", 71), ("environ", 72), ("file", 74),
    ]

    private static let controlNeedle: UInt64 = 73
    private static let attackPath = "/bin/attack"

    let host: Host
    let seed: UInt64
    let profile: KernelProfile

    func run() {
        for (delivery, index) in Self.needles {
            // Without memfd_secret the wrapper refuses this mode: WrapperSuite shows it.
            guard profile.hasSecretMemory || delivery == "environ" else { continue }
            attack(delivery, index)
            inside(delivery, index)
        }
        insideControl()
    }

    /// The application itself is the attacker.
    private func inside(_ delivery: String, _ index: UInt64) {
        guard let vault = GuestVault(seed: seed, needle: index) else {
            return host.console("vectors: the vault did not start")
        }
        defer { vault.kill() }
        let tier = profile.hasSecretMemory ? [] : ["CLOUDTASER_MINIMUM_TIER=locked"]
        let variables = vault.controlVariables(
            delivering: Application.variable, delivery: delivery)
        guard
            let child = ChildProcess(
                ["run", "--", Self.attackPath, "inside", Application.variable],
                environment: variables + tier, path: Application.wrapperPath)
        else { return host.console("vectors: the wrapper could not be executed") }
        for result in child.insideResults() {
            host.send([
                ("type", .text("verdict")), ("id", .text(result.id)),
                ("vector", .text("inside")), ("delivery", .text(delivery)),
                ("enforcement", .text("none")), ("target", .text("application")),
                ("outcome", .text(result.outcome)),
                ("errorName", .text(SystemError.name(of: result.errorNumber))),
                ("detail", .text("by the application's own code")),
            ])
        }
    }

    /// The same program started the classic way: what the filter denies must work there.
    private func insideControl() {
        let needle = Needle(seed: seed, index: Self.controlNeedle)
        guard
            let child = ChildProcess(
                ["inside", Application.variable],
                secretVariable: (Application.variable, needle), path: Self.attackPath)
        else { return host.console("vectors: the control could not be executed") }
        let results = child.insideResults()
        let filtered = [
            InsideVector.userFault, .ring, .pipePages, .pipeCopy, .pipeToPipe, .pipeToSocket,
        ].map(\.rawValue)
        let worked = results.filter {
            filtered.contains($0.id) && $0.outcome != AttackOutcome.refused.rawValue
        }
        host.report(
            CaseResult(
                id: "VM-VEC-01", name: "attacks from inside",
                observation: "\(results.count) played without the wrapper",
                expected: results.count == InsideVector.allCases.count,
                control: "of the calls that the wrapper's filter denies, \(worked.count) work",
                controlPassed: worked.count == filtered.count))
    }

    private func attack(_ delivery: String, _ index: UInt64) {
        let more = profile.hasSecretMemory ? [] : ["CLOUDTASER_MINIMUM_TIER=locked"]
        guard let vault = GuestVault(seed: seed, needle: index) else {
            return host.console("vectors: the vault did not start")
        }
        let needle = Needle(seed: seed, index: index)
        let started = Application(
            wrapped: needle, vault: vault, delivery: delivery, more: more)
        // The vault's own copy must not be what a search of the machine finds.
        vault.kill()
        guard let application = started, application.holdsNeedle else {
            return host.console("vectors: the application did not start")
        }
        let targets = [("application", application.pid), ("wrapper", application.wrapperPID)]
        sweep(targets, needle, delivery)
        send(
            Attack(pid: application.pid, needle: needle).run(.coreDump), delivery, "application")
        application.end()
    }

    private func sweep(
        _ targets: [(String, pid_t)], _ needle: Needle, _ delivery: String
    ) {
        for (target, pid) in targets {
            for vector in AttackVector.allCases where vector != .coreDump {
                // A search of all memory finds what the vault left, unless freed pages are zeroed.
                if vector == .kernelCore && !Self.zeroesFreedPages && delivery != "environ" {
                    continue
                }
                if vector.isOnMachine && target != "application" { continue }
                if vector == .connectionTheft && target != "application" { continue }
                let report = Attack(pid: pid, needle: needle).run(vector)
                send(report, delivery, target)
            }
        }
    }

    private static var zeroesFreedPages: Bool { Guest.parameter("init_on_free") == "1" }

    private func send(
        _ report: AttackReport, _ delivery: String, _ target: String
    ) {
        host.send([
            ("type", .text("verdict")), ("id", .text(report.vector.catalogueID)),
            ("vector", .text(report.vector.rawValue)), ("delivery", .text(delivery)),
            ("enforcement", .text("none")), ("target", .text(target)),
            ("outcome", .text(report.outcome.rawValue)),
            ("errorName", .text(SystemError.name(of: report.errorNumber))),
            ("detail", .text(report.detail)),
        ])
    }
}

extension ChildProcess {
    /// What `attack inside` says of each vector, until it ends.
    func insideResults() -> [(id: String, outcome: String, errorNumber: Int32)] {
        var results: [(String, String, Int32)] = []
        while let line = readLine() {
            let words = line.split(separator: " ")
            if words.count == 3, let number = Int32(words[2]) {
                results.append((String(words[0]), String(words[1]), number))
            }
        }
        reap()
        return results
    }
}
