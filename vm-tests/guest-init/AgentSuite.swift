// SPDX-License-Identifier: Apache-2.0
import AgentProtocol
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// The agent as a program: its self-test, who registers, what it tells.
struct AgentSuite {
    static let agentPath = "/bin/cloudtaser-agent"
    static let socketPath = "/tmp/agent.sock"

    let host: Host
    /// mm_access lets holders of CAP_PERFMON read whatever a hook says (Linux 7.2).
    let lettingReadersPass: Bool

    func run(hasSecretMemory: Bool, seed: UInt64) {
        selfTest()
        let surroundings = AgentReload()
        TierState.write()
        MarkedProgram.make()
        let flags =
            ["--events-per-second", "0", "--pins", "none", "--policy", "AV-018=detect"]
            + AgentReload.flags + TierState.flags + MarkedProgram.flags
        guard let agent = RunningAgent(flags) else {
            return report("VM-EBPF-10", "start", "the agent said nothing", false, "", true)
        }
        uncounted()
        syslog(surroundings)
        tierChange(surroundings)
        registration(agent)
        marked(agent)
        opened(agent)
        starts(agent)
        traced()
        events(agent)
        places(agent)
        seen(hasSecretMemory: hasSecretMemory, seed: seed)
        wrapped(hasSecretMemory: hasSecretMemory, seed: seed)
        leaking(hasSecretMemory: hasSecretMemory, seed: seed)
        observation()
        privileges(agent)
        reload(agent)
        ending(agent)
    }

    func report(
        _ id: String, _ name: String, _ seen: String, _ expected: Bool, _ control: String,
        _ controlPassed: Bool
    ) {
        host.report(
            CaseResult(
                id: id, name: "agent: \(name)", observation: seen, expected: expected,
                control: control, controlPassed: controlPassed))
    }

    /// Every vector that can be tried is denied on a victim, and worked before.
    private func selfTest() {
        guard
            let child = ChildProcess(
                ["self-test"], path: Self.agentPath, joiningErrors: true)
        else {
            return report("VM-EBPF-01", "self-test", "could not be executed", false, "", true)
        }
        var lines: [String] = []
        while let line = child.readLine() { lines.append(line) }
        let status = child.reap()
        // The hook denies it and tells so, and the pages go out: what comes through is open.
        let open = lines.filter { $0.hasSuffix("  not denied") }.map { String($0.prefix(6)) }
        let untested = lines.filter { $0.contains("untested") && $0.hasPrefix("AV-") }
        report(
            "VM-EBPF-01", "self-test",
            "\(lines.first ?? "nothing"), \(lines.last ?? ""); open: \(open); untested: "
                + untested.map { String($0.prefix(6)) }.joined(separator: " "),
            open == (lettingReadersPass ? ["AV-018"] : [])
                && status >> 8 == (open.isEmpty ? 0 : 1) && lines.count > 15,
            "exit status \(status >> 8): 1 would mean that something came through",
            status & 0xFF == 0)
    }

    /// Running, and waiting for words to say.
    func registrant(_ path: String = ChildProcess.programPath) -> ChildProcess? {
        guard let child = ChildProcess(["registrant", Self.socketPath], path: path),
            child.readLine() == "ready"
        else { return nil }
        return child
    }

    /// A process that registers is protected from then on, and its children are.
    private func registration(_ agent: RunningAgent) {
        guard let child = registrant() else {
            return report("VM-EBPF-03", "registration", "no registrant", false, "", true)
        }
        let before = SelfTest.reads(child.pid)
        child.send("register")
        let answer = child.readLine() ?? "nothing"
        let after = SelfTest.reads(child.pid)
        let event = agent.line { $0.contains("\"vector\":\"AV-044\"") } ?? "none"
        let names = ["ENVIRON_READ", "\"denied\"", "\"file_open\"", "\"comm\":\"init\""]
        let missing = names.filter { !event.contains($0) }
        report(
            "VM-EBPF-03", "registration",
            "\(answer); then the read of environ: \(SystemError.name(of: after)); event: "
                + (missing.isEmpty ? "complete" : "without \(missing): \(event.prefix(400))"),
            answer.hasPrefix("enrolled 2 ") && after == EPERM && missing.isEmpty,
            "before the registration the same read gives \(before)", before == 0)
        child.send("fork")
        let grandchild = child.readLine().flatMap { pid_t($0) } ?? 0
        let inherited = grandchild > 0 ? SelfTest.reads(grandchild) : ESRCH
        child.send("register")
        let again = child.readLine() ?? "nothing"
        report(
            "VM-EBPF-01", "inheritance",
            "a child that the registrant forks: \(SystemError.name(of: inherited)); a second "
                + "registration: \(again)",
            inherited == EPERM && again == "refused 2 enrolled",
            "an unprotected process: \(SelfTest.reads(getpid()))", SelfTest.reads(getpid()) == 0)
        child.send("nonsense")
        let refused = child.readLine() ?? "nothing"
        report(
            "VM-EBPF-01", "a line that is none", refused, refused == "refused 2 malformed", "",
            true)
        kill(grandchild, SIGKILL)
        kill(child.pid, SIGKILL)
        child.reap()
    }

