// SPDX-License-Identifier: Apache-2.0
import CSeccomp
import Glibc
package import Ports

/// What this process gives up for good once the program is started.
package enum OwnPrivileges {
    /// Calls that a waiting wrapper has no use for, and whoever takes it over would have. The
    /// tracer's own calls (ptrace, process_vm_*) and the network stay.
    package static let deniedCalls = [
        "execve", "execveat", "bpf", "perf_event_open", "userfaultfd", "kcmp", "io_uring_setup",
        "io_uring_enter", "io_uring_register", "init_module", "finit_module", "delete_module",
        "kexec_load", "kexec_file_load", "mount", "umount2", "pivot_root", "swapon",
        "open_by_handle_at", "keyctl", "add_key", "request_key", "vmsplice", "pidfd_getfd",
    ]

    /// Empties the bounding and ambient capability sets of the calling thread and installs a filter
    /// that answers EPERM to `deniedCalls`. Comes after the program's start, which would inherit
    /// both.
    ///
    /// - Parameter inEveryThread: the filter binds every thread of the process
    ///   (SECCOMP_FILTER_FLAG_TSYNC); else the calling one, which talks with the network, and the
    ///   trees' thread can still start a program.
    package static func giveUp(inEveryThread: Bool) throws(ProcessHostFailure) {
        OwnCapabilities.dropBoundingAndAmbient()
        try SystemCallFilter.install(denying: deniedCalls, inEveryThread: inEveryThread)
    }
}
