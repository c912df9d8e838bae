// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
@preconcurrency import Glibc

/// Where a process runs, by the name of its cgroup: containers of run-times and the kubelet, and
/// names that only look like theirs.
extension AgentSuite {
    private static let id = "4f1c7e2b9a0d3c58" + String(repeating: "0a1b2c3d", count: 6)
    private static let uid = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
    private static let slice = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"
    /// As the systemd driver writes it.
    private static let pod = "\(slice)\(uid.map { $0 == "-" ? "_" : String($0) }.joined()).slice"

    /// A cgroup, and what events say of a process there.
    private struct Named {
        let name: String
        let path: String
        var place = Place()
    }

    /// Members of an event's actor or target; nil: not there.
    private struct Place: Equatable, CustomStringConvertible {
        var container: String?
        var podUID: String?
        var runtime: String?

        init() {}

        init(container: String, runtime: String?) {
            self.container = container
            podUID = AgentSuite.uid
            self.runtime = runtime
        }

        init(_ process: String) {
            container = EventMembers.text("container", of: process)
            podUID = EventMembers.text("podUid", of: process)
            runtime = EventMembers.text("runtime", of: process)
        }

        var description: String {
            "\(container.map { "\($0.prefix(8))…" } ?? "no container"), "
                + "\(podUID.map { "\($0.prefix(8))…" } ?? "no pod"), \(runtime ?? "no run-time")"
        }
    }

    private static let containers = [
        Named(
            name: "containerd", path: "\(pod)/cri-containerd-\(id).scope",
            place: Place(container: id, runtime: "containerd")),
        Named(
            name: "CRI-O", path: "\(pod)/crio-\(id).scope",
            place: Place(container: id, runtime: "cri-o")),
        Named(
            name: "the kubelet's driver cgroupfs", path: "kubepods/burstable/pod\(uid)/\(id)",
            place: Place(container: id, runtime: nil)),
    ]

    /// Of which the agent has not been told before.
    private static let unseen = Named(
        name: "containerd", path: "\(pod)/cri-containerd-\(String(id.reversed())).scope",
        place: Place(container: String(id.reversed()), runtime: "containerd"))

    private static let forged = [
        Named(name: "a digit too few", path: "forged/cri-containerd-\(id.dropLast()).scope"),
        Named(name: "a digit too many", path: "forged/cri-containerd-0\(id).scope"),
        Named(name: "capitals", path: "forged/crio-\(id.dropLast())F.scope"),
        Named(
            name: "dots for folders",
            path: "forged/..kubepods-pod..\(uid)/cri-containerd-..\(id.dropLast(4))...scope"),
        Named(name: "a pod's number cut", path: "forged/kubepods-pod\(uid.dropLast()).slice"),
        Named(name: "a monitor", path: "forged/crio-conmon-\(id).scope"),
    ]

    func places(_ agent: RunningAgent) {
        Cgroups.mount()
        guard let child = registrant(), let other = registrant() else {
            return report("VM-EBPF-03", "containers", "no registrant", false, "", true)
        }
        // It registers where the first of them is, and is moved to the others.
        for (index, container) in Self.containers.enumerated() {
            let moved = Cgroups.move(child.pid, to: Cgroups.made(container.path))
            if index == 0 {
                child.send("register")
                _ = child.readLine()
            }
            judge(agent, container, moved, child.pid)
        }
        attackFromInside(agent, child.pid, other)
        for name in Self.forged {
            let moved = Cgroups.move(child.pid, to: Cgroups.made(name.path))
            judge(agent, name, moved, child.pid)
        }
        let broken = Cgroups.made("forged/a\n0::\(Self.containers[0].path)")
        report(
            "VM-EBPF-03", "a cgroup's name with a line feed",
            SystemError.name(of: access(broken, F_OK) == 0 ? 0 : errno),
            access(broken, F_OK) != 0, "without it: \(access(Cgroups.root + "/forged", F_OK))",
            access(Cgroups.root + "/forged", F_OK) == 0)
        for process in [child, other] {
            kill(process.pid, SIGKILL)
            process.reap()
        }
        for place in Self.containers + Self.forged + [Self.unseen] { Cgroups.remove(place.path) }
    }

    /// The target's place is what its cgroup says; the attacker, this process, is in none.
    private func judge(_ agent: RunningAgent, _ named: Named, _ moved: Int32, _ pid: pid_t) {
        let seen = SelfTest.reads(pid)
        let (actor, target) = attack(agent, by: getpid(), on: pid)
        report(
            "VM-EBPF-03", "target in a cgroup named by \(named.name)",
            "\(SystemError.name(of: seen)); " + (target.map { "\($0)" } ?? "not told"),
            moved == 0 && seen == EPERM && target == named.place,
            "the attacker outside: " + (actor.map { "\($0)" } ?? "not told"), actor == Place())
    }

    private func attackFromInside(
        _ agent: RunningAgent, _ pid: pid_t, _ attacker: ChildProcess
    ) {
        let container = Self.unseen
        func attacked() -> (seen: String, actor: Place?) {
            attacker.send("read \(pid)")
            let seen = attacker.readLine() ?? "nothing"
            return (seen, attack(agent, by: attacker.pid, on: pid).actor)
        }
        let before = attacked()
        // Known as a process of no container, it moves into one.
        let moved = Cgroups.move(attacker.pid, to: Cgroups.made(container.path))
        let after = attacked()
        report(
            "VM-EBPF-03", "attacker in a cgroup named by \(container.name)",
            "\(after.seen); " + (after.actor.map { "\($0)" } ?? "not told"),
            moved == 0 && after.seen == "\(EPERM)" && after.actor == container.place,
            "before it moved there: " + (before.actor.map { "\($0)" } ?? "not told"),
            before.actor == Place())
    }

    /// Actor and target of the next event of a read of the process's environment.
    private func attack(
        _ agent: RunningAgent, by attacker: pid_t, on pid: pid_t
    ) -> (actor: Place?, target: Place?) {
        let marks = [
            #""vector":"AV-044""#, #""actor":{"pid":\#(attacker),"#, #""target":{"pid":\#(pid),"#,
        ]
        let line = agent.told { line in marks.allSatisfy { line.contains($0) } }
        guard let line, let split = line.firstRange(of: "\"target\":{") else { return (nil, nil) }
        return (
            Place(String(line[..<split.lowerBound])), Place(String(line[split.upperBound...]))
        )
    }
}

/// Cgroups of version 2.
enum Cgroups {
    static let root = "/sys/fs/cgroup"

    static func mount() {
        mkdir(root, 0o755)
        _ = clinux_mount("cgroup2", root, "cgroup2")
    }

    /// The path of a cgroup, which is made with those above it.
    static func made(_ path: String) -> String {
        path.split(separator: "/").reduce(root) { above, name in
            let folder = "\(above)/\(name)"
            mkdir(folder, 0o755)
            return folder
        }
    }

    /// Removes it and those above it, as far as they are empty.
    static func remove(_ path: String) {
        var names = path.split(separator: "/")
        while !names.isEmpty, rmdir("\(root)/\(names.joined(separator: "/"))") == 0 {
            names.removeLast()
        }
    }

    /// 0 or the error number.
    @discardableResult
    static func move(_ pid: pid_t, to cgroup: String) -> Int32 {
        let descriptor = open("\(cgroup)/cgroup.procs", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        let bytes = Array(String(pid).utf8)
        return write(descriptor, bytes, bytes.count) == bytes.count ? 0 : errno
    }
}
