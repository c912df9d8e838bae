// SPDX-License-Identifier: Apache-2.0
// System calls of the attack programs and of the VM tests. Each returns what the call returned,
// or -errno.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/// process_vm_readv(2) of one remote range into `destination`. Bytes read or -errno.
int64_t clinux_process_vm_readv(pid_t pid, uint64_t address, void *destination, size_t count);

/// pread(2) at an offset that may lie above INT64_MAX (kernel addresses). Bytes read or -errno.
int64_t clinux_read_at(int descriptor, uint64_t offset, void *destination, size_t count);

/// ptrace(PTRACE_ATTACH). 0 or -errno; the target then stops: see clinux_wait_stop.
int clinux_ptrace_attach(pid_t pid);

/// waitpid(2) with __WALL. Returns the raw wait status (>= 0) or -errno.
int clinux_wait_stop(pid_t pid);

/// ptrace(PTRACE_DETACH). 0 or -errno.
int clinux_ptrace_detach(pid_t pid);

/// ptrace(PTRACE_PEEKDATA) of one 8-byte word. 0 or -errno.
int clinux_ptrace_peek(pid_t pid, uint64_t address, uint64_t *word);

/// ptrace(PTRACE_POKEDATA) of one 8-byte word. 0 or -errno.
int clinux_ptrace_poke(pid_t pid, uint64_t address, uint64_t word);

/// Registers of a stopped task, as far as system-call injection needs them (x86-64).
struct clinux_registers {
    uint64_t words[27];  ///< struct user_regs_struct, kept whole so that it can be put back.
};

/// PTRACE_GETREGS. 0 or -errno; -ENOSYS on another architecture than x86-64.
int clinux_get_registers(pid_t pid, struct clinux_registers *registers);

/// PTRACE_SETREGS. 0 or -errno.
int clinux_set_registers(pid_t pid, const struct clinux_registers *registers);

/// The stack pointer and the instruction pointer held in `registers`.
uint64_t clinux_stack_pointer(const struct clinux_registers *registers);
uint64_t clinux_instruction_pointer(const struct clinux_registers *registers);

/// A copy of `registers` set up to run system call `number` at `instruction`.
struct clinux_registers clinux_system_call_registers(
    const struct clinux_registers *registers, uint64_t instruction, uint64_t number,
    uint64_t first, uint64_t second, uint64_t third);

/// What the system call left in the result register (negative: -errno of the target).
int64_t clinux_system_call_result(const struct clinux_registers *registers);

/// PTRACE_CONT with no signal: the target runs on, still traced. 0 or -errno.
int clinux_ptrace_continue(pid_t pid);
/// PTRACE_SINGLESTEP with no signal. 0 or -errno.
int clinux_ptrace_step(pid_t pid);

/// pidfd_getfd(2). Descriptor or -errno.
int clinux_pidfd_getfd(int pidfd, int descriptor);

/// prlimit(2) of RLIMIT_CORE, soft and hard, to `bytes` (UINT64_MAX: no limit). 0 or -errno.
int clinux_set_core_limit(pid_t pid, uint64_t bytes);

/// memfd_create(2) with close-on-exec. Descriptor or -errno.
int clinux_memfd_create(const char *name);

/// mount(2) without data. 0 or -errno.
int clinux_mount(const char *source, const char *target, const char *type);

/// reboot(2) with LINUX_REBOOT_CMD_POWER_OFF after sync(2). Returns only on failure: -errno.
int clinux_power_off(void);

/// swapon(2) / swapoff(2). 0 or -errno.
int clinux_swapon(const char *path);
int clinux_swapoff(const char *path);

/// madvise(MADV_PAGEOUT). 0 or -errno.
int clinux_page_out(void *address, size_t count);

/// vmsplice(2) of one range into a pipe. Bytes spliced or -errno.
int64_t clinux_vmsplice(int pipe, const void *address, size_t count);

/// Brings the loopback interface up (SIOCSIFFLAGS). 0 or -errno.
int clinux_loopback_up(void);

/// seccomp(SECCOMP_GET_ACTION_AVAIL). 0 or -errno.
int clinux_seccomp_action_available(uint32_t action);

/// Installs an allow-everything filter with a listener on the calling process, for ever.
/// Returns the listener or -errno.
int clinux_seccomp_listener(void);

