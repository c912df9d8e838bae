// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinuxTrace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Kernel headers older than 5.14 lack it; the kernel answers EINVAL when it does not know it.
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static long result_of(long value) { return value < 0 ? -errno : value; }

long clinux_ptrace(int request, pid_t task, uintptr_t address, uintptr_t data) {
    return result_of(syscall(SYS_ptrace, (long)request, task, address, data));
}

long clinux_process_read(
    pid_t task, const struct iovec *local, size_t local_count, const struct iovec *remote,
    size_t remote_count) {
    return result_of(process_vm_readv(task, local, local_count, remote, remote_count, 0));
}

long clinux_process_write(
    pid_t task, const struct iovec *local, size_t local_count, const struct iovec *remote,
    size_t remote_count) {
    return result_of(process_vm_writev(task, local, local_count, remote, remote_count, 0));
}

int clinux_notification_receive(int listener, struct clinux_notification *notification) {
    struct seccomp_notif received;
    memset(&received, 0, sizeof received);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &received) < 0) return -errno;
    notification->id = received.id;
    notification->task = (pid_t)received.pid;
    notification->number = received.data.nr;
    notification->architecture = received.data.arch;
    memcpy(notification->arguments, received.data.args, sizeof notification->arguments);
    return 0;
}

int clinux_notification_answer(int listener, uint64_t id, int error) {
    struct seccomp_notif_resp answer = {
        .id = id,
        .error = error,
        .flags = error == 0 ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0,
    };
    return (int)result_of(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer));
}

int clinux_notification_valid(int listener, uint64_t id) {
    return (int)result_of(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id));
}

int clinux_notification_send_descriptor(int listener, uint64_t id, int descriptor) {
    struct seccomp_notif_addfd addition = {
        .id = id,
        .flags = SECCOMP_ADDFD_FLAG_SEND,
        .srcfd = (uint32_t)descriptor,
        .newfd_flags = O_CLOEXEC,
    };
    return (int)result_of(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addition));
}

int clinux_seccomp_probe(unsigned flags) {
    return (int)result_of(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL));
}

int clinux_pidfd_open(pid_t process) {
    return (int)result_of(syscall(SYS_pidfd_open, process, 0));
}

int clinux_tgkill(pid_t process, pid_t task, int signal_number) {
    return (int)result_of(syscall(SYS_tgkill, process, task, signal_number));
}

uintptr_t clinux_vdso(void) { return (uintptr_t)getauxval(AT_SYSINFO_EHDR); }
