// SPDX-License-Identifier: Apache-2.0
// Programs that delivery must get along with.
#include "victim.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

static volatile int arrived;
static void count_arrival(int number) { (void)number, arrived++; }
static void *nothing(void *unused) { return unused; }

/// Threads and signals, and no exec: what happens between execs.
int busy(int threads, int signals) {
    struct sigaction action = {.sa_handler = count_arrival, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, nothing, NULL)) return exit_unexpected;
        pthread_join(thread, NULL);
    }
    for (int i = 0; i < signals; i++) kill(getpid(), SIGUSR1);
    return arrived == signals ? report("busy/parent") : exit_unexpected;
}

static void *wait_for_ever(void *unused) {
    for (;;) pause();
    return unused;
}

/// Ends, and leaves a process of several threads behind.
int leave_threads(int threads) {
    int ready[2];
    char byte = 0;
    if (pipe(ready) < 0) return exit_unexpected;
    if (fork() == 0) {
        for (int i = 0; i < threads; i++) {
            pthread_t thread;
            if (pthread_create(&thread, NULL, wait_for_ever, NULL)) _exit(exit_unexpected);
        }
        if (write(ready[1], &byte, 1) != 1) _exit(exit_unexpected);
        wait_for_ever(NULL);
    }
    return read(ready[0], &byte, 1) == 1 ? report("threads/left") : exit_unexpected;
}

/// A forked child overwrites its copy of the first value. Prints what the parent then sees.
int wipe_in_child(void) {
    char difference[300], name[256];
    if (values_differ(difference, sizeof difference)) return report("wipe/before");
    if (sscanf(getenv("SUITE_EXPECT"), "%255[^:]", name) != 1) return exit_unexpected;
    pid_t child = fork();
    if (child == 0) {
        char *value = getenv(name);
        memset(value, 'X', strlen(value));
        _exit(0);
    }
    if (wait_for(child)) return exit_unexpected;
    printf("parent: %s\n", values_differ(difference, sizeof difference) ? "wiped" : "kept");
    return 0;
}

/// A workload with a seccomp listener of its own. Prints how the kernel answered.
int own_listener(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    long listener = syscall(
        SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    printf("listener: %s\n", listener >= 0 ? "granted" : errno == EBUSY ? "busy" : "refused");
    fflush(stdout);
    if (listener >= 0) close((int)listener);
    return run_primitive("posix_spawn");
}

/// Children that all hold their values at the same time (the observer answers when all came).
int crowd(int count) {
    int worst = 0;
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0) {
            execl(victim_path(), "victim", "leaf", "crowd/child", NULL);
            _exit(exit_launch_failed);
        }
        if (child < 0) return exit_launch_failed;
    }
    for (int i = 0; i < count; i++) {
        int status = wait_for(-1);
        if (status) worst = status;
    }
    return worst;
}

/// Enters a network namespace of its own, then executes the rest of the arguments.
int unshare_network(char **arguments) {
    if (unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET)) {
        printf("unshare: %s\n", strerror(errno));
        return exit_host_refuses;
    }
    execv(arguments[0], arguments);
    return exit_launch_failed;
}

static const char *answer(long result) { return result >= 0 ? "granted" : strerrorname_np(errno); }

/// Moves bytes between pipes and a socket by calls that no LSM hook sees the content of.
static void probe_channels(void) {
    int from[2], to[2], socket[2];
    char text[] = "not secret";
    struct iovec bytes = {text, sizeof text};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &bytes, .msg_iovlen = 1}};
    if (pipe(from) || pipe(to) || socketpair(AF_UNIX, SOCK_DGRAM, 0, socket)) return;
    printf("vmsplice=%s\n", answer(vmsplice(from[1], &bytes, 1, 0)));
    if (write(from[1], text, sizeof text) < 0) return;
    printf("tee=%s\n", answer(tee(from[0], to[1], sizeof text, 0)));
    printf("splice=%s\n", answer(splice(from[0], NULL, to[1], NULL, sizeof text, 0)));
    printf("sendmmsg=%s\n", answer(sendmmsg(socket[0], &message, 1, 0)));
}

/// What this host grants: `call=granted` or `call=ERRNO`, one per line.
int probe(void) {
    struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {1, allow};
    enum { memfd_secret_number = 447 };
    printf("memfd_secret=%s\n", answer(syscall(memfd_secret_number, 0)));
    pid_t child = fork();
    if (child == 0) {
        _exit(ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 ? errno : 0);
    }
    probe_channels();
    errno = wait_for(child);
    printf("ptrace=%s\n", answer(errno ? -1 : 0));
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    printf("seccomp_listener=%s\n", answer(syscall(
        SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program)));
    printf("unshare=%s\n", answer(unshare(
        geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET)));
    return 0;
}

/// Runs the rest of the arguments where one system call answers an error, as Yama, a container's
/// seccomp profile or an older kernel would. Not for the caller's own launches.
int deny(const char *call, char **arguments) {
    enum { memfd_secret_number = 447 };
    unsigned number = !strcmp(call, "ptrace") ? SYS_ptrace : memfd_secret_number;
    unsigned error = number == SYS_ptrace ? EPERM : ENOSYS;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) return exit_unexpected;
    execv(arguments[0], arguments);
    return exit_launch_failed;
}

/// Runs the rest of the arguments below a filter that has a listener already; the kernel allows
/// one per chain.
int occupy_listener(char **arguments) {
    struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {1, allow};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program)
        < 0) return exit_unexpected;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execv(arguments[0], arguments);
        _exit(exit_launch_failed);
    }
    return wait_for(child);
}

/// Overwrites the first byte of the first value in place, as bash does with its environment.
int edit_in_place(void) {
    char difference[300], name[256];
    if (values_differ(difference, sizeof difference)) return report("edit/before");
    if (sscanf(getenv("SUITE_EXPECT"), "%255[^:]", name) != 1) return exit_unexpected;
    char *value = getenv(name);
    value[0] = '#';
    return getenv(name)[0] == '#' ? 0 : exit_unexpected;
}

/// Prints for each call that reads another process whether a filter denies it (EPERM) or lets
/// it through to fail on its arguments.
int restricted_calls(void) {
    const struct { const char *name; long number; } calls[] = {
        {"ptrace", SYS_ptrace}, {"process_vm_readv", SYS_process_vm_readv},
        {"process_vm_writev", SYS_process_vm_writev}, {"pidfd_getfd", SYS_pidfd_getfd},
        {"io_uring_setup", SYS_io_uring_setup}, {"userfaultfd", SYS_userfaultfd},
        {"perf_event_open", SYS_perf_event_open}, {"kcmp", SYS_kcmp}, {"bpf", SYS_bpf},
        {"init_module", SYS_init_module}, {"finit_module", SYS_finit_module},
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        // Arguments that no call accepts: a negative command, process, descriptor or size.
        long result = syscall(calls[i].number, -1, -1, -1, -1, -1, -1);
        printf("%s: %s\n", calls[i].name, result < 0 && errno == EPERM ? "denied" : "allowed");
    }
    return 0;
}

/// Attaches to another process and lets it go again. Prints how the kernel answered.
int seize(pid_t target) {
    long result = ptrace(PTRACE_SEIZE, target, 0, 0);
    printf("seize: %s\n", result == 0 ? "granted" : strerrorname_np(errno));
    return 0;
}
