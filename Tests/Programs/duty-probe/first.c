// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "duty.h"

static int refused(const char *call) {
    fprintf(stderr, "first process refused: %s: errno %d\n", call, errno);
    return FIRST_PROCESS_REFUSED;
}

int run_as_first(char **command) {
    int status = 0;
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0) return refused("unshare");
    pid_t first = fork();
    if (first < 0) return refused("fork");
    if (first == 0) {
        // /proc/self would be a number of the namespace outside.
        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0
            || mount("proc", "/proc", "proc", 0, NULL) < 0)
            _exit(refused("mount"));
        execv(command[0], command);
        _exit(errno == ENOENT ? 127 : 126);
    }
    while (waitpid(first, &status, 0) < 0)
        if (errno != EINTR) return refused("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
