// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinuxAttack.h"

#include <errno.h>
#include <linux/bpf.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/kcmp.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif

#define OR_ERRNO(call) ((call) < 0 ? -errno : 0)

int64_t clinux_process_vm_readv(pid_t pid, uint64_t address, void *destination, size_t count) {
    struct iovec local = {destination, count}, remote = {(void *)(uintptr_t)address, count};
    ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
    return got < 0 ? -errno : got;
}

int64_t clinux_read_at(int descriptor, uint64_t offset, void *destination, size_t count) {
    ssize_t got = pread(descriptor, destination, count, (off_t)offset);
    return got < 0 ? -errno : got;
}

int clinux_ptrace_attach(pid_t pid) { return OR_ERRNO(ptrace(PTRACE_ATTACH, pid, 0, 0)); }

int clinux_wait_stop(pid_t pid) {
    int status = 0;
    return waitpid(pid, &status, __WALL) < 0 ? -errno : status;
}

int clinux_ptrace_detach(pid_t pid) { return OR_ERRNO(ptrace(PTRACE_DETACH, pid, 0, 0)); }

int clinux_ptrace_peek(pid_t pid, uint64_t address, uint64_t *word) {
    // The raw call stores the word; glibc's wrapper returns it and overloads errno.
    return OR_ERRNO(syscall(SYS_ptrace, PTRACE_PEEKDATA, pid, address, word));
}

int clinux_ptrace_poke(pid_t pid, uint64_t address, uint64_t word) {
    return OR_ERRNO(ptrace(PTRACE_POKEDATA, pid, address, word));
}

#if defined(__x86_64__)
_Static_assert(sizeof(struct clinux_registers) == sizeof(struct user_regs_struct), "registers");

static struct user_regs_struct unpacked(const struct clinux_registers *registers) {
    struct user_regs_struct user;
    memcpy(&user, registers, sizeof user);
    return user;
}

int clinux_get_registers(pid_t pid, struct clinux_registers *registers) {
    return OR_ERRNO(ptrace(PTRACE_GETREGS, pid, 0, registers));
}

int clinux_set_registers(pid_t pid, const struct clinux_registers *registers) {
    return OR_ERRNO(ptrace(PTRACE_SETREGS, pid, 0, registers));
}

uint64_t clinux_stack_pointer(const struct clinux_registers *registers) {
    return unpacked(registers).rsp;
}

uint64_t clinux_instruction_pointer(const struct clinux_registers *registers) {
    return unpacked(registers).rip;
}

struct clinux_registers clinux_system_call_registers(
    const struct clinux_registers *registers, uint64_t instruction, uint64_t number,
    uint64_t first, uint64_t second, uint64_t third) {
    struct user_regs_struct user = unpacked(registers);
    struct clinux_registers packed;
    user.rip = instruction;
    user.rax = number;
    // -1: the kernel must not restart the call the task was stopped in on top of ours.
    user.orig_rax = (unsigned long long)-1;
    user.rdi = first;
    user.rsi = second;
    user.rdx = third;
    memcpy(&packed, &user, sizeof packed);
    return packed;
}

int64_t clinux_system_call_result(const struct clinux_registers *registers) {
    return (int64_t)unpacked(registers).rax;
}
#else
int clinux_get_registers(pid_t pid, struct clinux_registers *registers) { return -ENOSYS; }
int clinux_set_registers(pid_t pid, const struct clinux_registers *registers) { return -ENOSYS; }
uint64_t clinux_stack_pointer(const struct clinux_registers *registers) { return 0; }
uint64_t clinux_instruction_pointer(const struct clinux_registers *registers) { return 0; }
struct clinux_registers clinux_system_call_registers(
    const struct clinux_registers *registers, uint64_t instruction, uint64_t number,
    uint64_t first, uint64_t second, uint64_t third) {
    return *registers;
}
int64_t clinux_system_call_result(const struct clinux_registers *registers) { return -ENOSYS; }
#endif

int clinux_ptrace_continue(pid_t pid) {
    return ptrace(PTRACE_CONT, pid, NULL, NULL) < 0 ? -errno : 0;
}

int clinux_ptrace_step(pid_t pid) { return OR_ERRNO(ptrace(PTRACE_SINGLESTEP, pid, 0, 0)); }

int clinux_pidfd_getfd(int pidfd, int descriptor) {
    long copy = syscall(SYS_pidfd_getfd, pidfd, descriptor, 0);
    return copy < 0 ? -errno : (int)copy;
}

int clinux_set_core_limit(pid_t pid, uint64_t bytes) {
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
    return OR_ERRNO(prlimit(pid, RLIMIT_CORE, &limit, NULL));
}

