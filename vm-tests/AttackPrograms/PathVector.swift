// SPDX-License-Identifier: Apache-2.0

/// A way to a process through the kernel or the machine, or one that its own behaviour opens.
/// These change the machine that they are tried on, so only test guests play them. The raw value
/// is the id in the catalogue (Fixtures/attack-vectors.json).
package enum PathVector: String, CaseIterable, Sendable {
    /// The process asks to be traced by whoever started it.
    case traceMe = "AV-003"
    /// `/proc/PID/exe`.
    case executableLink = "AV-015"
    /// setns(2) with a pidfd.
    case namespaces = "AV-016"
    /// process_madvise(2), MADV_PAGEOUT.
    case pageOut = "AV-018"
    /// move_pages(2).
    case movePages = "AV-020"
    /// get_robust_list(2).
    case robustList = "AV-021"
    /// Tracing a child that the process has forked.
    case forkedChild = "AV-022"
    /// Tracing a task that shares its memory (CLONE_VM).
    case sharedMemoryTask = "AV-023"
    /// Samples of its stack.
    case samples = "AV-025"
    /// Samples of the stacks of whatever runs.
    case samplesOfAll = "AV-026"
    /// A hardware breakpoint on the secret.
    case breakpoint = "AV-027"
    /// A probe in its program, by perf_event_open(2).
    case userProbe = "AV-028"
    /// A probe in its program, by tracefs.
    case traceUserProbe = "AV-029"
    /// A probe in the kernel, by tracefs.
    case traceKernelProbe = "AV-030"
    /// A BPF program that copies its memory, loaded, attached and run.
    case programReadsUser = "AV-031"
    /// A BPF program that may copy any task's memory, loaded.
    case programCopiesFromTask = "AV-032"
    /// A BPF program that may write user memory, loaded.
    case programWritesUser = "AV-033"
    /// userfaultfd(2), by the process itself.
    case userFault = "AV-035"
    /// SIGQUIT, which ends it with a core.
    case signalForCore = "AV-043"
    /// A wider coredump_filter.
    case coreDumpFilter = "AV-049"
    /// A core piped to a program.
    case coreToPipe = "AV-052"
    /// iopl(2).
    case ioPorts = "AV-061"
    /// `/dev/cpu/0/msr`.
    case machineRegisters = "AV-062"
    /// Writing PCI configuration space.
    case deviceConfiguration = "AV-063"
    /// finit_module(2).
    case moduleLoad = "AV-064"
    /// A socket family that makes the kernel load a module.
    case moduleAutoload = "AV-065"
    /// kexec_load(2).
    case kernelImageLoad = "AV-068"
    /// kexec_file_load(2).
    case kernelImageFileLoad = "AV-069"
    /// `/proc/sysrq-trigger`, opened for writing and not written.
    case systemRequest = "AV-070"
    /// Whether the machine would hibernate.
    case hibernation = "AV-071"
    /// A file of debugfs, opened for writing.
    case debugFiles = "AV-073"
    /// A BPF program that may read kernel memory, loaded.
    case programReadsKernel = "AV-076"
    /// `kernel.ftrace_enabled`, opened for writing.
    case tracingSwitch = "AV-079"
    /// io_uring_setup(2), by the process itself.
    case ring = "AV-104"

    /// The vector that the agent's event names: its hooks see the first step.
    package var reportedID: String {
        switch self {
        case .forkedChild, .sharedMemoryTask: "AV-001"
        case .traceKernelProbe: "AV-029"
        case .programCopiesFromTask, .programWritesUser, .programReadsKernel: "AV-031"
        case .coreToPipe: "AV-054"
        default: rawValue
        }
    }

    /// Whether the simulated kernel has the same attack on the application under `environ`
    /// delivery. It has a filter there that this process has not, and keeps no files or devices.
    package var isSimulated: Bool {
        switch self {
        case .forkedChild, .samples, .samplesOfAll, .breakpoint, .userProbe, .traceUserProbe,
            .traceKernelProbe, .programReadsUser, .programCopiesFromTask, .programWritesUser,
            .signalForCore, .coreDumpFilter, .coreToPipe, .moduleLoad, .kernelImageLoad,
            .kernelImageFileLoad:
            true
        default: false
        }
    }

    /// Whether it is aimed at the machine: no event names a target.
    package var isOnMachine: Bool {
        switch self {
        case .samplesOfAll, .traceUserProbe, .traceKernelProbe, .programReadsUser,
            .programCopiesFromTask, .programWritesUser, .coreToPipe, .ioPorts, .machineRegisters,
            .deviceConfiguration, .moduleLoad, .moduleAutoload, .kernelImageLoad,
            .kernelImageFileLoad, .systemRequest, .hibernation, .debugFiles, .programReadsKernel,
            .tracingSwitch:
            true
        default: false
        }
    }
}
