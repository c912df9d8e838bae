// SPDX-License-Identifier: Apache-2.0
internal import WrapperConfiguration

/// Ephemeral containers (`kubectl debug`) get no secrets and are not changed; what could read the
/// wrapped containers' is refused.
enum EphemeralContainers {
    static func decide(
        _ pod: PodView, review: PodReview, policy: CloudTaserPolicy?, warnings: inout [String]
    ) throws(Refusal) -> InjectionDecision {
        // Annotations can be removed from a running pod; what it runs cannot.
        let wrapped = pod.containers.filter { InjectedNames.startsByWrapper($0.command) }
        guard !wrapped.isEmpty else { return .notAskedFor }
        let ours = Set(
            wrapped.flatMap(\.mounts).filter {
                MountPaths.overlap($0.path, InjectedNames.folder)
            }.map(\.volume))
        let flags = try PodChecks.flags(of: pod)
        var refusals: [Refusal] = []
        for container in pod.ephemeralContainers {
            do throws(Refusal) {
                try check(
                    container, ours: ours, flags: flags, policy: policy, warnings: &warnings)
            } catch { refusals.append(error) }
        }
        return refusals.isEmpty ? .unchanged : .refused(refusals)
    }

    private static func check(
        _ container: ContainerView, ours: Set<String>, flags: PodChecks.Flags,
        policy: CloudTaserPolicy?, warnings: inout [String]
    ) throws(Refusal) {
        for mount in container.mounts where ours.contains(mount.volume) {
            throw Refusal(
                mount.node.path, "mounts a volume of the operator", fix: "leave the mount out")
        }
        for entry in container.environment where ControlVariable.isControl(entry.name) {
            throw Refusal(
                entry.node.path["name"], "\(entry.name) steers the wrapper",
                fix: "remove the entry")
        }
        let security = container.path["securityContext"]
        if container.isPrivileged {
            throw Refusal(
                security["privileged"], "would reach the wrapped processes", fix: "leave it out")
        }
        guard container.addedCapabilities.isEmpty else {
            throw Refusal(
                security["capabilities"]["add"], "would reach the wrapped processes",
                fix: "leave it out")
        }
        let target = try container.object.text("targetContainerName") ?? ""
        guard !target.isEmpty || flags.sharesProcesses || flags.sharesHostProcesses else { return }
        let field =
            target.isEmpty ? container.path : container.path["targetContainerName"]
        guard policy?.ephemeralContainers == .warn else {
            throw Refusal(
                field, "would see the wrapped processes",
                fix: "debug a copy of the pod, or set the policy's ephemeralContainers to warn")
        }
        warnings.warn("\(field): the container sees the wrapped processes")
    }
}