    /// Somebody who is traced already is not taken for protected.
    func traced(_ name: String = "a process that is traced already") {
        guard let child = registrant() else { return }
        let seized = clinux_ptrace_attach(child.pid)
        if seized == 0 {
            _ = clinux_wait_stop(child.pid)
            // Runs on, with this process as its tracer.
            _ = clinux_ptrace_continue(child.pid)
        }
        child.send("register")
        let answer = child.readLine() ?? "nothing"
        kill(child.pid, SIGKILL)
        child.reap()
        report(
            "VM-EBPF-04", name, answer,
            answer == "refused 2 traced", "the attach before: \(seized)", seized == 0)
    }

    private func observation() {
        let ready = HTTPProbe.get("/readyz")
        let metrics = HTTPProbe.get("/metrics")
        let status = HTTPProbe.get("/status")
        let missing = HTTPProbe.get("/nothing")
        let hasMetrics = metrics.contains("cloudtaser_agent_selftest_pass{vector=\"AV-008\"} 1")
        report(
            "VM-EBPF-08", "observation port",
            "\(ready.prefix(15)); metrics \(metrics.utf8.count) bytes; status "
                + "\(status.utf8.count) bytes",
            ready.hasPrefix("HTTP/1.1 200") && hasMetrics && status.contains("\"selfTest\":["),
            "a path that is none: \(missing.prefix(12))", missing.hasPrefix("HTTP/1.1 404"))
    }

    /// The agent enforces with the programs that it tested, and the test is nobody's attack.
    private func uncounted() {
        let counts = AgentCounts()
        let attempts = counts.values("attempts_total")
        let enrolments = counts.total(of: "enrolments")
        let tested = HTTPProbe.get("/metrics").contains("selftest_pass{vector=\"AV-044\"} 1")
        report(
            "VM-EBPF-10", "the self-test is not counted",
            "attempts: \(AgentCounts.text(attempts)); enrolments: \(enrolments)",
            attempts.isEmpty && enrolments == 0, "the self-test denied: \(tested)", tested)
    }

    private func syslog(_ surroundings: borrowing AgentReload) {
        // RFC 5424: facility audit (13), severity notice (5).
        let start = surroundings.message { $0.contains("\"type\":\"AGENT_START\"") }
        let parts = start?.split(separator: " ", maxSplits: 7).map(String.init) ?? []
        report(
            "VM-EBPF-10", "events to syslog", parts.prefix(7).joined(separator: " "),
            parts.count == 8 && parts.first == "<109>1" && parts[3] == "cloudtaser-agent"
                && parts[5] == "AGENT_START" && parts[7].hasPrefix("{"), "", true)
    }

    /// SIGHUP: the file's policy is in force, a wrong one is not.
    private func reload(_ agent: RunningAgent) {
        guard let child = registrant() else { return }
        child.send("register")
        _ = child.readLine()
        let before = SelfTest.reads(child.pid)
        AgentReload.configure("mode detect")
        kill(agent.pid, SIGHUP)
        let change = agent.line { $0.contains("\"type\":\"POLICY_CHANGE\"") } ?? "no event"
        let after = SelfTest.reads(child.pid)
        // A record of the old policy may still be on its way.
        let observed = agent.line {
            $0.contains("\"vector\":\"AV-044\"") && $0.contains("\"verdict\":\"observed\"")
        }
        AgentReload.configure("mode strict")
        kill(agent.pid, SIGHUP)
        let failure = agent.line { $0.contains("\"type\":\"AGENT_FAILURE\"") } ?? "no event"
        let status = HTTPProbe.get("/status")
        kill(child.pid, SIGKILL)
        child.reap()
        report(
            "VM-EBPF-10", "SIGHUP",
            "mode detect: the read of environ gives \(SystemError.name(of: after)); a wrong file: "
                + (failure.contains("line 2: --mode is one of") ? "refused" : failure),
            change.contains("\"policyGeneration\":\"2\"") && after == 0
                && observed != nil
                && failure.contains("line 2: --mode is one of")
                && status.contains("\"mode\":\"detect\",\"policyGeneration\":2,"),
            "before, the same read gives \(SystemError.name(of: before))", before == EPERM)
    }

