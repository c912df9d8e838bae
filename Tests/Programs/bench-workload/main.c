// SPDX-License-Identifier: Apache-2.0
// What `make bench` runs bare and under each follow strategy. Prints the wall-clock seconds of
// the work itself, so that start-up does not count.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static volatile long arrived;
static void on_signal(int number) { (void)number, arrived++; }
static void *nothing(void *unused) { return unused; }

static void create_threads(long count) {
    for (long i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, nothing, NULL)) exit(1);
        pthread_join(thread, NULL);
    }
}

static void fork_and_exec(const char *self, long count) {
    char *words[] = {(char *)self, "nothing", NULL};
    for (long i = 0; i < count; i++) {
        int status;
        pid_t child = vfork();
        if (child == 0) {
            execve(words[0], words, environ);
            _exit(1);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) exit(1);
    }
}

/// Each signal is delivered before the next is sent: Go's preemption looks like this.
static void deliver_signals(long count) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGURG, &action, NULL);
    for (long i = 0; i < count; i++) kill(getpid(), SIGURG);
    if (arrived != count) exit(1);
}

static void compute(long count) {
    volatile unsigned long sum = 0;
    for (long i = 0; i < count; i++) sum = sum * 6364136223846793005u + 1442695040888963407u;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int count, char **arguments) {
    const char *work = count > 1 ? arguments[1] : "";
    long times = count > 2 ? atol(arguments[2]) : 0;
    if (!strcmp(work, "nothing")) return 0;
    double start = seconds();
    if (!strcmp(work, "threads")) create_threads(times);
    else if (!strcmp(work, "execs")) fork_and_exec(arguments[0], times);
    else if (!strcmp(work, "signals")) deliver_signals(times);
    else if (!strcmp(work, "compute")) compute(times);
    else return fprintf(stderr, "usage: bench-workload WORK COUNT\n"), 2;
    printf("seconds=%.6f\n", seconds() - start);
    return 0;
}
