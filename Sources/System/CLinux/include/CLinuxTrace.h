// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>

/// ptrace(2) as the kernel has it: for PEEK requests `data` is the address of the result.
/// Returns what the call returned, or -errno.
long clinux_ptrace(int request, pid_t task, uintptr_t address, uintptr_t data);

/// process_vm_readv(2). Returns bytes read (short at the first bad page) or -errno.
long clinux_process_read(
    pid_t task, const struct iovec *local, size_t local_count, const struct iovec *remote,
    size_t remote_count);

/// process_vm_writev(2). Returns bytes written or -errno.
long clinux_process_write(
    pid_t task, const struct iovec *local, size_t local_count, const struct iovec *remote,
    size_t remote_count);

/// One notification of seccomp_unotify(2).
struct clinux_notification {
    uint64_t id;
    /// The calling thread, in the reader's PID namespace.
    pid_t task;
    /// System call number, AUDIT_ARCH_* value and arguments.
    int number;
    uint32_t architecture;
    uint64_t arguments[6];
};

/// SECCOMP_IOCTL_NOTIF_RECV. Returns 0 or -errno (-ENOENT: the caller is gone).
int clinux_notification_receive(int listener, struct clinux_notification *notification);

/// SECCOMP_IOCTL_NOTIF_SEND with an error number to return (negative), or, for 0,
/// SECCOMP_USER_NOTIF_FLAG_CONTINUE. Returns 0 or -errno.
int clinux_notification_answer(int listener, uint64_t id, int error);

/// SECCOMP_IOCTL_NOTIF_ID_VALID. Returns 0 while the caller still waits, or -errno.
int clinux_notification_valid(int listener, uint64_t id);

/// SECCOMP_IOCTL_NOTIF_ADDFD with SECCOMP_ADDFD_FLAG_SEND: `descriptor` becomes a close-on-exec
/// descriptor of the caller and the return value of its call. Returns its number or -errno.
int clinux_notification_send_descriptor(int listener, uint64_t id, int descriptor);

/// seccomp(SECCOMP_SET_MODE_FILTER, flags, NULL), which installs nothing. Returns -errno:
/// -EFAULT when every flag is known, -EINVAL when one is not.
int clinux_seccomp_probe(unsigned flags);

/// pidfd_open(2). Returns a descriptor or -errno.
int clinux_pidfd_open(pid_t process);

/// tgkill(2). Returns 0 or -errno.
int clinux_tgkill(pid_t process, pid_t task, int signal_number);

/// getauxval(3) of AT_SYSINFO_EHDR: the address of this process's vDSO, 0 when there is none.
uintptr_t clinux_vdso(void);
