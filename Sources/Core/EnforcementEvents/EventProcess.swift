// SPDX-License-Identifier: Apache-2.0

/// A process as the kernel saw it at the time of the event.
package struct EventProcess: Sendable, Equatable {
    /// The task's number in the host's namespace.
    package var id: Int32
    /// The process that the task belongs to.
    package var groupID: Int32
    /// Nanoseconds since boot: with the process number an identity that is not used again.
    package var startNanoseconds: UInt64
    /// The task's name, as anybody may set it.
    package var name: EventText
    package var executable: Executable
    package var user: UInt32
    /// Effective capabilities, bit n for capability n.
    package var capabilities: UInt64
    package var cgroup: UInt64
    package var place: EventPlace

    /// The file that the process runs.
    package struct Executable: Sendable, Equatable {
        /// `dev_t` as the kernel keeps it.
        package var device: UInt32
        package var inode: UInt64
        /// As resolved when the event was seen; nil: not known.
        package var path: EventText?

        package init(device: UInt32, inode: UInt64, path: EventText? = nil) {
            self.device = device
            self.inode = inode
            self.path = path
        }
    }

    package init(
        id: Int32, groupID: Int32, startNanoseconds: UInt64, name: some Sequence<UInt8>,
        executable: Executable, user: UInt32, capabilities: UInt64, cgroup: UInt64,
        place: EventPlace = EventPlace()
    ) {
        self.id = id
        self.groupID = groupID
        self.startNanoseconds = startNanoseconds
        self.name = EventText(name, bytesMax: EventLimits.nameBytesMax)
        self.executable = executable
        self.user = user
        self.capabilities = capabilities
        self.cgroup = cgroup
        self.place = place
    }
}

/// Where a process runs, as far as it was found out; nil: not known.
package struct EventPlace: Sendable, Equatable {
    package var container: EventText?
    package var runtime: ContainerPlace.Runtime?
    package var podUID: PodUID?
    package var pod: EventText?
    package var namespace: EventText?
    package var workload: EventText?

    package init(
        container: String? = nil, runtime: ContainerPlace.Runtime? = nil,
        podUID: PodUID? = nil,
        pod: String? = nil, namespace: String? = nil,
        workload: String? = nil
    ) {
        func label(_ text: String?) -> EventText? {
            text.map { EventText($0, bytesMax: EventLimits.labelBytesMax) }
        }
        self.container = label(container)
        self.runtime = runtime
        self.podUID = podUID
        self.pod = label(pod)
        self.namespace = label(namespace)
        self.workload = label(workload)
    }
}
