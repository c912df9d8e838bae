// SPDX-License-Identifier: Apache-2.0

/// What can be said of a pod without a policy.
package enum StoredPod {
    /// Whether its namespace alone says whether it asks.
    package static func saysNothing(_ pod: [UInt8]) -> Bool {
        (try? PodHead(pod))?.saysNothing ?? false
    }

    /// Names of a pod's containers, by how they start.
    package struct Containers: Sendable, Equatable {
        /// By the wrapper.
        package let wrapped: [String]
        /// Without it, although the pod asks.
        package let bare: [String]
    }

    /// nil: it neither asks nor has a container that starts by the wrapper.
    ///
    /// - Parameter pod: as it is stored, in JSON.
    package static func containers(
        of pod: [UInt8], in namespace: NamespaceFacts
    ) -> Containers? {
        let head = try? PodHead(pod)
        let all = head.flatMap { try? PodView($0) }?.containers ?? []
        let wrapped = all.filter { InjectedNames.startsByWrapper($0.command) }
        let containers = Containers(
            wrapped: wrapped.map(\.name), bare: bareContainers(of: pod, in: namespace))
        return containers.wrapped.isEmpty && containers.bare.isEmpty ? nil : containers
    }

    /// Stands for all containers of a pod that asks and is none that the operator reads: it was
    /// changed after the operator saw it, or the operator never did.
    package static let unreadContainers =
        "all of them, as far as is known (the pod is not readable)"

    /// Names of containers that would start without the wrapper although the pod asks; empty: all
    /// is well. A pod that is wrong about whether it asks counts as one that asks, and so does one
    /// whose metadata cannot be read.
    ///
    /// - Parameter pod: as it is stored, in JSON.
    /// - Returns: `unreadContainers` alone for a pod that asks and of which no more can be read.
    package static func bareContainers(
        of pod: [UInt8], in namespace: NamespaceFacts
    ) -> [String] {
        var ignored: [String] = []
        guard let head = try? PodHead(pod) else { return [unreadContainers] }
        let asks = try? OptIn.isAsked(head, in: namespace, selector: .either, warnings: &ignored)
        guard asks ?? true else { return [] }
        guard let pod = try? PodView(head) else { return [unreadContainers] }
        let programs = pod.containers.filter { !$0.installsWrapper }
        let bare = programs.filter { !InjectedNames.startsByWrapper($0.command) }
        // Without a value anywhere the operator would have refused it: then it counts as a whole.
        guard bare.count < programs.count else { return bare.map(\.name) }
        let isForAll = pod.annotations[PodAnnotation.secretPaths.rawValue] != nil
        return bare.filter { isForAll || $0.hasReference }.map(\.name)
    }
}

extension ContainerView {
    fileprivate var installsWrapper: Bool {
        kind == .initialization && InjectedNames.copiesWrapper(command)
    }

    fileprivate var hasReference: Bool {
        environment.contains { entry in
            guard let value = entry.value else { return false }
            do throws(VaultReference.Failure) {
                return try VaultReference(value) != nil
            } catch { return true }
        }
    }
}
