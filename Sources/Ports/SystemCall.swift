// SPDX-License-Identifier: Apache-2.0

/// What one process may ask a kernel for: the calls that attacks are made of, each with what
/// matters for its verdict.
package enum SystemCall: Sendable, Equatable {
    // Tracing (ptrace(2)).

    /// PTRACE_ATTACH or PTRACE_SEIZE.
    case trace(ProcessID, seizing: Bool)
    /// PTRACE_TRACEME: the caller gives itself to a debugger that started it.
    case beTraced(by: ProcessID)
    /// PTRACE_PEEKDATA over a range; the caller is the tracer.
    case peek(ProcessID, Range<UInt64>)
    /// PTRACE_GETREGS; the caller is the tracer.
    case readRegisters(ProcessID)
    /// The tracee is made to write(2) a range of its own memory to a file of the caller.
    case injectWrite(ProcessID, Range<UInt64>)

    // Another process's memory and descriptors.

    /// process_vm_readv(2).
    case readMemory(ProcessID, Range<UInt64>)
    /// process_vm_writev(2).
    case writeMemory(ProcessID, at: UInt64, [UInt8])
    /// process_madvise(2) with MADV_PAGEOUT.
    case pageOut(ProcessID, Range<UInt64>)
    /// kcmp(2) of descriptors.
    case compareDescriptors(ProcessID, ProcessID)
    /// pidfd_getfd(2).
    case takeDescriptor(ProcessID, Int32)
    /// mmap(2) of a descriptor of the caller, and a look at all of it.
    case mapAndRead(Int32)

    // Files.

    case openProcessFile(ProcessFile, of: ProcessID, through: ProcessFilePath, writing: Bool)
    case openKernelFile(KernelFile, writing: Bool)
    /// read(2), or pread(2) at a range of what the file stands for.
    case read(Int32, Range<UInt64>?)
    case write(Int32, at: UInt64, [UInt8])

    // The machine.

    /// bpf(BPF_PROG_LOAD) and attach; afterwards the program runs.
    case loadProgram(BPFCapability, against: ProcessID, Range<UInt64>)
    /// What a program that was loaded before any guard can do by now.
    case useEarlierProgram(BPFCapability, against: ProcessID, Range<UInt64>)
    /// A probe event with fetch arguments, placed and read through tracefs.
    case traceProbe(KernelFile, against: ProcessID, Range<UInt64>)
    /// perf_event_open(2), of one process or (nil) of all.
    case openCounter(CounterKind, of: ProcessID?, seeing: ProcessID)
    /// init_module(2), finit_module(2).
    case loadModule
    /// kexec_load(2) or kexec_file_load(2).
    case loadKernelImage(fromFile: Bool)
    /// Writes `disk` to /sys/power/state and reads the image.
    case hibernate
    /// swapon(2), memory pressure, and a look at the swap device.
    case readSwap
    /// An image of the machine's memory taken by its host: no call of this kernel at all.
    case readHostImage
    /// A look through /proc/kcore at pages that nobody owns any more.
    case readFreedPages

    // Signals, limits, life.

    /// kill(2) with a signal whose default action dumps core; the core goes where core_pattern
    /// says, and the caller reads it there.
    case killForCore(ProcessID)
    /// prlimit(2) of RLIMIT_CORE to infinity.
    case raiseCoreLimit(ProcessID)
    /// fork(2) by the caller.
    case fork
    /// clone(2) with CLONE_VM and a thread group of its own.
    case cloneSharingMemory
    /// execve(2) of another program in a child; the answer is the child.
    case spawnProgram
    case exit

    // From inside.

    /// A load instruction on the caller's own memory.
    case load(Range<UInt64>)
    /// Sends bytes of the caller out of it.
    case send([UInt8], OutwardChannel)
    /// Sends the pages of the caller's own memory, not a copy of their bytes.
    case sendPages(Range<UInt64>, OutwardChannel)
    /// sendmsg(2) with SCM_RIGHTS; the answer is the receiver's descriptor.
    case passDescriptor(Int32, to: ProcessID)
    /// userfaultfd(2) and UFFDIO_REGISTER of a range.
    case registerUserFault(Range<UInt64>)
    /// A call by the 32-bit entry (int 0x80), which 64-bit filters do not know.
    case compatibilityCall
}

/// Files under `/proc/PID`.
package enum ProcessFile: Sendable, Equatable {
    case memory
    case environment
    case commandLine
    /// maps, smaps, auxv, pagemap: addresses, no content.
    case layout
    /// stack, syscall, wchan: what the process is doing.
    case activity
    case coreDumpFilter
    /// fd/N.
    case descriptor(Int32)
    /// map_files/LOW-HIGH.
    case mappedFile(Range<UInt64>)
}

/// The way to a file under `/proc/PID`.
package enum ProcessFilePath: Sendable, CaseIterable {
    case plain
    /// /proc/PID/task/TID/…
    case task
    /// Another mount of proc.
    case secondMount
}

/// Files that stand for the machine.
package enum KernelFile: Sendable, CaseIterable {
    /// /proc/kcore
    case kernelCore
    /// /dev/mem
    case physicalMemory
    /// uprobe_events and kprobe_events of tracefs.
    case uprobeEvents
    case kprobeEvents
    /// /proc/sys/kernel/core_pattern; written with a path, or with a pipe to a program.
    case corePattern
}

/// What a loaded BPF program does.
package enum BPFCapability: Sendable, CaseIterable {
    /// bpf_probe_read_user: runs in the victim's context.
    case readsUserMemory
    /// bpf_copy_from_user_task: pins the victim's pages.
    case copiesFromTask
    /// bpf_probe_write_user.
    case writesUserMemory
    /// bpf_probe_read_kernel over the direct map.
    case readsKernelMemory
}

/// What a perf event is made for.
package enum CounterKind: Sendable, CaseIterable {
    /// PERF_SAMPLE_STACK_USER and PERF_SAMPLE_REGS_USER.
    case stackAndRegisters
    /// A hardware breakpoint on the secret's address, with registers.
    case breakpoint
    /// A user-space probe.
    case probe
}

/// Ways out of a process.
package enum OutwardChannel: String, Sendable, CaseIterable {
    case file, standardOutput, streamSocket, datagram
    case messagesOnStream, messagesToOneAddress
    case zeroCopySocket, encryptedSocket
    case fileToSocket, pipeToSocket
    case pipePages, pipeCopy, pipeToPipe
    case sharedFileMapping, sharedMemory, messageQueue
    case ringWrite, ringSend, ringRegisteredBuffer, ringOther
    case fileName, childArguments, threadName, exitStatus
    case otherProcessMemory
}
