// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
import Enforcement
@preconcurrency import Glibc

/// What a node does all day goes on beside a protected process, and a flood of attacks costs
/// events and nothing else.
struct NeighbourSuite {
    let host: Host

    private static let usualMode = "deny"

    /// - Parameter denyingAll: also under a policy that denies everything but loads.
    func run(denyingAll: Bool = false) {
        let programs = NeighbourPrograms()
        let control = programs.map(unguarded)
        AgentReload.configure("mode deny")
        let flags = ["--pins", "none", "--config", AgentReload.configurationPath] + Flood.sinks
        guard let agent = RunningAgent(flags) else {
            return report("start", "the agent did not start", false, "", true)
        }
        defer {
            kill(agent.pid, SIGTERM)
            _ = agent.reap()
        }
        guard let registrant = Self.registrant(registering: true) else {
            return report("start", "no registrant", false, "", true)
        }
        ordinary(registrant.pid)
        if let programs, let control {
            let scripts = NeighbourPrograms.scripts
            play(programs, scripts, Self.usualMode, control, registrant.pid)
        } else {
            report("programs", "the image has no tools", false, "", true)
        }
        flood(registrant.pid, agent.pid)
        kill(registrant.pid, SIGTERM)
        let status = registrant.reap()
        report(
            "SIGTERM to a wrapper, as a runtime stops a container", "wait status \(status)",
            status == SIGTERM, "", true)
        guard denyingAll, let programs, let control else { return }
        denyAll(agent, programs, control)
    }

    private static func registrant(registering: Bool) -> ChildProcess? {
        guard let child = ChildProcess(["registrant", AgentSuite.socketPath]),
            child.readLine() == "ready"
        else { return nil }
        guard registering else { return child }
        child.send("register")
        return child.readLine()?.hasPrefix("enrolled") == true ? child : nil
    }

    // MARK: Real programs

    private typealias Played = [String: NeighbourPrograms.Result]

    private func unguarded(_ programs: NeighbourPrograms) -> Played {
        guard let other = Self.registrant(registering: false) else { return [:] }
        defer {
            kill(other.pid, SIGKILL)
            other.reap()
        }
        return NeighbourPrograms.scripts.reduce(into: [:]) { played, script in
            let result = programs.run(script, other.pid)
            for line in result.lines { host.console("\(script.name): \(line)") }
            played[script.name] = result
        }
    }

    /// The same agent, told to deny everything that a hook knows but for the loads that are the
    /// programs' own work.
    private func denyAll(
        _ agent: RunningAgent, _ programs: NeighbourPrograms, _ control: Played
    ) {
        let denied = EnforcedVector.all.map(\.number.description).filter {
            !NeighbourPrograms.loads.contains($0)
        }
        AgentReload.configure(denied.map { "policy \($0)=deny" }.joined(separator: "\n"))
        kill(agent.pid, SIGHUP)
        guard agent.line(where: { $0.contains("\"type\":\"POLICY_CHANGE\"") }) != nil else {
            return report("everything denied", "the policy did not change", false, "", true)
        }
        guard let registrant = Self.registrant(registering: true) else {
            return report("everything denied", "no registrant", false, "", true)
        }
        // A million writes ask the same hook as a few: once is enough.
        let scripts = NeighbourPrograms.scripts.filter { $0.name != "writes" }
        play(programs, scripts, "everything but loads denied", control, registrant.pid)
        kill(registrant.pid, SIGKILL)
        registrant.reap()
    }

    /// Each script prints and ends as it did without the agent, and nothing is denied but what is
    /// aimed at the protected process. Where everything is denied, a script fails that needs what
    /// is.
    private func play(
        _ programs: NeighbourPrograms, _ scripts: [NeighbourPrograms.Script], _ mode: String,
        _ control: Played, _ protected: pid_t
    ) {
        let isUsual = mode == Self.usualMode
        for script in scripts {
            let before = AgentCounts()
            let result = programs.run(script, protected)
            let after = AgentCounts()
            let denied = after.increase(of: "denied_total", since: before)
            let told = after.increase(of: "attempts_total", since: before)
            let expected = control[script.name]
            let same = result == expected
            let difference = expected.map(result.difference) ?? "no control"
            report(
                "\(script.name), \(mode)",
                "\(same ? "as without the agent" : difference); denied: "
                    + "\(AgentCounts.text(denied)); told: \(AgentCounts.text(told))",
                isUsual || script.needs.isEmpty
                    ? same && script.aimed.isSuperset(of: denied.keys)
                    : !same && Set(denied.keys) == script.needs,
                "without the agent \(expected?.lines.count ?? 0) lines, exit status "
                    + "\(expected?.status ?? -1): \(expected?.lines.last ?? "")",
                expected?.isDone == true)
        }
    }

    func report(
        _ name: String, _ seen: String, _ expected: Bool, _ control: String, _ controlPassed: Bool
    ) {
        host.report(
            CaseResult(
                id: "VM-EBPF-08", name: "neighbours: \(name)", observation: seen,
                expected: expected, control: control, controlPassed: controlPassed))
    }

    // MARK: Ordinary work

    private func ordinary(_ protected: pid_t) {
        let before = AgentCounts()
        var wrong: [String] = []
        func want(_ name: String, _ answer: Int32) {
            if answer != 0 { wrong.append("\(name): \(SystemError.name(of: answer))") }
        }
        for file in ["stat", "status", "statm", "comm", "cmdline", "cgroup", "limits"] {
            want("/proc/PID/\(file)", SelfTest.opens("/proc/\(protected)/\(file)"))
        }
        want("readlink exe", TargetProcess.link("/proc/\(protected)/exe") == nil ? errno : 0)
        want("nsenter", -clinux_probe_enter_namespaces(protected))
        // Socket filter, traffic classifier, XDP, a container's device list.
        for (type, name) in [(1, "filter"), (3, "classifier"), (6, "XDP"), (15, "devices")] {
            want("BPF load of a \(name) program", -clinux_probe_program_load(UInt32(type)))
        }
        want("400 programs", programs(400))
        let beforeAttack = AgentCounts()
        let denials = beforeAttack.increase(of: "denied_total", since: before)
        _ = SelfTest.reads(protected)
        let attacked = AgentCounts().increase(of: "denied_total", since: beforeAttack)
        report(
            "ordinary work",
            wrong.isEmpty ? "unhindered" : wrong.joined(separator: "; "),
            wrong.isEmpty && denials.isEmpty,
            "the same counter after one attack: \(AgentCounts.text(attacked))",
            !attacked.isEmpty)
    }

    private func programs(_ count: Int) -> Int32 {
        for _ in 0..<count {
            let child = fork()
            if child == 0 { _exit(7) }
            var status: Int32 = 0
            guard child > 0, waitpid(child, &status, 0) == child, status >> 8 == 7 else {
                return ECHILD
            }
        }
        return 0
    }
}
