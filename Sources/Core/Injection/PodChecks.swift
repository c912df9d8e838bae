// SPDX-License-Identifier: Apache-2.0
internal import WrapperConfiguration

/// What about a pod as a whole keeps it from being protected, or weakens that.
enum PodChecks {
    struct Flags {
        var sharesHostProcesses = false
        var sharesProcesses = false
    }

    static func flags(of pod: PodView) throws(Refusal) -> Flags {
        Flags(
            sharesHostProcesses: try pod.spec.flag("hostPID") ?? false,
            sharesProcesses: try pod.spec.flag("shareProcessNamespace") ?? false)
    }

    /// Pods in which nothing can be wrapped.
    static func checkKind(_ pod: PodView) throws(Refusal) {
        if pod.annotations["kubernetes.io/config.mirror"] != nil {
            throw Refusal(
                FieldPath.podAnnotations["kubernetes.io/config.mirror"],
                "marks a static pod, which its kubelet started without asking",
                fix: "run the workload by a Deployment or DaemonSet")
        }
        if try pod.spec.object("os").text("name") == "windows" {
            throw Refusal(
                pod.spec.path["os"]["name"], "is windows; the wrapper needs Linux",
                fix: "remove \(PodAnnotation.inject.rawValue)")
        }
    }

    /// The pod must not say itself where the vault's name leads to.
    static func checkHostAliases(
        _ pod: PodView, vault: CloudTaserPolicy.Vault
    ) throws(Refusal) {
        guard try pod.spec.text("dnsPolicy") != "None" else {
            throw Refusal(
                pod.spec.path["dnsPolicy"],
                "is None: the pod would say itself whom to ask for the"
                    + " vault's address", fix: "leave DNS to the cluster or the node")
        }
        for alias in try pod.spec.elements(
            "hostAliases", max: InjectionLimits.hostNameCountMax)
        {
            let names = try alias.object().elements(
                "hostnames", max: InjectionLimits.hostNameCountMax)
            for name in names {
                var host = try name.text().lowercased()
                if host.hasSuffix(".") { host.removeLast() }
                guard host != vault.origin.host else {
                    throw Refusal(
                        name.path, "is the vault's host", fix: "leave its address to DNS")
                }
            }
        }
    }

    static func warn(of pod: PodView, _ warnings: inout [String], flags: Flags) {
        if flags.sharesHostProcesses {
            warnings.warn(
                "spec.hostPID: the pod's processes see those of the node, and the other way round")
        }
        if flags.sharesProcesses {
            warnings.warn(
                "spec.shareProcessNamespace: every container of the pod sees the wrapped processes")
        }
        let reading: Set<String> = ["ALL", "SYS_ADMIN", "SYS_PTRACE", "BPF", "SYS_MODULE"]
        for container in pod.containers {
            let security = container.path["securityContext"]
            if container.isPrivileged {
                warnings.warn(
                    "\(security["privileged"]): the container can reach every process of the node")
            }
            let added = container.addedCapabilities.filter { name in
                reading.contains(name.hasPrefix("CAP_") ? String(name.dropFirst(4)) : name)
            }
            if !added.isEmpty {
                warnings.warn(
                    "\(security["capabilities"]): \(added.joined(separator: ", ")) can read other"
                        + " processes")
            }
        }
    }
}
