// SPDX-License-Identifier: Apache-2.0

/// Where a process runs, by the paths of its cgroups: the names that container run-times and the
/// kubelet give them, with either of their cgroup drivers, in version 1 and 2.
package struct ContainerPlace: Sendable, Hashable {
    /// 64 hexadecimal digits.
    package let container: String?
    /// The run-time, where the name tells it.
    package let runtime: Runtime?
    package let podUID: PodUID?
    /// Whether the path of cgroup 2 tells it: then the cgroup's number stands for the place.
    package let isUnified: Bool

    package enum Runtime: String, Sendable, CaseIterable {
        case containerd, docker, podman
        case crio = "cri-o"
    }

    /// Longest `/proc/PID/cgroup` that is read (bytes): 4096 for each path of some hierarchies.
    package static let textBytesMax = 64 << 10

    /// Reads `/proc/PID/cgroup` (cgroups(7)); nil: no path is one of a container or pod.
    package init?(cgroups text: String) {
        let lines = text.split(separator: "\n").compactMap {
            line -> (isUnified: Bool, Substring)? in
            let parts = line.split(
                separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, parts[2].hasPrefix("/") else { return nil }
            return (parts[0] == "0", parts[2])
        }
        let places = lines.sorted { $0.isUnified && !$1.isUnified }.compactMap {
            Self(path: $0.1, isUnified: $0.isUnified)
        }
        // One hierarchy may know the pod only.
        guard let place = places.first(where: { $0.container != nil }) ?? places.first else {
            return nil
        }
        self = place
    }

    private init?(path: Substring, isUnified: Bool) {
        let parts = path.split(separator: "/")
        // The innermost counts: a node may be a container itself.
        let found = parts.indices.reversed().lazy.compactMap { index in
            Self.container(parts[index], below: index > 0 ? parts[index - 1] : "")
        }.first
        let pod = parts.reversed().lazy.compactMap(Self.pod).first
        guard found != nil || pod != nil else { return nil }
        container = found?.id
        runtime = found?.runtime
        podUID = pod
        self.isUnified = isUnified
    }

    /// `cri-containerd-ID.scope`, `docker-ID.scope`, `crio-ID.scope`, `libpod-ID.scope`,
    /// `kubepods-….slice:cri-containerd:ID`, or the identifier alone.
    private static func container(
        _ part: Substring, below: Substring
    ) -> (id: String, runtime: Runtime?)? {
        let name = part.hasSuffix(".scope") ? part.dropLast(".scope".count) : part
        let id = name.suffix(idDigits)
        guard id.utf8.count == idDigits, id.utf8.allSatisfy(Hexadecimal.isDigit) else {
            return nil
        }
        let before = name.dropLast(idDigits)
        guard let mark = before.last else { return (String(id), runtimes[below]) }
        guard mark == "-" || mark == ":" else { return nil }
        let prefix = before.dropLast().split(separator: ":").last ?? ""
        // The monitor of a container stands beside it.
        guard !prefix.hasSuffix("conmon") else { return nil }
        return (String(id), runtimes[prefix])
    }

    private static let idDigits = 64

    private static let runtimes: [Substring: Runtime] = [
        "cri-containerd": .containerd, "nerdctl": .containerd, "docker": .docker, "crio": .crio,
        "libpod": .podman, "libpod_parent": .podman,
    ]

    /// `kubepods-burstable-podUID.slice`, where `_` stands for `-`, or `podUID`.
    private static func pod(_ part: Substring) -> PodUID? {
        let slice = part.split(separator: ":").first ?? ""
        let name = slice.hasSuffix(".slice") ? slice.dropLast(".slice".count) : slice
        guard
            let start = name.ranges(of: "pod").last(where: { range in
                range.lowerBound == name.startIndex
                    || name[name.index(before: range.lowerBound)] == "-"
            })
        else { return nil }
        return PodUID(String(name[start.upperBound...].map { $0 == "_" ? "-" : $0 }))
    }
}

/// A pod's identifier: a UUID or, for a static pod, 32 hexadecimal digits.
package struct PodUID: Sendable, Hashable {
    package static let pattern = "^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$"
    package static let charactersMax = 36
    private static let staticDigits = 32

    package let text: String
    package var isUUID: Bool { text.utf8.count == Self.charactersMax }

    package init?(_ text: String) {
        let isStatic =
            text.utf8.count == Self.staticDigits && text.utf8.allSatisfy(Hexadecimal.isDigit)
        guard isStatic || BootID(text) != nil else { return nil }
        self.text = text
    }
}
