// SPDX-License-Identifier: Apache-2.0

/// What happened, by the agent's event types. The vector is a field of the agent's event and not
/// known to the kernel.
package enum KernelEventType: String, Sendable, CaseIterable {
    /// Somebody traces or tries to trace a process.
    case ptraceAttach = "PTRACE_ATTACH"
    /// Somebody reads or tries to read another process's memory.
    case processMemoryRead = "PROCMEM_READ"
    /// Somebody opens another process's environment.
    case environmentRead = "ENVIRON_READ"
    /// A module or another kernel image is loaded.
    case moduleLoad = "MODULE_LOAD"
    /// A BPF program, probe or counter that can read memory is loaded.
    case programLoad = "BPF_LOAD"
    /// A process sends out a secret that was delivered to it.
    case secretLeak = "SECRET_LEAK"
}

/// One report of a loaded program. A call that several programs answer is reported once.
package struct KernelEvent: Sendable, Equatable {
    /// Counts reports from 0, lost ones too: a gap is a loss.
    package let sequence: UInt64
    package let type: KernelEventType
    /// The hook that saw it (`ptrace_access_check`, `file_open`, …).
    package let hook: String
    package let caller: ProcessID
    /// The process it was aimed at, nil for the machine as a whole.
    package let target: ProcessID?
    package var isDenied: Bool

    package init(
        sequence: UInt64, type: KernelEventType, hook: String, caller: ProcessID,
        target: ProcessID?, isDenied: Bool
    ) {
        self.sequence = sequence
        self.type = type
        self.hook = hook
        self.caller = caller
        self.target = target
        self.isDenied = isDenied
    }
}

/// What loaded programs reported since somebody last asked.
package struct KernelEventBatch: Sendable, Equatable {
    /// In the order they happened.
    package let events: [KernelEvent]
    /// Reports that found no room.
    package let lostCount: Int

    package init(events: [KernelEvent], lostCount: Int) {
        self.events = events
        self.lostCount = lostCount
    }
}
