// SPDX-License-Identifier: Apache-2.0
// Launches that libc has no call for.
#include "victim.h"
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/// `execve` through the 32-bit entry: pointers and the arrays they form must lie below 4 GiB.
long exec_int80(const char *path, const char *label) {
#if defined(__x86_64__)
    enum { page = 1 << 16, execve_i386 = 11 };
    char *low = mmap(
        NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (low == MAP_FAILED) return -errno;
    uint32_t *vector = (uint32_t *)low, *arguments = vector;
    char *text = low + page / 2;
    const char *words[] = {path, "leaf", label};
    for (int i = 0; i < 3; i++) {
        *vector++ = (uint32_t)(uintptr_t)text;
        text = stpcpy(text, words[i]) + 1;
    }
    *vector++ = 0;
    uint32_t *environment = vector;
    for (char **entry = environ; *entry; entry++) {
        if (text + strlen(*entry) + 1 > low + page) return -E2BIG;
        *vector++ = (uint32_t)(uintptr_t)text;
        text = stpcpy(text, *entry) + 1;
    }
    *vector = 0;
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"((long)execve_i386), "b"((long)arguments[0]), "c"(arguments),
                       "d"(environment)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
#else
    (void)path, (void)label;
    return -ENOSYS;
#endif
}

long exec_x32(const char *path, char *const arguments[]) {
    enum { x32 = 0x40000000, execve_x32 = 520 };
    return syscall(x32 | execve_x32, path, arguments, environ) < 0 ? -errno : 0;
}

static volatile int sibling_runs = 1;
static volatile unsigned long sibling_turns;

static void *sibling(void *unused) {
    (void)unused;
    // Reads the environment all the time: a parent whose `environ` is touched shows here.
    while (sibling_runs) {
        char difference[300];
        if (values_differ(difference, sizeof difference)) _exit(exit_values_wrong);
        sibling_turns++;
        usleep(100);
    }
    return NULL;
}

static int exec_in_shared_memory(void *arguments) {
    char *const *words = arguments;
    execve(words[0], words, environ);
    _exit(exit_launch_failed);
}

pid_t clone_vm_exec(char *const arguments[]) {
    enum { stack_bytes = 1 << 16 };
    static char stack[stack_bytes] __attribute__((aligned(16)));
    pthread_t thread;
    sibling_runs = 1;
    if (pthread_create(&thread, NULL, sibling, NULL)) return -1;
    pid_t child = clone(
        exec_in_shared_memory, stack + stack_bytes, CLONE_VM | SIGCHLD, (void *)arguments);
    int status = child > 0 ? wait_for(child) : exit_launch_failed;
    sibling_runs = 0;
    pthread_join(thread, NULL);
    return status;
}
