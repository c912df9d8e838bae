// SPDX-License-Identifier: Apache-2.0
// Execs under a storm of signals.
#include "victim.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

/// What the sender and the images share through a file, since images replace each other.
struct tally {
    volatile int stop, stopped;
    volatile unsigned long queued;
};

static struct tally *shared_tally(void) {
    char path[512];
    snprintf(path, sizeof path, "%s/tally", getenv("SUITE_DIR"));
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof(struct tally))) exit(exit_unexpected);
    void *map = mmap(NULL, sizeof(struct tally), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (map == MAP_FAILED) exit(exit_unexpected);
    return map;
}

static void on_signal(int number) { (void)number; }

/// Without SA_RESTART, an exec that a signal interrupts answers EINTR, and is seen.
static void handle(int number, void (*handler)(int), int restarting) {
    struct sigaction action = {
        .sa_handler = handler, .sa_flags = restarting ? SA_RESTART : 0};
    sigaction(number, &action, NULL);
}

static sigset_t storm_mask(void) {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGRTMIN + 1);
    sigaddset(&mask, SIGUSR2);
    return mask;
}

/// Queued signals are blocked in every image and counted; SIGURG is handled before an exec and
/// ignored by default after it.
static void send_until_stopped(pid_t target, struct tally *tally) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    union sigval value = {0};
    while (!tally->stop) {
        if (sigqueue(target, SIGRTMIN + 1, value) == 0) tally->queued++;
        for (int i = 0; i < 4; i++) kill(target, SIGURG);
        usleep(150);
    }
    tally->stopped = 1;
    _exit(0);
}

static unsigned long drain(void) {
    sigset_t queued;
    sigemptyset(&queued);
    sigaddset(&queued, SIGRTMIN + 1);
    unsigned long count = 0;
    struct timespec none = {0};
    while (sigtimedwait(&queued, NULL, &none) > 0) count++;
    return count;
}

static int finish_storm(struct tally *tally, unsigned long received, pid_t sender) {
    tally->stop = 1;
    int status = wait_for(sender);
    received += drain();
    if (status || received != tally->queued) {
        printf("lost: received %lu of %lu\n", received, tally->queued);
        return exit_unexpected;
    }
    printf("signals: %lu\n", received);
    return received > 0 ? report("storm/last") : exit_unexpected;
}

/// `arguments`: received so far, pid of the sender; none in the first image.
int storm(int count, char **arguments, int restarting) {
    struct tally *tally = shared_tally();
    char difference[300];
    if (values_differ(difference, sizeof difference)) return report("storm/image");
    sigset_t expected = storm_mask(), mask;
    unsigned long received = 0;
    pid_t sender;
    if (!arguments[0]) {
        *tally = (struct tally){0};
        sigprocmask(SIG_SETMASK, &expected, NULL);
        handle(SIGURG, on_signal, restarting);
        pid_t self = getpid();
        sender = fork();
        if (sender == 0) send_until_stopped(self, tally);
    } else {
        received = strtoul(arguments[0], NULL, 10);
        sender = atoi(arguments[1]);
        sigprocmask(SIG_BLOCK, NULL, &mask);
        for (int number = 1; number < 64; number++)
            if (sigismember(&mask, number) != sigismember(&expected, number)) {
                printf("mask: signal %d\n", number);
                return exit_unexpected;
            }
        handle(SIGURG, on_signal, restarting);
    }
    received += drain();
    if (count == 0) return finish_storm(tally, received, sender);
    char left[16], sum[24], pid[16];
    snprintf(left, sizeof left, "%d", count - 1);
    snprintf(sum, sizeof sum, "%lu", received);
    snprintf(pid, sizeof pid, "%d", sender);
    char *words[] = {(char *)victim_path(), restarting ? "storm-restarting" : "storm", left, sum,
                     pid, NULL};
    execve(words[0], words, environ);
    printf("exec: %s\n", strerror(errno));
    return exit_launch_failed;
}

/// Failing execs answer ENOENT, whatever arrives meanwhile, and each signal runs its handler.
static volatile unsigned long handled;
static void count_signal(int number) { (void)number, handled++; }

int failing_exec_storm(int count, int restarting) {
    struct tally *tally = shared_tally();
    *tally = (struct tally){0};
    handle(SIGRTMIN + 1, count_signal, restarting);
    handle(SIGURG, on_signal, restarting);
    pid_t self = getpid(), sender = fork();
    if (sender == 0) send_until_stopped(self, tally);
    char *words[] = {"nothing", NULL};
    for (int turn = 0; turn < count; turn++)
        if (execve("/nonexistent/program", words, environ) != -1 || errno != ENOENT) {
            printf("exec %d: %s\n", turn, strerror(errno));
            return exit_unexpected;
        }
    tally->stop = 1;
    wait_for(sender);
    if (handled != tally->queued) {
        printf("lost: handled %lu of %lu\n", handled, tally->queued);
        return exit_unexpected;
    }
    printf("signals: %lu\n", handled);
    return report("failing-storm/parent");
}
