// SPDX-License-Identifier: Apache-2.0
// The C library's clocks and randomness once more: a program that links this file has these
// definitions found before the library's. They do what the library's do, and note who asked when
// a simulated component did.
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

void csimulation_note_ambient_call(const char *name);

#define SHADOW __attribute__((weak, visibility("default")))

// As the kernel answers: a negated error number on failure.
static long enter_kernel(long number, const long arguments[6])
{
#if defined(__x86_64__)
    long result;
    register long fourth __asm__("r10") = arguments[3];
    register long fifth __asm__("r8") = arguments[4];
    register long sixth __asm__("r9") = arguments[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(arguments[0]), "S"(arguments[1]), "d"(arguments[2]),
                       "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long code __asm__("x8") = number;
    register long first __asm__("x0") = arguments[0];
    register long second __asm__("x1") = arguments[1];
    register long third __asm__("x2") = arguments[2];
    register long fourth __asm__("x3") = arguments[3];
    register long fifth __asm__("x4") = arguments[4];
    register long sixth __asm__("x5") = arguments[5];
    __asm__ volatile("svc 0"
                     : "+r"(first)
                     : "r"(code), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "memory");
    return first;
#else
#error "no system call instruction known for this processor"
#endif
}

// As the C library answers: -1 with errno set.
static long checked(long result)
{
    if (result < 0 && result >= -4095) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

static long call_kernel(long number, long first, long second, long third)
{
    const long arguments[6] = {first, second, third, 0, 0, 0};
    return checked(enter_kernel(number, arguments));
}

SHADOW int clock_gettime(clockid_t clock, struct timespec *time)
{
    csimulation_note_ambient_call("clock_gettime");
    return (int)call_kernel(SYS_clock_gettime, clock, (long)time, 0);
}

SHADOW int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    csimulation_note_ambient_call("gettimeofday");
    return (int)call_kernel(SYS_gettimeofday, (long)time, (long)zone, 0);
}

SHADOW time_t time(time_t *result)
{
    struct timespec now;
    csimulation_note_ambient_call("time");
    call_kernel(SYS_clock_gettime, CLOCK_REALTIME, (long)&now, 0);
    if (result != NULL)
        *result = now.tv_sec;
    return now.tv_sec;
}

SHADOW ssize_t getrandom(void *buffer, size_t length, unsigned int flags)
{
    csimulation_note_ambient_call("getrandom");
    return call_kernel(SYS_getrandom, (long)buffer, (long)length, flags);
}

SHADOW int getentropy(void *buffer, size_t length)
{
    csimulation_note_ambient_call("getentropy");
    if (length > 256) {
        errno = EIO;
        return -1;
    }
    size_t done = 0;
    while (done < length) {
        long count =
            call_kernel(SYS_getrandom, (long)buffer + (long)done, (long)(length - done), 0);
        if (count > 0)
            done += (size_t)count;
        else if (count < 0 && errno != EINTR)
            return -1;
    }
    return 0;
}

// Swift's SystemRandomNumberGenerator asks the kernel through this one.
SHADOW long syscall(long number, ...)
{
    va_list list;
    long arguments[6];
    va_start(list, number);
    for (int index = 0; index < 6; index++)
        arguments[index] = va_arg(list, long);
    va_end(list);
    if (number == SYS_getrandom)
        csimulation_note_ambient_call("getrandom");
    if (number == SYS_clock_gettime)
        csimulation_note_ambient_call("clock_gettime");
    return checked(enter_kernel(number, arguments));
}
