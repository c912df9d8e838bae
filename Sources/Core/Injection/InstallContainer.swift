// SPDX-License-Identifier: Apache-2.0

/// The init container that copies the wrapper into its volume, with nothing that Pod Security's
/// "restricted" refuses. Its user is that of the pod or of its image: none is invented.
enum InstallContainer {
    static func json(
        name: String, volume: InjectedVolume, pod: PodView, policy: CloudTaserPolicy
    ) throws(Refusal) -> JSONOutput {
        var members: [(name: String, value: JSONOutput)] = [
            ("name", .text(name)),
            ("image", .text(policy.wrapperImage)),
        ]
        if let pull = policy.wrapperPullPolicy { members.append(("imagePullPolicy", .text(pull))) }
        let amounts: JSONOutput = .object([
            ("cpu", .text(InjectionLimits.installProcessor)),
            ("memory", .text(InjectionLimits.installMemory)),
        ])
        members += [
            (
                "command",
                .texts([InjectedNames.wrapperInImage, "install", InjectedNames.wrapperFolder])
            ),
            ("resources", .object([("limits", amounts), ("requests", amounts)])),
            ("securityContext", try securityContext(in: pod)),
            ("volumeMounts", .list([mount(of: volume)])),
        ]
        return .object(members)
    }

    private static func mount(of volume: InjectedVolume) -> JSONOutput {
        .object([("name", .text(volume.name)), ("mountPath", .text(volume.mountPath))])
    }

    private static func securityContext(in pod: PodView) throws(Refusal) -> JSONOutput {
        var members: [(name: String, value: JSONOutput)] = [
            ("allowPrivilegeEscalation", .flag(false)),
            ("capabilities", .object([("drop", .texts(["ALL"]))])),
            ("readOnlyRootFilesystem", .flag(true)),
        ]
        // In a pod that runs as root the kubelet would not start a container that may not.
        if try pod.spec.object("securityContext").integer("runAsUser") != 0 {
            members.append(("runAsNonRoot", .flag(true)))
        }
        members.append(("seccompProfile", .object([("type", .text("RuntimeDefault"))])))
        return .object(members)
    }

    /// The name of the pod's install container and where it is, or a free name.
    static func place(
        in pod: PodView, volume: InjectedVolume, policy: CloudTaserPolicy
    ) throws(Refusal) -> (name: String, index: Int?) {
        let all = pod.containers + pod.ephemeralContainers
        for name in CandidateNames(InjectedNames.installContainer) {
            let named = all.filter { $0.name == name }
            guard let container = named.first else { return (name, nil) }
            let wanted = try json(name: name, volume: volume, pod: pod, policy: policy)
            guard named.count == 1, container.kind == .initialization,
                try matches(container, wanted, volume: volume)
            else { continue }
            return (name, pod.containers.firstIndex { $0.path == container.path })
        }
        throw Refusal(
            FieldPath.spec["initContainers"],
            "leaves no name like \(InjectedNames.installContainer) free", fix: "rename containers")
    }

    /// What others may add to the install container: defaults of the API server, of a LimitRange
    /// and of OpenShift. The environment says nothing to `install`, which is a static program.
    private static let extras: Set<String> = [
        "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy", "env", "envFrom",
    ]
    private static let nestedExtras: Set<String> = [
        "ephemeral-storage", "runAsUser", "runAsGroup", "seLinuxOptions", "appArmorProfile",
        "procMount",
    ]

    private static func matches(
        _ container: ContainerView, _ wanted: JSONOutput, volume: InjectedVolume
    ) throws(Refusal) -> Bool {
        guard case .object(let members) = wanted else { return false }
        let names = members.map(\.name)
        for name in container.object.members.keys where container.object[name] != nil {
            guard names.contains(name) || extras.contains(name) else { return false }
        }
        for (name, value) in members where name != "volumeMounts" {
            guard let node = container.object[name],
                try node.equals(value, extras: nestedExtras)
            else { return false }
        }
        // A mount over the program would let somebody else's be installed.
        var isMounted = false
        for mount in container.mounts {
            if try isMount(mount, volume) {
                isMounted = true
            } else if MountPaths.overlap(mount.path, InjectedNames.folder)
                || MountPaths.overlap(mount.path, InjectedNames.wrapperInImage)
            {
                return false
            }
        }
        return isMounted
    }

    private static func isMount(
        _ mount: ContainerView.Mount, _ volume: InjectedVolume
    ) throws(Refusal) -> Bool {
        try mount.node.equals(Self.mount(of: volume))
    }

    /// Whether the mount is the one that an install container has of this volume.
    static func isMount(
        _ mount: ContainerView.Mount, of container: ContainerView, volume: InjectedVolume,
        pod: PodView, policy: CloudTaserPolicy
    ) throws(Refusal) -> Bool {
        guard container.kind == .initialization,
            InjectedNames.copiesWrapper(container.command),
            volume.mountPath == InjectedNames.wrapperFolder, try isMount(mount, volume)
        else { return false }
        let wanted = try json(name: container.name, volume: volume, pod: pod, policy: policy)
        return try matches(container, wanted, volume: volume)
    }
}

enum MountPaths {
    /// Whether one is the other or lies below it.
    static func overlap(_ one: String, _ other: String) -> Bool {
        let (one, other) = (parts(one), parts(other))
        let count = min(one.count, other.count)
        return one.prefix(count) == other.prefix(count)
    }

    /// Whether a mount there replaces what the kubelet writes for a resolver (resolv.conf(5),
    /// hosts(5)). One at a folder above leaves it: the kubelet's files are mounted over it.
    static func saysAddresses(_ path: String) -> Bool {
        [["etc", "hosts"], ["etc", "resolv.conf"]].contains(parts(path).map(String.init))
    }

    /// As a runtime resolves it.
    private static func parts(_ path: String) -> [Substring] {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return parts
    }
}