int clinux_memfd_create(const char *name) {
    int descriptor = memfd_create(name, MFD_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

int clinux_mount(const char *source, const char *target, const char *type) {
    return OR_ERRNO(mount(source, target, type, 0, NULL));
}

int clinux_power_off(void) {
    sync();
    return OR_ERRNO(reboot(RB_POWER_OFF));
}

int clinux_swapon(const char *path) { return OR_ERRNO(swapon(path, 0)); }

int clinux_swapoff(const char *path) { return OR_ERRNO(swapoff(path)); }

int clinux_page_out(void *address, size_t count) {
    return OR_ERRNO(madvise(address, count, MADV_PAGEOUT));
}

int64_t clinux_vmsplice(int pipe, const void *address, size_t count) {
    struct iovec local = {(void *)(uintptr_t)address, count};
    ssize_t spliced = vmsplice(pipe, &local, 1, SPLICE_F_NONBLOCK);
    return spliced < 0 ? -errno : spliced;
}

int clinux_loopback_up(void) {
    struct ifreq request = {.ifr_flags = IFF_UP | IFF_RUNNING};
    int socket_descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket_descriptor < 0) return -errno;
    strcpy(request.ifr_name, "lo");
    int result = OR_ERRNO(ioctl(socket_descriptor, SIOCSIFFLAGS, &request));
    close(socket_descriptor);
    return result;
}

int clinux_seccomp_action_available(uint32_t action) {
    return OR_ERRNO(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
}

int clinux_seccomp_listener(void) {
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = 1, .filter = &allow};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -errno;
    long listener = syscall(
        SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    return listener < 0 ? -errno : (int)listener;
}

int clinux_seccomp_addfd_send(int listener) {
    struct seccomp_notif_addfd request = {
        .id = UINT64_MAX, .flags = SECCOMP_ADDFD_FLAG_SEND, .srcfd = (uint32_t)listener};
    return OR_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &request));
}

// ENOSYS means that the call is not there; every other refusal means that it is.
static int present(long result) { return result < 0 && errno == ENOSYS ? -ENOSYS : 0; }

static int opened(long descriptor) {
    if (descriptor < 0) return -errno;
    close((int)descriptor);
    return 0;
}

int clinux_probe_process_madvise(void) {
    return present(syscall(SYS_process_madvise, -1, NULL, 0, MADV_PAGEOUT, 0));
}

int clinux_probe_kcmp(void) {
    return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, 0, 0) < 0 ? -errno : 0;
}

int clinux_probe_userfaultfd(void) { return opened(syscall(SYS_userfaultfd, O_CLOEXEC)); }

int clinux_probe_io_uring(void) {
    struct io_uring_params parameters = {0};
    return opened(syscall(SYS_io_uring_setup, 1, &parameters));
}

int clinux_open_userfaultfd(void) {
    long descriptor = syscall(SYS_userfaultfd, O_CLOEXEC);
    return descriptor < 0 ? -errno : (int)descriptor;
}

int clinux_open_io_uring(void) {
    struct io_uring_params parameters = {0};
    long descriptor = syscall(SYS_io_uring_setup, 1, &parameters);
    return descriptor < 0 ? -errno : (int)descriptor;
}

// No segments: takes away the loaded image, of which there is none.
int clinux_probe_kexec_load(void) {
    return syscall(SYS_kexec_load, 0, 0, NULL, 0) < 0 ? -errno : 0;
}

int clinux_probe_kexec_file_load(void) {
    return present(syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 0));
}

int clinux_probe_modules(void) { return present(syscall(SYS_finit_module, -1, "", 0)); }

int64_t clinux_process_vm_writev(pid_t pid, uint64_t address, const void *source, size_t count) {
    struct iovec local = {(void *)(uintptr_t)source, count};
    struct iovec remote = {(void *)(uintptr_t)address, count};
    ssize_t put = process_vm_writev(pid, &local, 1, &remote, 1, 0);
    return put < 0 ? -errno : put;
}

int64_t clinux_write_at(int descriptor, uint64_t offset, const void *source, size_t count) {
    ssize_t put = pwrite(descriptor, source, count, (off_t)offset);
    return put < 0 ? -errno : put;
}

int clinux_ptrace_seize(pid_t pid) {
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0) return -errno;
    return OR_ERRNO(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
}

int clinux_kcmp(pid_t first, pid_t second) {
    long order = syscall(SYS_kcmp, first, second, KCMP_FILE, 0, 0);
    return order < 0 ? -errno : (int)order;
}

int64_t clinux_process_pageout(int pidfd, uint64_t address, size_t count) {
    struct iovec range = {(void *)(uintptr_t)address, count};
    long advised = syscall(SYS_process_madvise, pidfd, &range, 1, MADV_PAGEOUT, 0);
    return advised < 0 ? -errno : advised;
}

int clinux_contains(const void *bytes, size_t count, const void *pattern, size_t pattern_count) {
    return memmem(bytes, count, pattern, pattern_count) != NULL;
}

int64_t clinux_splice(int from, int to, size_t count) {
    ssize_t moved = splice(from, NULL, to, NULL, count, SPLICE_F_NONBLOCK);
    return moved < 0 ? -errno : moved;
}

int64_t clinux_tee(int from, int to, size_t count) {
    ssize_t moved = tee(from, to, count, SPLICE_F_NONBLOCK);
    return moved < 0 ? -errno : moved;
}

int64_t clinux_sendfile(int to, int from, size_t count) {
    off_t offset = 0;
    ssize_t moved = sendfile(to, from, &offset, count);
    return moved < 0 ? -errno : moved;
}

