// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import Testing

/// Paths as container run-times and the kubelet make them, with the cgroup drivers cgroupfs and
/// systemd, in cgroup 1 and 2.
@Suite struct `A process's place` {
    private static let id = "4f1c7e2b9a0d3c5e6f7081920a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
    private static let other = String(id.reversed())
    private static let uid = "8c0d1b52-7d1b-4c62-9a3e-5b8f0c6d2e11"
    private static let escaped = uid.replacing("-", with: "_")
    private static let fixed = "b4f2ae1c7d9e4c62a13e5b8f0c6d2e11"
    private static let pods = "/kubepods.slice/kubepods-burstable.slice"
    private static let pod = "kubepods-burstable-pod\(escaped).slice"

    private struct Form {
        let text: String
        var runtime: ContainerPlace.Runtime?
        var podUID: String?
        var isUnified = true
        var container: String? = id
    }

    private static let forms: [Form] = [
        // Kubernetes, driver systemd, cgroup 2.
        Form(
            text: "0::\(pods)/\(pod)/cri-containerd-\(id).scope", runtime: .containerd,
            podUID: uid),
        Form(text: "0::\(pods)/\(pod)/crio-\(id).scope", runtime: .crio, podUID: uid),
        Form(text: "0::\(pods)/\(pod)/crio-\(id).scope/container", runtime: .crio, podUID: uid),
        Form(text: "0::\(pods)/\(pod)/docker-\(id).scope", runtime: .docker, podUID: uid),
        // Guaranteed, best effort, and a static pod.
        Form(
            text: "0::/kubepods.slice/kubepods-pod\(escaped).slice/cri-containerd-\(id).scope",
            runtime: .containerd, podUID: uid),
        Form(
            text:
                "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod\(fixed).slice"
                + "/cri-containerd-\(id).scope", runtime: .containerd, podUID: fixed),
        // A cgroup that the container made for itself.
        Form(
            text: "0::\(pods)/\(pod)/cri-containerd-\(id).scope/init", runtime: .containerd,
            podUID: uid),
        // Driver cgroupfs, cgroup 2 and 1.
        Form(text: "0::/kubepods/burstable/pod\(uid)/\(id)", podUID: uid),
        Form(text: "11:memory:/kubepods/burstable/pod\(uid)/\(id)", podUID: uid, isUnified: false),
        Form(
            text:
                "12:cpu,cpuacct:/kubepods/pod\(uid)/\(id)\n1:name=systemd:/kubepods/pod\(uid)/\(id)"
                + "\n0::/", podUID: uid, isUnified: false),
        // Driver systemd, cgroup 1; cgroup 2 is mounted beside it (systemd's hybrid layout).
        Form(
            text: "9:pids:\(pods)/\(pod)/docker-\(id).scope\n0::/system.slice/docker.service",
            runtime: .docker, podUID: uid, isUnified: false),
        // containerd asked for the driver systemd without being told.
        Form(
            text: "1:name=systemd:/system.slice/containerd.service/"
                + "kubepods-burstable-pod\(escaped).slice:cri-containerd:\(id)",
            runtime: .containerd, podUID: uid, isUnified: false),
        // kind: a node that is a container itself.
        Form(
            text: "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
                + "kubelet-kubepods-burstable-pod\(escaped).slice/cri-containerd-\(id).scope",
            runtime: .containerd, podUID: uid),
        Form(
            text: "0::/docker/\(other)/kubelet/kubepods/burstable/pod\(uid)/\(id)", podUID: uid),
        // Without Kubernetes.
        Form(text: "0::/system.slice/docker-\(id).scope", runtime: .docker),
        Form(text: "0::/docker/\(id)", runtime: .docker),
        Form(text: "5:devices:/docker/\(id)", runtime: .docker, isUnified: false),
        Form(text: "0::/docker/\(id)/init.scope", runtime: .docker),
        Form(text: "0::/system.slice/nerdctl-\(id).scope", runtime: .containerd),
        Form(text: "0::/machine.slice/libpod-\(id).scope/container", runtime: .podman),
        Form(
            text: "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-\(id).scope",
            runtime: .podman),
        Form(text: "0::/libpod_parent/libpod-\(id)", runtime: .podman),
        // Seen from another cgroup namespace.
        Form(
            text: "0::/../../\(pod)/cri-containerd-\(id).scope", runtime: .containerd, podUID: uid),
        // The pod's own cgroup.
        Form(text: "0::\(pods)/\(pod)", podUID: uid, container: nil),
        // A service beside a container's name in another hierarchy.
        Form(
            text: "4:freezer:/kubepods/pod\(uid)/\(id)\n0::\(pods)/\(pod)", podUID: uid,
            isUnified: false),
    ]

    @Test(arguments: forms.indices)
    func `is read from the paths of its cgroups`(_ number: Int) throws {
        let form = Self.forms[number]
        let place = try #require(ContainerPlace(cgroups: form.text + "\n"), "\(form.text)")
        #expect(place.container == form.container, "\(form.text)")
        #expect(place.runtime == form.runtime && place.podUID?.text == form.podUID, "\(form.text)")
        #expect(place.isUnified == form.isUnified, "\(form.text)")
    }

    @Test(arguments: [
        "0::/", "0::/system.slice/sshd.service", "0::/user.slice/user-0.slice/session-3.scope",
        "0::/init.scope", "", "garbage", "0::relative/docker/\(id)",
        // The monitor of a container is none.
        "0::/machine.slice/libpod-conmon-\(id).scope", "0::\(pods)/crio-conmon-\(id).scope",
        // Too short, too long, not hexadecimal, capitals.
        "0::/docker/\(id.dropLast())", "0::/docker/\(id)0", "0::/docker/\(id.dropLast())g",
        "0::/docker/\(id.uppercased())", "0::/kubepods/podcast", "0::/kubepods/pod\(uid)0",
        "0::/kubepods/xpod\(uid)",
    ])
    func `is none where no container's name is`(_ text: String) {
        #expect(ContainerPlace(cgroups: text) == nil)
    }
}
