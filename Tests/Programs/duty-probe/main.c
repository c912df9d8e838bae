// SPDX-License-Identifier: Apache-2.0
// duty-probe: what the suite of process duties runs, with and without the wrapper above it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "duty.h"

enum { PATIENCE_SECONDS = 60 };

static void say(const char *text) {
    printf("%s\n", text);
    fflush(stdout);
}

// Dies by the signal, without a core file; stays if the signal cannot end it.
static int die(int number) {
    sigset_t none;
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    raise(number);
    return 90;
}

// Says that it is ready, waits for `count` signals of any number, and prints them in order.
static int await_signals(int count) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    say("ready");
    while (count > 0) {
        struct timespec patience = {PATIENCE_SECONDS, 0};
        int number = sigtimedwait(&all, NULL, &patience);
        // A stop and a continuation end the wait with EINTR (signal(7)).
        if (number < 0 && errno == EINTR) continue;
        if (number < 0) return 91;
        if (number == SIGCHLD) continue;
        printf("got %d\n", number);
        fflush(stdout);
        count--;
    }
    return 0;
}

// Ready, then sleeping with every default action in force, but for one ignored signal.
static int linger(int ignored) {
    if (ignored > 0) signal(ignored, SIG_IGN);
    say("ready");
    sleep(PATIENCE_SECONDS);
    return 92;
}

// A child in a session of its own, orphaned at once, ends after a moment.
static pid_t make_orphan(void) {
    int ends[2];
    pid_t orphan = 0;
    if (pipe(ends) < 0) return -1;
    pid_t between = fork();
    if (between == 0) {
        setsid();
        pid_t child = fork();
        if (child == 0) {
            usleep(50000);
            _exit(3);
        }
        if (write(ends[1], &child, sizeof child) < 0) _exit(1);
        _exit(0);
    }
    if (read(ends[0], &orphan, sizeof orphan) < 0) return -1;
    close(ends[0]);
    close(ends[1]);
    waitpid(between, NULL, 0);
    return orphan;
}

// Whether every one of `count` orphans is gone, and not a zombie, before patience ends.
static int orphans(int count, int patience_seconds) {
    pid_t left[1024];
    if (count > 1024) return 93;
    for (int index = 0; index < count; index++) left[index] = make_orphan();
    for (int turn = 0; turn < patience_seconds * 100; turn++) {
        int alive = 0;
        for (int index = 0; index < count; index++) alive += kill(left[index], 0) == 0;
        if (alive == 0) {
            say("all reaped");
            return 0;
        }
        usleep(10000);
    }
    say("zombies");
    return 94;
}

static int wait_status(pid_t child, int options) {
    int status = 0;
    if (waitpid(child, &status, options) != child) return -1;
    return status;
}

// A child that stops itself is seen stopped, continued and ended by its parent.
static int stopped_child(int number) {
    pid_t child = fork();
    if (child == 0) {
        signal(number, SIG_DFL);
        raise(number);
        _exit(5);
    }
    int status = wait_status(child, WUNTRACED);
    printf("stopped by %d\n", WIFSTOPPED(status) ? WSTOPSIG(status) : -1);
    kill(child, SIGCONT);
    status = wait_status(child, WCONTINUED);
    // The end may have come first.
    printf("continued or ended: %d\n", WIFCONTINUED(status) || WIFEXITED(status));
    if (WIFCONTINUED(status)) status = wait_status(child, 0);
    printf("ended %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return 0;
}

// Children's own ends reach their parent, which is not the wrapper.
static int children(int count) {
    int sum = 0;
    for (int index = 0; index < count; index++) {
        pid_t child = fork();
        if (child == 0) _exit(index % 200);
        int status = wait_status(child, 0);
        sum += WIFEXITED(status) ? WEXITSTATUS(status) : 100000;
    }
    printf("sum %d\n", sum);
    return 0;
}

static int interval_timer(void) {
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarms, NULL);
    alarm(1);
    printf("alarm %d\n", sigwaitinfo(&alarms, NULL));
    return 0;
}

int main(int count, char **arguments) {
    const char *command = count > 1 ? arguments[1] : "";
    int number = count > 2 ? atoi(arguments[2]) : 0;
    if (strcmp(command, "state") == 0) return print_state(count, arguments);
    if (strcmp(command, "exit") == 0) return number;
    if (strcmp(command, "die") == 0) return die(number);
    if (strcmp(command, "await") == 0) return await_signals(number);
    if (strcmp(command, "linger") == 0) return linger(number);
    if (strcmp(command, "orphans") == 0)
        return orphans(number, count > 3 ? atoi(arguments[3]) : PATIENCE_SECONDS);
    if (strcmp(command, "stopped-child") == 0) return stopped_child(number);
    if (strcmp(command, "children") == 0) return children(number);
    if (strcmp(command, "alarm") == 0) return interval_timer();
    if (strcmp(command, "terminal") == 0 && count > 3)
        return run_on_terminal(arguments[2], arguments + 3);
    if (strcmp(command, "as-first") == 0 && count > 2) return run_as_first(arguments + 2);
    // What a starter does to itself before it executes the rest.
    if (count < 4) return 95;
    if (strcmp(command, "with-ignored") == 0) signal(number, SIG_IGN);
    else if (strcmp(command, "with-blocked") == 0) {
        sigset_t blocked;
        sigemptyset(&blocked);
        sigaddset(&blocked, number);
        sigprocmask(SIG_BLOCK, &blocked, NULL);
    } else if (strcmp(command, "with-umask") == 0) umask((mode_t)number);
    else if (strcmp(command, "with-files") == 0) {
        struct rlimit limit = {(rlim_t)number, (rlim_t)number};
        setrlimit(RLIMIT_NOFILE, &limit);
    } else if (strcmp(command, "with-nice") == 0) {
        if (nice(number) < 0) return 96;
    } else if (strcmp(command, "with-closed") == 0) close(number);
    else if (strcmp(command, "with-directory") == 0) {
        if (chdir(arguments[2]) < 0) return 96;
    } else if (strcmp(command, "with-none-above") == 0) {
        close_range((unsigned)number, ~0U, 0);
    } else if (strcmp(command, "with-open") == 0) {
        if (dup2(STDIN_FILENO, number) < 0) return 96;
    } else return 97;
    execvp(arguments[3], arguments + 3);
    return errno == ENOENT ? 127 : 126;
}