int clinux_send_messages(int socket, const void *bytes, size_t count, unsigned messages) {
    struct iovec data = {.iov_base = (void *)bytes, .iov_len = count};
    struct mmsghdr headers[8];
    memset(headers, 0, sizeof headers);
    for (unsigned index = 0; index < 8; index++) {
        headers[index].msg_hdr.msg_iov = &data;
        headers[index].msg_hdr.msg_iovlen = 1;
    }
    int sent = sendmmsg(socket, headers, messages < 8 ? messages : 8, 0);
    return sent < 0 ? -errno : sent;
}

int clinux_send_two(int socket, const void *first, const void *second, size_t count) {
    struct iovec data[2] = {{(void *)first, count}, {(void *)second, count}};
    struct mmsghdr headers[2];
    memset(headers, 0, sizeof headers);
    for (int index = 0; index < 2; index++) {
        headers[index].msg_hdr.msg_iov = &data[index];
        headers[index].msg_hdr.msg_iovlen = 1;
    }
    int sent = sendmmsg(socket, headers, 2, 0);
    return sent < 0 ? -errno : sent;
}

int64_t clinux_pwritev2(int descriptor, const struct iovec *pieces, int count) {
    ssize_t put = pwritev2(descriptor, pieces, count, 0, 0);
    return put < 0 ? -errno : put;
}

int clinux_pass_descriptor(int channel, int descriptor) {
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {.header = {
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
    struct iovec data = {.iov_base = "d", .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
    return OR_ERRNO(sendmsg(channel, &message, MSG_NOSIGNAL));
}

int clinux_receive_descriptor(int channel) {
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control;
    char byte;
    int descriptor = -EBADF;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) < 0) return -errno;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    if (rights != NULL && rights->cmsg_type == SCM_RIGHTS)
        memcpy(&descriptor, CMSG_DATA(rights), sizeof descriptor);
    return descriptor;
}

int64_t clinux_message_round(const void *source, size_t count, void *destination) {
    struct {
        long type;
        char text[256];
    } message = {.type = 1};
    if (count > sizeof message.text) return -EINVAL;
    int queue = msgget(IPC_PRIVATE, 0600);
    if (queue < 0) return -errno;
    memcpy(message.text, source, count);
    ssize_t got = msgsnd(queue, &message, count, IPC_NOWAIT);
    if (got == 0) got = msgrcv(queue, &message, sizeof message.text, 0, IPC_NOWAIT);
    int64_t result = got < 0 ? -errno : got;
    if (got > 0) memcpy(destination, message.text, (size_t)got);
    msgctl(queue, IPC_RMID, NULL);
    return result;
}

#if defined(__x86_64__)
int clinux_compatibility_call(void) {
    pid_t child = fork();
    if (child < 0) return -errno;
    if (child == 0) {
        long result = 20;  // getpid(2) of the 32-bit table
        __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
        _exit(result > 0 ? 0 : 1);
    }
    int status = 0;
    if (waitpid(child, &status, 0) < 0) return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOSYS;
}

int clinux_compatibility_ptrace_attach(pid_t pid) {
    long result = 26;  // ptrace(2) of the 32-bit table
    register long fourth __asm__("rsi") = 0;
    __asm__ volatile("int $0x80"
                     : "+a"(result)
                     : "b"(16L), "c"((long)pid), "d"(0L), "r"(fourth)
                     : "memory", "r8", "r9", "r10", "r11");
    return (int)result;
}
#else
int clinux_compatibility_call(void) { return -ENOSYS; }
int clinux_compatibility_ptrace_attach(pid_t pid) {
    (void)pid;
    return -ENOSYS;
}
#endif

static long bpf_call(int command, union bpf_attr *attributes) {
    return syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

uint32_t clinux_bpf_next(enum clinux_bpf_kind kind, uint32_t id) {
    static const int commands[] = {
        BPF_MAP_GET_NEXT_ID, BPF_PROG_GET_NEXT_ID, BPF_LINK_GET_NEXT_ID};
    union bpf_attr attributes = {.start_id = id};
    return bpf_call(commands[kind], &attributes) < 0 ? 0 : attributes.next_id;
}

int clinux_bpf_open(enum clinux_bpf_kind kind, uint32_t id) {
    static const int commands[] = {
        BPF_MAP_GET_FD_BY_ID, BPF_PROG_GET_FD_BY_ID, BPF_LINK_GET_FD_BY_ID};
    union bpf_attr attributes = {.map_id = id};
    long descriptor = bpf_call(commands[kind], &attributes);
    if (descriptor < 0) return -errno;
    close((int)descriptor);
    return 0;
}

int clinux_set_file_limit(pid_t pid, uint64_t count) {
    struct rlimit limit = {count, count};
    return prlimit(pid, RLIMIT_NOFILE, &limit, NULL) < 0 ? -errno : 0;
}

int clinux_mount_move(const char *source, const char *target) {
    return mount(source, target, NULL, MS_MOVE, NULL) < 0 ? -errno : 0;
}

int clinux_mount_bind(const char *source, const char *target) {
    return mount(source, target, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}
