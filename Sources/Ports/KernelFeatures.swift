// SPDX-License-Identifier: Apache-2.0

/// What a kernel was built and booted with, as far as verdicts depend on it. Each is found by
/// asking the running kernel (vm-tests/guest-init/KernelProfile.swift), never by its version.
package struct KernelFeatures: Sendable, Equatable {
    /// memfd_secret(2) is built in and switched on.
    package var memfdSecret = true
    /// The active LSM list (/sys/kernel/security/lsm) has `bpf`. Without it an LSM program
    /// loads and attaches without an error, and never runs.
    package var bpfLSM = true
    /// /sys/kernel/btf/vmlinux exists: programs can attach to functions (fentry, fmod_ret).
    package var btf = true
    /// /proc/kcore can be opened by root.
    package var kernelCore = true
    /// /dev/mem gives RAM to root. CONFIG_STRICT_DEVMEM refuses it.
    package var physicalMemory = false
    /// pidfd_getfd(2).
    package var pidfdGetfd = true
    /// process_madvise(2).
    package var processMadvise = true
    /// kcmp(2).
    package var kcmp = true
    /// userfaultfd(2).
    package var userfaultfd = true
    /// io_uring_setup(2).
    package var ioUring = true
    /// A write through `/proc/PID/mem` changes read-only pages too, for whoever may open it; off,
    /// only for the tracer (CONFIG_PROC_MEM_FORCE_PTRACE).
    package var forcedMemoryWrites = true
    /// LSM hook inode_init_security_anon (user fault descriptors and rings).
    package var anonymousInodeHook = true
    /// The BPF helper bpf_loop: without it content is not scanned.
    package var bpfLoop = true
    /// The BPF helper bpf_copy_from_user_task.
    package var copyFromUserTask = true
    /// sendfile(2) and splice(2) to a socket pass through sendmsg, where content is scanned.
    package var spliceCallsSendmsg = true
    /// kexec_load(2).
    package var kexecLoad = true
    /// kexec_file_load(2).
    package var kexecFileLoad = true
    /// mm_access in read mode asks nobody when the caller holds CAP_PERFMON: environment, maps
    /// and process_madvise pass the ptrace check by. Found on 7.2, not on 6.12.
    package var perfmonReads = false
    /// Modules can be loaded.
    package var modules = true
    /// Hibernation is compiled in (/sys/power/disk exists).
    package var hibernation = true
    /// init_on_free=1: freed pages hold nothing.
    package var zeroesFreedPages = false
    /// kernel.yama.ptrace_scope, 0 to 3.
    package var yamaPtraceScope = 0
    /// /sys/kernel/security/lockdown stands at integrity or confidentiality.
    package var isLockedDown = false

    package init() {}
}
