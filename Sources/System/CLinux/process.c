// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinuxProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

char **clinux_environment(void) { return environ; }

int clinux_prctl(
    int operation, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    int result = prctl(operation, a, b, c, d);
    return result < 0 ? -errno : result;
}

int clinux_signal_descriptor(const sigset_t *signals) {
    int descriptor = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return descriptor < 0 ? -errno : descriptor;
}

int clinux_signal_read(int descriptor, int *code) {
    struct signalfd_siginfo information;
    ssize_t got = read(descriptor, &information, sizeof information);
    if (got < 0) return errno == EAGAIN ? 0 : -errno;
    *code = information.ssi_code;
    return (int)information.ssi_signo;
}

int clinux_take_child_signal(void) {
    struct sigaction before, standard = {.sa_handler = SIG_DFL};
    if (sigaction(SIGCHLD, &standard, &before) < 0) return 0;
    return before.sa_handler == SIG_IGN ? 1 : 0;
}

int clinux_event_descriptor(void) {
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return descriptor < 0 ? -errno : descriptor;
}

int clinux_poll_set(void) {
    int set = epoll_create1(EPOLL_CLOEXEC);
    return set < 0 ? -errno : set;
}

int clinux_poll_set_add(int set, int descriptor) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = descriptor}};
    return epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}

int clinux_poll_set_remove(int set, int descriptor) {
    struct epoll_event event = {.events = 0};
    return epoll_ctl(set, EPOLL_CTL_DEL, descriptor, &event) < 0 ? -errno : 0;
}

int clinux_socket_pair(int pair[2]) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
}

int clinux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0; }

int clinux_child_receive(
    int channel, struct clinux_child_message *message, int *descriptor) {
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control;
    struct iovec data = {.iov_base = message, .iov_len = sizeof *message};
    struct msghdr header = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    *descriptor = -1;
    ssize_t got = recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
    if (got < 0) return -errno;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    if (rights != NULL && rights->cmsg_type == SCM_RIGHTS)
        memcpy(descriptor, CMSG_DATA(rights), sizeof *descriptor);
    return (int)got;
}

int clinux_child_release(int channel) {
    return send(channel, "g", 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

// Everything below runs in the child between fork and exec: async-signal-safe calls only.

static void report(int channel, int kind, int detail, int error, int descriptor) {
    struct clinux_child_message message = {.kind = kind, .detail = detail, .error = error};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control;
    struct iovec data = {.iov_base = &message, .iov_len = sizeof message};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};
    memset(&control, 0, sizeof control);
    if (descriptor >= 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof control.bytes;
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
    }
    if (sendmsg(channel, &header, MSG_NOSIGNAL) < 0 && kind != CLINUX_CHILD_FAILED)
        _exit(127);
}

static void fail(const struct clinux_child_plan *plan, int step, int error) {
    report(plan->channel, CLINUX_CHILD_FAILED, step, error, -1);
    _exit(127);
}

static void wait_for_release(const struct clinux_child_plan *plan) {
    char byte;
    if (recv(plan->channel, &byte, 1, 0) != 1) _exit(127);
}

static void drop_capabilities(const struct clinux_child_plan *plan) {
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
         capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EPERM)
            fail(plan, CLINUX_STEP_DROP_BOUNDING, errno);
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        fail(plan, CLINUX_STEP_DROP_CAPABILITIES, errno);
}

static void install_filter(const struct clinux_child_plan *plan) {
    struct sock_fprog program = {
        .len = plan->filter_count,
        .filter = (struct sock_filter *)plan->filter,
    };
    long listener =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, plan->filter_flags, &program);
    if (listener < 0) fail(plan, CLINUX_STEP_FILTER, errno);
    if ((plan->filter_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) == 0) return;
    report(plan->channel, CLINUX_CHILD_FILTERED, 0, 0, (int)listener);
    close((int)listener);
    wait_for_release(plan);
}

static void pass_descriptors(const struct clinux_child_plan *plan) {
    for (int stream = 0; plan->streams != NULL && stream < 3; stream++)
        if (dup2(plan->streams[stream], stream) < 0)
            fail(plan, CLINUX_STEP_PASS_DESCRIPTORS, errno);
    for (int index = 0; index < plan->passed_count; index++)
        if (dup2(plan->passed[index], plan->passed_first + index) < 0)
            fail(plan, CLINUX_STEP_PASS_DESCRIPTORS, errno);
}

static void run_child(const struct clinux_child_plan *plan, pid_t parent) {
    // The supervisor's own death; set before the check, so that it cannot slip between.
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    // The supervisor is not dumpable, and fork inherits that: an unprivileged one could not
    // trace its own child. Secret memory is not inherited (MADV_DONTFORK).
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (getppid() != parent) fail(plan, CLINUX_STEP_PARENT_DIED, ESRCH);
    if (plan->own_process_group) setpgid(0, 0);
    if (plan->ignore_child_signal) signal(SIGCHLD, SIG_IGN);
    pass_descriptors(plan);
    if (plan->sets_lock_limit && setrlimit(RLIMIT_MEMLOCK, &plan->lock_limit) < 0)
        fail(plan, CLINUX_STEP_LOCK_LIMIT, errno);
    if (plan->wait_for_tracer) {
        report(plan->channel, CLINUX_CHILD_READY, 0, 0, -1);
        wait_for_release(plan);
    }
    if (plan->drop_capabilities) drop_capabilities(plan);
    if (plan->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        fail(plan, CLINUX_STEP_NO_NEW_PRIVILEGES, errno);
    if (plan->filter != NULL) install_filter(plan);
    sigprocmask(SIG_SETMASK, &plan->signal_mask, NULL);
    execve(plan->path, plan->arguments, plan->environment);
    fail(plan, CLINUX_STEP_EXECUTE, errno);
}

pid_t clinux_start_child(const struct clinux_child_plan *plan) {
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0) return -errno;
    if (child == 0) {
        close(plan->parent_channel);
        run_child(plan, parent);
    }
    return child;
}
