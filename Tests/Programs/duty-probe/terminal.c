// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "duty.h"

static int code(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Leads the session: starts the job in the foreground, takes the terminal back when it stops,
// brings it to the foreground again, and says how it ended.
static void lead(char **command) {
    int status;
    signal(SIGTTOU, SIG_IGN);
    pid_t job = fork();
    if (job == 0) {
        setpgid(0, 0);
        tcsetpgrp(0, getpid());
        signal(SIGTTOU, SIG_DFL);
        execv(command[0], command);
        _exit(127);
    }
    setpgid(job, job);
    for (;;) {
        if (waitpid(job, &status, WUNTRACED) < 0) _exit(98);
        if (!WIFSTOPPED(status)) break;
        printf("job stopped by %d, foreground %d\n", WSTOPSIG(status), tcgetpgrp(0) == job);
        fflush(stdout);
        tcsetpgrp(0, getpgrp());
        tcsetpgrp(0, job);
        kill(-job, SIGCONT);
        // Ends it too, whether it handles the continuation or not.
        kill(-job, SIGTERM);
    }
    tcsetpgrp(0, getpgrp());
    printf("job ended %d\n", code(status));
    fflush(stdout);
    _exit(0);
}

static void act(const char *action, int master) {
    struct winsize size = {.ws_row = 33, .ws_col = 111};
    if (strcmp(action, "interrupt") == 0 && write(master, "\x03", 1) < 0) exit(98);
    if (strcmp(action, "quit") == 0 && write(master, "\x1c", 1) < 0) exit(98);
    if (strcmp(action, "suspend") == 0 && write(master, "\x1a", 1) < 0) exit(98);
    if (strcmp(action, "type") == 0 && write(master, "typed\n", 6) < 0) exit(98);
    if (strcmp(action, "resize") == 0) ioctl(master, TIOCSWINSZ, &size);
    if (strcmp(action, "hang-up") == 0) close(master);
}

int run_on_terminal(const char *action, char **command) {
    char text[65536] = "", chunk[1024];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) return 98;
    char *name = ptsname(master);
    pid_t leader = fork();
    if (leader == 0) {
        close(master);
        setsid();
        int terminal = open(name, O_RDWR);
        if (terminal < 0 || ioctl(terminal, TIOCSCTTY, 0) < 0) _exit(98);
        for (int stream = 0; stream < 3; stream++) dup2(terminal, stream);
        if (terminal > 2) close(terminal);
        lead(command);
    }
    size_t length = 0;
    int acted = 0;
    for (;;) {
        ssize_t got = read(master, chunk, sizeof chunk);
        if (got <= 0) break;
        if (length + (size_t)got < sizeof text) {
            memcpy(text + length, chunk, (size_t)got);
            length += (size_t)got;
            text[length] = 0;
        }
        if (!acted && strstr(text, "ready") != NULL) {
            acted = 1;
            act(action, master);
            if (strcmp(action, "hang-up") == 0) break;
        }
    }
    int status = 0;
    waitpid(leader, &status, 0);
    fputs(text, stdout);
    printf("leader ended %d\n", code(status));
    return 0;
}
