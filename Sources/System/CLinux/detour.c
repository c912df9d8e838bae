// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinuxDetour.h"

#include "counter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int clinux_exchange(const char *one, const char *other) {
    // 2: RENAME_EXCHANGE (linux/fs.h).
    return syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, 2) < 0 ? -errno : 0;
}

int clinux_signal_by_input(pid_t pid, int signal) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    int answer = 0;
    if (fcntl(ends[0], F_SETOWN, pid) < 0 || fcntl(ends[0], F_SETSIG, signal) < 0 ||
        fcntl(ends[0], F_SETFL, O_ASYNC) < 0 || write(ends[1], "", 1) != 1)
        answer = -errno;
    close(ends[0]);
    close(ends[1]);
    return answer;
}

int64_t clinux_count_calls(pid_t pid, uint64_t tracepoint, const char *filter, int milliseconds) {
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_TRACEPOINT,
        .size = sizeof attributes,
        .config = tracepoint,
        .disabled = 1,
    };
    long counter = open_counter(&attributes, pid);
    if (counter < 0) return -errno;
    int64_t count = 0;
    struct timespec while_open = {.tv_sec = milliseconds / 1000,
                                  .tv_nsec = milliseconds % 1000 * 1000000L};
    if (ioctl((int)counter, PERF_EVENT_IOC_SET_FILTER, filter) < 0 ||
        ioctl((int)counter, PERF_EVENT_IOC_ENABLE, 0) < 0 || nanosleep(&while_open, NULL) < 0 ||
        read((int)counter, &count, sizeof count) != (ssize_t)sizeof count)
        count = -errno;
    close((int)counter);
    return count;
}

static int can_read(int descriptor) {
    struct pollfd waiting = {.fd = descriptor, .events = POLLIN};
    return poll(&waiting, 1, 0) > 0;
}

// The last file that could be opened before the program ran or an open was refused, or -1.
static int open_until_ready(pid_t child, int ready) {
    char path[32];
    int last = -1;
    snprintf(path, sizeof path, "/proc/%d/mem", (int)child);
    while (!can_read(ready)) {
        int next = open(path, O_RDWR | O_CLOEXEC);
        if (next < 0) break;
        if (last >= 0) close(last);
        last = next;
    }
    return last;
}

int clinux_open_during_exec(const char *program, const char *argument, int tries) {
    int seen = 0;
    for (int number = 0; number < tries; number++) {
        int ready[2];
        char byte;
        if (pipe2(ready, O_CLOEXEC) < 0) return -errno;
        pid_t child = fork();
        if (child < 0) return -errno;
        if (child == 0) {
            dup2(ready[1], 1);
            execl(program, program, argument, (char *)NULL);
            _exit(127);
        }
        close(ready[1]);
        int last = open_until_ready(child, ready[0]);
        // Memory that nobody uses any more gives 0, and an address that the new program has not,
        // EIO.
        if (read(ready[0], &byte, 1) == 1 && last >= 0 && pread(last, &byte, 1, 64) < 0)
            seen++;
        if (last >= 0) close(last);
        close(ready[0]);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    return seen;
}
