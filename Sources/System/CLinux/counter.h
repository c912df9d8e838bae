// SPDX-License-Identifier: Apache-2.0
// perf_event_open(2), for the self-test's probes and the VM tests' attacks.
#pragma once
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

// A software clock that samples one register of user space.
static inline void clock_counter(struct perf_event_attr *attributes, uint64_t period) {
    memset(attributes, 0, sizeof *attributes);
    attributes->size = sizeof *attributes;
    attributes->type = PERF_TYPE_SOFTWARE;
    attributes->config = PERF_COUNT_SW_CPU_CLOCK;
    attributes->sample_period = period;
    attributes->sample_type = PERF_SAMPLE_REGS_USER;
    attributes->sample_regs_user = 1;
}

static inline void breakpoint_counter(
    struct perf_event_attr *attributes, uint64_t address, uint64_t length) {
    clock_counter(attributes, 1);
    attributes->type = PERF_TYPE_BREAKPOINT;
    attributes->config = 0;
    attributes->bp_type = HW_BREAKPOINT_RW;
    attributes->bp_addr = address;
    attributes->bp_len = length;
}

// On a process, or with -1 on whatever runs on processor 0. A descriptor, or -1 and errno.
static inline long open_counter(struct perf_event_attr *attributes, pid_t pid) {
    return syscall(SYS_perf_event_open, attributes, pid, pid == -1 ? 0 : -1, -1,
                   PERF_FLAG_FD_CLOEXEC);
}
