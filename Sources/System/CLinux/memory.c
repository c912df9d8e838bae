// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinuxMemory.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

int clinux_memfd_secret(unsigned flags) {
    long descriptor = syscall(SYS_memfd_secret, flags);
    return descriptor < 0 ? -errno : (int)descriptor;
}

int clinux_sealable_memory_file(const char *name) {
    int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return descriptor < 0 ? -errno : descriptor;
}

void clinux_zero(void *address, size_t count) { explicit_bzero(address, count); }

size_t clinux_usable_size(void *address) { return malloc_usable_size(address); }

ssize_t clinux_find(const void *memory, size_t count, const void *needle, size_t needle_count) {
    const char *found = memmem(memory, count, needle, needle_count);
    return found == NULL ? -1 : found - (const char *)memory;
}

void *clinux_second_view(void *address, size_t count) {
    void *view = mremap(address, 0, count, MREMAP_MAYMOVE);
    return view == MAP_FAILED ? NULL : view;
}

int clinux_random(void *address, size_t count) {
    ssize_t got;
    do got = getrandom(address, count, 0);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)count ? 0 : got < 0 ? -errno : -EIO;
}

// Set by the linker (ld(1), PROVIDE symbols).
extern const char __executable_start[], etext[];

int clinux_release_code(void) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t start = ((uintptr_t)__executable_start + page - 1) & ~(page - 1);
    const uintptr_t end = (uintptr_t)etext & ~(page - 1);
    return madvise((void *)start, end - start, MADV_DONTNEED) < 0 ? -errno : 0;
}

static pthread_mutex_t touch_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local sigjmp_buf *touch_escape;

static void on_sigbus(int signal_number) {
    if (touch_escape != NULL) siglongjmp(*touch_escape, 1);
    // Not ours: fall back to the default action at the next fault.
    signal(signal_number, SIG_DFL);
}

int clinux_touch_pages(void *address, size_t count) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct sigaction guard = {.sa_handler = on_sigbus, .sa_flags = SA_NODEFER}, before;
    sigjmp_buf escape;
    volatile int result = 0;
    pthread_mutex_lock(&touch_lock);
    sigaction(SIGBUS, &guard, &before);
    touch_escape = &escape;
    if (sigsetjmp(escape, 1) == 0) {
        for (size_t offset = 0; offset < count; offset += page)
            ((volatile char *)address)[offset] = 0;
    } else {
        result = -EFAULT;
    }
    touch_escape = NULL;
    sigaction(SIGBUS, &before, NULL);
    pthread_mutex_unlock(&touch_lock);
    return result;
}