    /// What is left once the programs are loaded.
    private func privileges(_ agent: RunningAgent) {
        let lines = (TargetProcess.text("/proc/\(agent.pid)/status") ?? "").split(separator: "\n")
        let effective = lines.first { $0.hasPrefix("CapEff:") }.map { $0.dropFirst(8) } ?? ""
        let own =
            (TargetProcess.text("/proc/self/status") ?? "").split(separator: "\n")
            .first { $0.hasPrefix("CapEff:") }.map { $0.dropFirst(8) } ?? ""
        report(
            "VM-EBPF-01", "capabilities after loading", String(effective),
            effective == "000000c000000000", "of this process: \(own)", own != effective)
    }

    private func ending(_ agent: RunningAgent) {
        // What waits in the pipe is read first: nobody did while the attacks were made.
        _ = agent.tells { _ in false }
        kill(agent.pid, SIGTERM)
        let stop = agent.line { $0.contains("AGENT_STOP") }
        let status = agent.reap()
        let gone = access(Self.socketPath, F_OK) != 0
        report(
            "VM-EBPF-10", "SIGTERM",
            "\(stop == nil ? "no AGENT_STOP" : "AGENT_STOP is told"), exit status "
                + "\(status >> 8), socket \(gone ? "removed" : "left")",
            stop != nil && status == 0 && gone, "", true)
    }
}

/// The agent, started and ready.
struct RunningAgent {
    private let process: ChildProcess
    /// Lines that are looked at for one event.
    private static let linesMax = 100_000

    /// - Parameters:
    ///   - cgroup: it starts in, and guards; nil: this process's.
    ///   - environment: more of it, `NAME=value` each.
    init?(
        _ flags: [String], in cgroup: String? = nil, environment: [String] = [],
        path: String = AgentSuite.agentPath
    ) {
        if let cgroup { Cgroups.move(getpid(), to: cgroup) }
        defer { if cgroup != nil { Cgroups.move(getpid(), to: Cgroups.root) } }
        let words =
            ["run", "--socket", AgentSuite.socketPath, "--heartbeat-seconds", "1"] + flags
        guard let child = ChildProcess(words, environment: environment, path: path) else {
            return nil
        }
        process = child
        guard line(where: { $0.contains("AGENT_START") }) != nil else { return nil }
    }

    var pid: pid_t { process.pid }

    /// The next line that fits. Heartbeats come all the time, so this ends.
    func line(where fits: (String) -> Bool) -> String? {
        for _ in 0..<Self.linesMax {
            guard let line = process.readLine() else { return nil }
            if fits(line) { return line }
        }
        return nil
    }

    /// Whether a line that fits comes before this many heartbeats from now, some of which may wait
    /// already.
    func tells(beats beatsMax: Int = 2, _ fits: (String) -> Bool) -> Bool {
        told(beats: beatsMax, fits) != nil
    }

    /// The same, and the line.
    func told(beats beatsMax: Int = 12, _ fits: (String) -> Bool) -> String? {
        var beats = 0
        let found = line { line in
            if line.contains("\"HEARTBEAT\"") { beats += 1 }
            return beats == beatsMax || fits(line)
        }
        return found.flatMap { fits($0) ? $0 : nil }
    }

    /// Ends it; what it still says is dropped.
    func end() {
        kill(process.pid, SIGTERM)
        process.discardOutput()
        process.reap()
    }

    func reap() -> Int32 { process.reap() }
}

enum HTTPProbe {
    static func get(_ path: String) -> String {
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(connection) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(9464).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { return "no connection" }
        let request = Array("GET \(path) HTTP/1.1\r\nHost: agent\r\n\r\n".utf8)
        _ = write(connection, request, request.count)
        var answer: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 4096)
        while case let got = read(connection, &block, block.count), got > 0 {
            answer += block.prefix(got)
        }
        return String(decoding: answer, as: UTF8.self)
    }
}
