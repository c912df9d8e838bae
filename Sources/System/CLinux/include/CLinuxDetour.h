// SPDX-License-Identifier: Apache-2.0
// Ways round what hooks are usually asked about, for the VM tests.
#pragma once
#include <stdint.h>
#include <sys/types.h>

/// renameat2(2) with RENAME_EXCHANGE. 0 or -errno.
int clinux_exchange(const char *one, const char *other);

/// Sends a signal as the kernel's word of input on a pipe (F_SETOWN and F_SETSIG of fcntl(2)):
/// kill(2) is not asked. 0 or -errno.
int clinux_signal_by_input(pid_t pid, int signal);

/// Counts for `milliseconds` how often `pid` (-1: whatever runs on processor 0) comes by the
/// tracepoint with this number and the filter lets it pass. A count or -errno.
int64_t clinux_count_calls(pid_t pid, uint64_t tracepoint, const char *filter, int milliseconds);

/// Starts a program `tries` times and opens the `/proc/PID/mem` of the process that executes it
/// again and again meanwhile. The program is called with `argument` and has to write a byte when it
/// runs. How often the last file that could be opened shows the new program, or -errno.
int clinux_open_during_exec(const char *program, const char *argument, int tries);