/// SECCOMP_IOCTL_NOTIF_ADDFD with SECCOMP_ADDFD_FLAG_SEND for a notification that does not exist:
/// -ENOENT where the kernel knows the flag, -EINVAL where it does not.
int clinux_seccomp_addfd_send(int listener);

/// Whether the kernel knows a system call, asked with arguments that it must refuse or that do
/// nothing: 0 or -errno of the answer that means "not here".
int clinux_probe_process_madvise(void);
int clinux_probe_kcmp(void);
int clinux_probe_userfaultfd(void);
int clinux_probe_io_uring(void);
int clinux_probe_kexec_load(void);
int clinux_probe_kexec_file_load(void);
int clinux_probe_modules(void);

/// userfaultfd(2) and io_uring_setup(2) of one entry, kept open. Descriptor or -errno.
int clinux_open_userfaultfd(void);
int clinux_open_io_uring(void);

/// process_vm_writev(2) of one range. Bytes written or -errno.
int64_t clinux_process_vm_writev(pid_t pid, uint64_t address, const void *source, size_t count);

/// pwrite(2) at an offset that may lie above INT64_MAX. Bytes written or -errno.
int64_t clinux_write_at(int descriptor, uint64_t offset, const void *source, size_t count);

/// ptrace(PTRACE_SEIZE) and PTRACE_INTERRUPT. 0 or -errno; the target then stops.
int clinux_ptrace_seize(pid_t pid);

/// kcmp(2) of descriptor 0 of both processes. 0 or above, or -errno.
int clinux_kcmp(pid_t first, pid_t second);

/// process_madvise(2) with MADV_PAGEOUT. Bytes advised or -errno.
int64_t clinux_process_pageout(int pidfd, uint64_t address, size_t count);

/// memmem(3): whether `pattern` occurs in `bytes`. 1 or 0.
int clinux_contains(const void *bytes, size_t count, const void *pattern, size_t pattern_count);

/// Passes a descriptor over a Unix socket (SCM_RIGHTS, unix(7)). 0 or -errno.
int clinux_pass_descriptor(int channel, int descriptor);
/// Takes the descriptor of the next message. The descriptor; -EBADF when there is none, or -errno.
int clinux_receive_descriptor(int channel);

/// splice(2), tee(2), sendfile(2) of `count` bytes. Bytes moved or -errno.
int64_t clinux_splice(int from, int to, size_t count);
int64_t clinux_tee(int from, int to, size_t count);
int64_t clinux_sendfile(int to, int from, size_t count);

/// Sends up to 256 bytes through a private System V message queue and back. Bytes or -errno.
int64_t clinux_message_round(const void *source, size_t count, void *destination);

/// sendmmsg(2) of `messages` messages (at most 8), each the same bytes. Messages sent or -errno.
int clinux_send_messages(int socket, const void *bytes, size_t count, unsigned messages);

/// sendmmsg(2) of two messages of `count` bytes. Messages sent or -errno.
int clinux_send_two(int socket, const void *first, const void *second, size_t count);

/// pwritev2(2) at offset 0. Bytes or -errno.
int64_t clinux_pwritev2(int descriptor, const struct iovec *pieces, int count);

/// A child calls getpid(2) by the 32-bit entry (int 0x80). 0 when it lived, -ENOSYS when the
/// kernel killed it, or -errno.
int clinux_compatibility_call(void);

/// PTRACE_ATTACH by the 32-bit entry point. 0 or -errno; -ENOSYS on other processors than x86-64.
int clinux_compatibility_ptrace_attach(pid_t pid);

/// What bpf(2) numbers: maps, programs, links.
enum clinux_bpf_kind { CLINUX_BPF_MAP, CLINUX_BPF_PROGRAM, CLINUX_BPF_LINK };

/// The next number after `id` (BPF_*_GET_NEXT_ID), 0 at the end or where it is refused.
uint32_t clinux_bpf_next(enum clinux_bpf_kind kind, uint32_t id);

/// BPF_*_GET_FD_BY_ID; closes it at once. 0 or -errno.
int clinux_bpf_open(enum clinux_bpf_kind kind, uint32_t id);

/// prlimit(2): RLIMIT_NOFILE of another process, soft and hard, to `count`. 0 or -errno.
int clinux_set_file_limit(pid_t pid, uint64_t count);

/// mount(2) with MS_MOVE or MS_BIND. 0 or -errno.
int clinux_mount_move(const char *source, const char *target);
int clinux_mount_bind(const char *source, const char *target);
