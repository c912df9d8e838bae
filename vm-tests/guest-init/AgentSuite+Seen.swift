// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
@preconcurrency import Glibc

/// What `/workloads` says of programs and of the node, against what root reads of the same.
extension AgentSuite {
    private static let needles: [(setup: [String], delivery: String, index: UInt64)] = [
        (["CLOUDTASER_FOLLOW=attached"], "splice", 95),
        (["CLOUDTASER_FOLLOW=notified"], "splice", 98),
        ([], "environ", 99),
    ]
    /// Between two looks at an enrolment is a second at least.
    private static let looksMax = 100
    private static let pauseMicroseconds: UInt32 = 100_000

    func seen(hasSecretMemory: Bool, seed: UInt64) {
        node(hasSecretMemory)
        plain()
        for (setup, delivery, index) in Self.needles where hasSecretMemory || delivery == "environ"
        {
            let tier = hasSecretMemory ? [] : ["CLOUDTASER_MINIMUM_TIER=locked"]
            let more = [
                "CLOUDTASER_AGENT=required", "CLOUDTASER_AGENT_SOCKET=\(Self.socketPath)",
            ]
            wrapped(delivery, Needle(seed: seed, index: index), index, setup + tier + more, seed)
        }
    }

    /// A container's identifier that nothing else here has.
    private static func container(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 64 - digits.count) + digits
    }

    private static func cgroup(_ number: UInt64) -> String {
        let uid = "1b4e28ba_2fa1_11d2_883f_0016d3cca427"
        return "kubepods.slice/kubepods-pod\(uid).slice/cri-containerd-\(container(number)).scope"
    }

    /// The agent's entry of the container, once it says what it saw.
    private static func entry(_ number: UInt64) -> String {
        var found = "not listed"
        for _ in 0..<looksMax {
            let page = HTTPProbe.get("/workloads")
            let entries = page.split(separator: "{\"pod\":").dropFirst()
            found = entries.first { $0.contains(container(number)) }.map(String.init) ?? found
            if found.contains("\"seen\":{") { break }
            usleep(pauseMicroseconds)
        }
        return found
    }

    /// Lines of `/proc/PID/status`, which root may read of everybody.
    private static func status(_ pid: pid_t) -> [String: String] {
        let lines = (TargetProcess.text("/proc/\(pid)/status") ?? "").split(separator: "\n")
        return Dictionary(
            lines.compactMap { line in
                line.firstIndex(of: ":").map { colon in
                    let value = line[line.index(after: colon)...].drop { " \t".contains($0) }
                    return (String(line[..<colon]), String(value))
                }
            }, uniquingKeysWith: { first, _ in first })
    }

    /// As the agent should say it; who runs as root shows by no file whether it is dumpable.
    private static func expected(_ status: [String: String]) -> String {
        let locked = status["VmLck"]?.split(separator: " ").first ?? "nothing"
        return "\"seen\":{\"lockedKiB\":\(locked),\"dumpable\":null,"
            + "\"noNewPrivileges\":\(status["NoNewPrivs"] == "1"),"
            + "\"seccomp\":\(status["Seccomp"] ?? "nothing")}"
    }

    private static func shown(_ entry: String) -> String {
        entry.firstRange(of: "\"seen\":").map { String(entry[$0.lowerBound...].prefix(90)) }
            ?? entry
    }

    private func wrapped(
        _ delivery: String, _ needle: Needle, _ index: UInt64, _ setup: [String], _ seed: UInt64
    ) {
        let name = "workloads: under the wrapper, \(delivery) \(setup.first ?? "")"
        guard let vault = GuestVault(seed: seed, needle: index) else {
            return report("VM-EBPF-08", name, "the vault did not start", false, "", true)
        }
        defer { vault.kill() }
        // What is started begins where this process is.
        let moved = Cgroups.move(getpid(), to: Cgroups.made(Self.cgroup(index)))
        let started = Application(wrapped: needle, vault: vault, delivery: delivery, more: setup)
        Cgroups.move(getpid(), to: Cgroups.root)
        guard let application = started else {
            return report("VM-EBPF-08", name, "did not start", false, "", true)
        }
        defer {
            application.end()
            Cgroups.remove(Self.cgroup(index))
        }
        let entry = Self.entry(index)
        let status = Self.status(application.pid)
        let locked = status["VmLck"] ?? "nothing"
        report(
            "VM-EBPF-08", name,
            "\(Self.shown(entry)); its parent is \(status["PPid"] ?? "?"), the wrapper "
                + "\(application.wrapperPID)",
            moved == 0 && application.holdsNeedle && entry.contains(Self.expected(status))
                && status["NoNewPrivs"] == "1" && status["Seccomp"] == "2",
            "by its own status: locked \(locked), no new privileges "
                + "\(status["NoNewPrivs"] ?? "?"), seccomp \(status["Seccomp"] ?? "?")",
            status["VmLck"] != nil)
    }

    /// The control: one that registers and gives its child nothing of all that.
    private func plain() {
        let number: UInt64 = 90
        let name = "workloads: a program without a wrapper"
        guard let child = registrant() else {
            return report("VM-EBPF-08", name, "no registrant", false, "", true)
        }
        let moved = Cgroups.move(child.pid, to: Cgroups.made(Self.cgroup(number)))
        let before = HTTPProbe.get("/workloads").contains(Self.container(number))
        child.send("register")
        _ = child.readLine()
        child.send("program")
        let program = child.readLine().flatMap { pid_t($0) } ?? 0
        let entry = Self.entry(number)
        let status = Self.status(program)
        report(
            "VM-EBPF-08", name, Self.shown(entry),
            moved == 0 && entry.contains(Self.expected(status))
                && entry.contains("\"lockedKiB\":0,")
                && entry.contains("\"noNewPrivileges\":false,\"seccomp\":0"),
            "listed before it registered: \(before)", !before && program > 0)
        kill(program, SIGKILL)
        kill(child.pid, SIGKILL)
        child.reap()
        Cgroups.remove(Self.cgroup(number))
    }

    private func node(_ hasSecretMemory: Bool) {
        let page = HTTPProbe.get("/workloads")
        let kernel = TargetProcess.text("/proc/sys/kernel/osrelease")?.prefix { $0 != "\n" } ?? ""
        let memory = page.contains("\"secretMemory\":\"on\"")
        let wanted = [
            "\"kernel\":\"\(kernel)\"", "\"openWeaknesses\":\(Self.openWeaknesses)",
            "\"confidential\":\"none\"", "\"ready\":true", "\"mode\":\"deny\"",
        ]
        let missing = wanted.filter { !page.contains($0) }
        report(
            "VM-EBPF-08", "workloads: the node",
            missing.isEmpty ? "as root reads it" : "without \(missing): \(page.suffix(600))",
            missing.isEmpty && memory == hasSecretMemory && !kernel.isEmpty,
            "memfd_secret(2) works here: \(hasSecretMemory)", true)
    }

    /// By the kernel's own words, in the agent's form.
    private static var openWeaknesses: String {
        let folder = "/sys/devices/system/cpu/vulnerabilities"
        guard case .success(let names) = TargetProcess.entries(folder), !names.isEmpty else {
            return "null"
        }
        let lines = names.map { ($0, TargetProcess.text("\(folder)/\($0)") ?? "Unknown") }
        let open = lines.filter { $0.1.lowercased().contains("vulnerable") }.map(\.0).sorted()
        let isUnknown = lines.contains { $0.1.hasPrefix("Unknown") }
        return open.isEmpty && isUnknown
            ? "null" : "[" + open.map { "\"\($0)\"" }.joined(separator: ",") + "]"
    }
}
