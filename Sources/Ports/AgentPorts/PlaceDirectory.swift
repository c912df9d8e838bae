// SPDX-License-Identifier: Apache-2.0
package import EnforcementEvents
package import Ports

/// Finds out in which container and pod a process of an event runs.
///
/// Contract:
/// - What is not known is left out; an answer of another process's is never given.
/// - No verdict waits for it: it is asked when the agent reads a record. It answers from memory or
///   from files of the kernel, and never asks the network.
package protocol PlaceDirectory: Sendable {
    mutating func place(of process: EnforcementProcess) -> ContainerPlace?

    /// Of a process that is known by its number alone: whoever has that number at this moment. The
    /// caller sees to it that this is still the one that is meant.
    mutating func place(ofGroup process: ProcessID) -> ContainerPlace?
}

/// What a node's kubelet or the cluster's API calls a pod. Nobody answers it yet.
package struct PodNames: Sendable, Equatable {
    package let pod: String
    package let namespace: String
    package let workload: String?

    package init(pod: String, namespace: String, workload: String?) {
        self.pod = pod
        self.namespace = namespace
        self.workload = workload
    }
}

/// Names pods by what their cgroups show.
///
/// Contract: answers from memory; whoever fills it asks elsewhere and at another time.
package protocol PodDirectory: Sendable {
    func names(ofPod uid: PodUID) -> PodNames?
}
