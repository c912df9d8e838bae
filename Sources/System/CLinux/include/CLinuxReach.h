// SPDX-License-Identifier: Apache-2.0
// System calls by which an administrator reaches into a process through the kernel, for the VM
// tests. Each returns what the call returned, or -errno.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// setns(2) to the UTS namespace of the process behind `pidfd`. 0 or -errno.
int clinux_join_namespace(int pidfd);

/// get_robust_list(2) of another process. 0 or -errno.
int clinux_robust_list(pid_t pid);

/// What a counter of perf_event_open(2) shows.
enum {
    /// User registers and 4 KiB of user stack, by a software clock.
    CLINUX_COUNTER_STACK = 0,
    /// User registers at each access to 8 bytes at an address.
    CLINUX_COUNTER_BREAKPOINT = 1,
    /// User registers whenever an instruction of a file is reached.
    CLINUX_COUNTER_PROBE = 2,
};

struct clinux_counter {
    int kind;
    /// The process, or -1 for whatever runs on processor 0.
    pid_t pid;
    /// Of a breakpoint.
    uint64_t address;
    /// Of a probe: its type (/sys/bus/event_source/devices/uprobe/type), file and place in it.
    uint32_t type;
    const char *path;
    uint64_t offset;
};

/// Opens the counter, lets it run for `milliseconds` and copies up to `count` bytes of its
/// records. Bytes copied or -errno.
int64_t clinux_count(
    const struct clinux_counter *counter, int milliseconds, void *destination, size_t count);

/// Loads and attaches a BPF program on the tracepoint of every system call that, when `pid` makes
/// one, copies `count` bytes (at most 64) from its memory; waits `milliseconds`. Bytes that the
/// program took (0: it did not run) or -errno.
int64_t clinux_program_reads_user(
    pid_t pid, uint64_t address, int milliseconds, void *destination, size_t count);

/// A program of clinux_place_socket_reader, while it is attached.
struct clinux_socket_reader {
    int cell;
    int program;
    int cgroup;
    size_t count;
};

/// Loads a BPF program of a type that looks at no other program, and attaches it to the cgroup
/// behind the descriptor: when `pid` makes an Internet socket, it copies `count` bytes (at most 64)
/// from its memory. 0 or -errno.
int clinux_place_socket_reader(
    struct clinux_socket_reader *reader, int cgroup, pid_t pid, uint64_t address, size_t count);

/// Gives what it copied (zeros: it did not run), and takes the program away. Bytes or -errno.
int64_t clinux_remove_socket_reader(
    const struct clinux_socket_reader *reader, void *destination);

/// Loads a BPF program that calls one helper, and closes it. 0 or -errno of the load.
enum {
    CLINUX_HELPER_COPY_FROM_USER_TASK = 0,
    CLINUX_HELPER_PROBE_WRITE_USER = 1,
    CLINUX_HELPER_PROBE_READ_KERNEL = 2,
};
int clinux_load_program_with(int helper);

/// kexec_file_load(2) of a file that is no kernel. -errno; the hook is asked before it is parsed.
int clinux_probe_kexec_file(void);

/// kexec_file_load(2) of the kernel that runs after a panic; needs `crashkernel=` on the running
/// kernel's command line. 0 or -errno.
int clinux_load_crash_kernel(int kernel, int initramfs, const char *command_line);

/// iopl(2) to level 3 and back. 0 or -errno.
int clinux_raise_io_level(void);

/// socket(2) of a family that only a module has: the kernel asks for it. 0 or -errno.
int clinux_ask_for_family(int family);

/// A child in a thread group of its own that shares this process's memory (CLONE_VM) and waits for
/// its end. Its pid or -errno.
pid_t clinux_clone_sharing_memory(void);

/// fork(2) into a child that has the same table of descriptors, not a copy (CLONE_FILES). For a
/// process with one thread. 0 in the child; its pid or -errno.
pid_t clinux_fork_sharing_descriptors(void);

/// Copies `count` bytes to the stack and makes a system call, again and again, for ever.
_Noreturn void clinux_use_for_ever(const void *secret, size_t count);
