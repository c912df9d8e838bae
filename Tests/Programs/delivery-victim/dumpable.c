// SPDX-License-Identifier: Apache-2.0
// Execs that a supervisor without privileges makes the caller's memory dumpable for, and what
// PR_GET_DUMPABLE answers in the memory that stays behind.
#include "victim.h"
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/// The flag is taken back by a stop of some thread, which need not be over when the exec's caller
/// goes on. Waits up to two seconds for it, and returns what it is then.
int settled_dumpable(void) {
    struct timespec pause = {.tv_nsec = 1000 * 1000};
    for (int turn = 0; turn < 2000 && prctl(PR_GET_DUMPABLE) == 1; turn++) nanosleep(&pause, NULL);
    return prctl(PR_GET_DUMPABLE);
}

static int tell_dumpable(const char *when) {
    printf("dumpable %s: %d\n", when, settled_dumpable());
    return 0;
}

static volatile int spawning = 1;
static volatile int parked;
static volatile int dumpable_children;

static long raw_fork(void) { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }

/// Forks as fast as it can: most of the time it is within the call, where an interruption waits.
static void *fork_always(void *unused) {
    while (spawning) {
        long child = raw_fork();
        if (child == 0) syscall(SYS_exit_group, prctl(PR_GET_DUMPABLE) == 1);
        if (child > 0 && wait_for((pid_t)child))
            __atomic_add_fetch(&dumpable_children, 1, __ATOMIC_SEQ_CST);
    }
    __atomic_add_fetch(&parked, 1, __ATOMIC_SEQ_CST);
    for (;;) pause();
    return unused;
}

static int exec_true(void) {
    char *words[] = {"/bin/true", NULL};
    pid_t child = vfork();
    if (child == 0) {
        execve(words[0], words, environ);
        _exit(exit_launch_failed);
    }
    return child < 0 ? exit_launch_failed : wait_for(child);
}

/// `count` execs of vfork children, while other threads of the parent fork. The threads stay.
int fork_beside_execs(int count) {
    enum { forkers = 4, ballast_bytes = 512 << 20, page_bytes = 4096 };
    // A fork copies the page tables of this, which takes a while. Pages that were only read are all
    // the same one.
    char *ballast = mmap(
        NULL, ballast_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ballast == MAP_FAILED) return exit_unexpected;
    madvise(ballast, ballast_bytes, MADV_NOHUGEPAGE);
    ballast[0] = 1;
    char sum = 0;
    for (size_t at = 0; at < ballast_bytes; at += page_bytes) sum += ((volatile char *)ballast)[at];
    if (sum != 1) return exit_unexpected;
    pthread_t thread;
    for (int i = 0; i < forkers; i++)
        if (pthread_create(&thread, NULL, fork_always, NULL)) return exit_unexpected;
    for (int i = 0; i < count; i++) {
        int status = exec_true();
        if (status) return status;
        if (settled_dumpable() == 1) break;
    }
    spawning = 0;
    while (parked < forkers) sched_yield();
    printf("dumpable children: %d\n", dumpable_children);
    return tell_dumpable("beside forks");
}

/// An exec whose environment nobody can read answers EFAULT.
int refuse_exec(void) {
    char *words[] = {"/bin/true", NULL}, **nowhere = (char **)sizeof(char *);
    if (execve(words[0], words, nowhere) != -1 || errno != EFAULT) return exit_unexpected;
    return tell_dumpable("after a refused exec");
}

/// A child is killed in its exec, after it has made the memory of both dumpable.
int lose_child_in_exec(void) {
    printf("child: %d\n", exec_true());
    return tell_dumpable("after a killed exec");
}

/// What PR_GET_DUMPABLE answered in this image before any exec.
static char dumpable_word[] = "0";

static int exec_check(void *unused) {
    char *words[] = {(char *)victim_path(), "check", dumpable_word, NULL};
    syscall(SYS_execve, words[0], words, environ);
    syscall(SYS_exit, 0);
    return unused != NULL;
}

enum { stack_bytes = 1 << 16 };

/// Whether this image has its values and is as dumpable as the one before; nothing is reported.
int check_image(const char *dumpable) {
    char difference[300];
    if (values_differ(difference, sizeof difference)) return exit_values_wrong;
    return prctl(PR_GET_DUMPABLE) == atoi(dumpable) ? 0 : exit_unexpected;
}

/// The leader and a thread of one process execute a program at once: the thread takes the leader's
/// place in the midst of the leader's own exec, or the other way round.
static int exec_twice(void *unused) {
    enum {
        thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_SYSVSEM | CLONE_THREAD
    };
    static char stack[stack_bytes] __attribute__((aligned(16)));
    clone(exec_check, stack + stack_bytes, thread, NULL);
    return exec_check(unused);
}

/// `count` processes that share this one's memory, each with two execs at once.
int race_execs(int count) {
    if (prctl(PR_GET_DUMPABLE) == 1) dumpable_word[0] = '1';
    static char stack[stack_bytes] __attribute__((aligned(16)));
    for (int i = 0; i < count; i++) {
        pid_t child = clone(exec_twice, stack + stack_bytes, CLONE_VM | SIGCHLD, NULL);
        int status = child < 0 ? exit_launch_failed : wait_for(child);
        if (status) return status;
    }
    return tell_dumpable("after two execs at once");
}

/// Whether the memory is ever dumpable while a child that shares it executes a program; up to
/// `count` children, since a busy machine may leave this one no time to look.
int watch_exec(int count) {
    if (prctl(PR_GET_DUMPABLE) == 1) dumpable_word[0] = '1';
    static char stack[stack_bytes] __attribute__((aligned(16)));
    int seen = 0, status = 0;
    for (int i = 0; i < count && !seen && !status && settled_dumpable() != 1; i++) {
        pid_t child = clone(exec_check, stack + stack_bytes, CLONE_VM | SIGCHLD, NULL);
        if (child < 0) return exit_launch_failed;
        while (waitpid(child, &status, __WALL | WNOHANG) == 0)
            if (prctl(PR_GET_DUMPABLE) == 1) seen = 1;
    }
    printf("dumpable during an exec: %d\n", seen);
    return status ? exit_unexpected : tell_dumpable("after it");
}

static int exec_beside_stopped_parent(void *unused) {
    // The parent's /proc files belong to root while it is not dumpable.
    char *words[] = {
        "/bin/sh", "-c",
        "for turn in $(seq 40); do owner=$(stat -c %u /proc/$PPID/environ);"
        " [ $owner = 0 ] && break; sleep 0.05; done;"
        " echo owner of the stopped parent: $owner; kill -CONT $PPID",
        NULL};
    struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    kill(getppid(), SIGSTOP);
    nanosleep(&pause, NULL);
    execve(words[0], words, environ);
    _exit(exit_launch_failed);
    return unused != NULL;
}

/// Is stopped by a child in the same memory, which then executes a program.
int stop_during_exec(void) {
    static char stack[stack_bytes] __attribute__((aligned(16)));
    pid_t child = clone(exec_beside_stopped_parent, stack + stack_bytes, CLONE_VM | SIGCHLD, NULL);
    int status = child < 0 ? exit_launch_failed : wait_for(child);
    return status ? status : tell_dumpable("after a stop");
}
