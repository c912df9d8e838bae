// SPDX-License-Identifier: Apache-2.0
#include "CLinuxCount.h"

uint64_t clinux_time_stamp(void) {
#if defined(__x86_64__)
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
#else
    return 0;
#endif
}

void clinux_count_down(uint64_t steps) {
#if defined(__x86_64__)
    __asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(steps) : : "cc");
#else
    (void)steps;
#endif
}
