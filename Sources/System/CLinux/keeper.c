// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinuxProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// As getdents64(2) lays it out; readdir(3) allocates, which is not safe after fork.
struct directory_entry {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

static pid_t parent_of(const char *process) {
    char path[64], text[512];
    size_t length = strlen(process);
    if (length > 20) return -1;
    memcpy(path, "/proc/", 6);
    memcpy(path + 6, process, length);
    memcpy(path + 6 + length, "/stat", 6);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return -1;
    ssize_t got = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    if (got <= 0) return -1;
    text[got] = 0;
    // "pid (name) state parent": the name may hold anything but the last parenthesis.
    char *end = strrchr(text, ')');
    return end == NULL || strlen(end) < 4 ? -1 : (pid_t)strtol(end + 4, NULL, 10);
}

static int kill_children(void) {
    char buffer[8192] __attribute__((aligned(8)));
    const pid_t self = getpid();
    int directory = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return -errno;
    long got;
    while ((got = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < got;) {
            struct directory_entry *entry = (struct directory_entry *)(buffer + at);
            at += entry->length;
            if (entry->name[0] < '1' || entry->name[0] > '9') continue;
            if (parent_of(entry->name) == self)
                kill((pid_t)strtol(entry->name, NULL, 10), SIGKILL);
        }
    }
    close(directory);
    return 0;
}

int clinux_end_children(void) {
    for (;;) {
        int result = kill_children();
        if (result < 0) return result;
        // One end at least; its children are ours now.
        pid_t ended = waitpid(-1, NULL, __WALL);
        if (ended < 0 && errno == ECHILD) return 0;
        while (waitpid(-1, NULL, __WALL | WNOHANG) > 0) continue;
    }
}

static void tell(int descriptor, pid_t process, int status) {
    int pair[2] = {process, status};
    if (write(descriptor, pair, sizeof pair) != sizeof pair) return;
}

static void keep(pid_t program, const struct clinux_keeper_pipes *pipes) {
    enum { LIFE = 0, STATUS = 1, SIGNALS = 2 };
    sigset_t children;
    prctl(PR_SET_NAME, "ct-keeper", 0, 0, 0);
    // Nothing else may be held open on the wrapper's behalf.
    if (dup2(pipes->life[0], LIFE) < 0 || dup2(pipes->status[1], STATUS) < 0) _exit(1);
    syscall(SYS_close_range, SIGNALS, ~0U, 0);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    if (signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK) != SIGNALS) _exit(1);
    tell(STATUS, program, -1);
    for (;;) {
        struct pollfd polls[2] = {
            {.fd = LIFE, .events = POLLIN}, {.fd = SIGNALS, .events = POLLIN}};
        struct signalfd_siginfo information;
        int status;
        pid_t ended;
        poll(polls, 2, -1);
        while (read(SIGNALS, &information, sizeof information) > 0) continue;
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0)
            if (ended == program) tell(STATUS, ended, status);
        if (polls[0].revents != 0) _exit(clinux_end_children() < 0 ? 1 : 0);
    }
}

pid_t clinux_start_kept_child(
    const struct clinux_child_plan *plan, const struct clinux_keeper_pipes *pipes) {
    pid_t keeper = fork();
    if (keeper < 0) return -errno;
    if (keeper > 0) return keeper;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    close(plan->parent_channel);
    close(pipes->life[1]);
    close(pipes->status[0]);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) _exit(1);
    pid_t program = clinux_start_child(plan);
    if (program < 0) _exit(1);
    keep(program, pipes);
    return 0;
}
