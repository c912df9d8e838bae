// SPDX-License-Identifier: Apache-2.0
// The scan's program by itself, attached nowhere: for measurements and tests of what it finds.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "CBPFRecords.h"

struct cbpf_scanner;

/// Loads `scan_buffer` of bpf/agent.bpf.c, which any kernel from 5.17 on takes from a process with
/// CAP_BPF and CAP_PERFMON. Returns 0 and the scanner, or -errno.
int cbpf_scanner_open(struct cbpf_scanner **scanner);

/// What is looked for. Returns 0 or -errno.
int cbpf_scanner_set(struct cbpf_scanner *scanner, const struct cbpf_scan *scan);

/// Looks through the caller's memory as through a write to one open file (the address stands for
/// the file): bpf(2) BPF_PROG_TEST_RUN. Returns 0 and the outcome as in an event's `detail`, or
/// -errno.
int cbpf_scanner_run(
    struct cbpf_scanner *scanner, const void *file, const void *buffer, size_t bytes,
    uint32_t *outcome);

void cbpf_scanner_close(struct cbpf_scanner *scanner);
