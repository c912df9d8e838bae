// SPDX-License-Identifier: Apache-2.0
internal import WrapperConfiguration

/// A volume of the operator and how wrapped containers mount it.
struct InjectedVolume {
    let name: String
    let mountPath: String
    /// Without its name.
    let source: (name: String, value: JSONOutput)

    var json: JSONOutput { .object([("name", .text(name)), source]) }

    /// As every wrapped container has it: what it shares with others it cannot change.
    var mount: JSONOutput {
        .object([
            ("name", .text(name)), ("mountPath", .text(mountPath)), ("readOnly", .flag(true)),
        ])
    }

    func isMounted(in container: ContainerView) throws(Refusal) -> Bool {
        for mount in container.mounts where try mount.node.equals(self.mount) { return true }
        return false
    }
}

/// The volumes and the install container of one pod, under names that are free or already theirs.
struct InjectedObjects {
    let wrapper: InjectedVolume
    let token: InjectedVolume
    let agent: InjectedVolume?
    let install: JSONOutput
    let installName: String

    var volumes: [InjectedVolume] { [wrapper, token] + (agent.map { [$0] } ?? []) }
    /// Volumes that the pod does not have yet.
    let missingVolumes: [InjectedVolume]
    /// Where the pod has the install container among its init containers.
    let installIndex: Int?

    init(
        for pod: PodView, settings: WorkloadSettings
    ) throws(Refusal) {
        let policy = settings.policy
        let names = try VolumeNames(pod, policy)
        let wrapper = try names.volume(
            InjectedNames.wrapperVolume, at: InjectedNames.wrapperFolder,
            source: ("emptyDir", .object([("sizeLimit", .text(InjectionLimits.wrapperVolumeSize))]))
        )
        let token = try names.volume(
            InjectedNames.tokenVolume, at: InjectedNames.tokenFolder,
            source: ("projected", Self.tokenSource(settings.vault, policy)))
        var agent: InjectedVolume?
        if let socket = settings.socket {
            agent = try names.volume(
                InjectedNames.agentVolume, at: InjectedNames.agentFolder,
                source: Self.socketSource(socket, settings.agent))
        }
        let (name, index) = try InstallContainer.place(in: pod, volume: wrapper, policy: policy)
        self.wrapper = wrapper
        self.token = token
        self.agent = agent
        installName = name
        installIndex = index
        install = try InstallContainer.json(name: name, volume: wrapper, pod: pod, policy: policy)
        missingVolumes = ([wrapper, token] + (agent.map { [$0] } ?? [])).filter {
            !names.isThere($0.name)
        }
    }

    /// Whether the mount is one that wrapped containers have.
    func isMount(_ mount: ContainerView.Mount) throws(Refusal) -> Bool {
        for volume in volumes where try mount.node.equals(volume.mount) { return true }
        return false
    }

    private static func socketSource(
        _ socket: CloudTaserPolicy.AgentSocket, _ agent: AgentPolicy
    ) -> (String, JSONOutput) {
        switch socket {
        case .hostPath(let folder):
            // A pod that needs the agent waits until its folder is there, and says so.
            let kind = agent == .required ? "Directory" : "DirectoryOrCreate"
            return ("hostPath", .object([("path", .text(folder)), ("type", .text(kind))]))
        case .csi(let driver):
            return ("csi", .object([("driver", .text(driver)), ("readOnly", .flag(true))]))
        }
    }

    private static func tokenSource(
        _ vault: CloudTaserPolicy.Vault, _ policy: CloudTaserPolicy
    ) -> JSONOutput {
        var sources: [JSONOutput] = [
            .object([
                (
                    "serviceAccountToken",
                    .object([
                        ("audience", .text(vault.audience)),
                        ("expirationSeconds", .number(policy.tokenSeconds)),
                        ("path", .text("token")),
                    ])
                )
            ])
        ]
        if let anchors = vault.trustAnchors {
            let item: JSONOutput = .object([
                ("key", .text(anchors.key)), ("path", .text("ca.crt")),
            ])
            sources.append(
                .object([
                    (
                        "configMap",
                        .object([("name", .text(anchors.name)), ("items", .list([item]))])
                    )
                ]))
        }
        return .object([("sources", .list(sources))])
    }
}

/// Finds a volume's name: that of a volume which is exactly ours and which nobody mounts in another
/// way, or one that is free.
private struct VolumeNames {
    private let pod: PodView
    private let policy: CloudTaserPolicy
    private let volumes: [String: JSONNode]
    private let mounts: [String: [(container: ContainerView, mount: ContainerView.Mount)]]

    /// What the API server fills in.
    private static let extras: Set<String> = ["defaultMode"]

    init(_ pod: PodView, _ policy: CloudTaserPolicy) throws(Refusal) {
        var volumes: [String: JSONNode] = [:]
        for node in pod.volumes {
            let name = try node.object().text("name") ?? ""
            guard volumes.updateValue(node, forKey: name) == nil else {
                throw Refusal(node.path["name"], "is there twice", fix: "use another name")
            }
        }
        var mounts: [String: [(ContainerView, ContainerView.Mount)]] = [:]
        for container in pod.containers + pod.ephemeralContainers {
            for mount in container.mounts {
                mounts[mount.volume, default: []].append((container, mount))
            }
        }
        self.pod = pod
        self.policy = policy
        self.volumes = volumes
        self.mounts = mounts
    }

    func isThere(_ name: String) -> Bool { volumes[name] != nil }

    func volume(
        _ name: String, at path: String, source: (String, JSONOutput)
    ) throws(Refusal) -> InjectedVolume {
        for candidate in CandidateNames(name) {
            let volume = InjectedVolume(name: candidate, mountPath: path, source: source)
            let used = mounts[candidate] ?? []
            guard let node = volumes[candidate] else {
                // Somebody who mounts what is not there yet waits for ours.
                if used.isEmpty { return volume }
                continue
            }
            guard try node.equals(volume.json, extras: Self.extras) else { continue }
            if try areOurs(used, of: volume) { return volume }
        }
        throw Refusal(
            FieldPath.spec["volumes"], "leaves no name like \(name) free", fix: "rename volumes")
    }

    private func areOurs(
        _ used: [(container: ContainerView, mount: ContainerView.Mount)],
        of volume: InjectedVolume
    ) throws(Refusal) -> Bool {
        for (container, mount) in used where try !mount.node.equals(volume.mount) {
            guard
                try InstallContainer.isMount(
                    mount, of: container, volume: volume, pod: pod, policy: policy)
            else { return false }
        }
        return true
    }
}

/// `name`, `name-2`, `name-3` …
struct CandidateNames: Sequence {
    private let name: String

    init(_ name: String) { self.name = name }

    func makeIterator() -> AnyIterator<String> {
        let name = name
        var number = 0
        return AnyIterator {
            number += 1
            guard number <= InjectionLimits.nameCountMax else { return nil }
            return number == 1 ? name : "\(name)-\(number)"
        }
    }
}
