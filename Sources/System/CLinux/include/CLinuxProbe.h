// SPDX-License-Identifier: Apache-2.0
// What the agent's self-test needs: a victim, an attacker, and calls that ask a hook without
// changing anything.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Forks a process that lets the needle out when it is asked to, and dies with its parent. Its pid
/// and the descriptor to ask it, or -errno. Only for a process with one thread.
pid_t clinux_start_victim(const void *needle, size_t bytes, int *channel);

/// Has the victim write (vector 86) or send (88) its needle, to where nobody reads it. What the
/// call came to: 0 or -errno; -EAGAIN when it does not answer within five seconds.
int clinux_ask_victim(pid_t victim, int channel, int vector);

/// SIGKILL and waitpid(2).
void clinux_end_victim(pid_t victim);

/// Runs `probe(number, target)` in a forked process and returns what it returned: 0 or a positive
/// error number. -1 when the process was killed, -errno when it could not be started.
int clinux_in_attacker(int (*probe)(int number, pid_t target), int number, pid_t target);

/// Attackers that `clinux_in_attackers` starts.
#define CLINUX_ATTACKERS 3

/// The same in several processes at once, all on the processor that this one is on. The least that
/// one of them returned; -1 when none could be started or all were killed.
int clinux_in_attackers(int (*probe)(int number, pid_t target), int number, pid_t target);

/// PTRACE_TRACEME. 0 or -errno.
int clinux_ptrace_traceme(void);

/// perf_event_open(2) on `pid`: `breakpoint` as a hardware breakpoint, otherwise samples of user
/// registers; `pid` -1 means every process on processor 0. Closes at once. 0 or -errno.
int clinux_probe_perf(pid_t pid, int breakpoint);

/// bpf(2) BPF_PROG_LOAD of a program of this type (enum bpf_prog_type) that returns 0. Closes at
/// once. 0 or -errno.
int clinux_probe_program_load(uint32_t type);

/// setns(2) into the mount and PID namespaces of another process, in a child. 0 or -errno.
int clinux_probe_enter_namespaces(pid_t pid);

/// finit_module(2) of a file that is no module. -errno; the hook is asked before the file is read.
int clinux_probe_module_file(void);

/// prlimit(2): writes the target's own RLIMIT_CORE back. 0 or -errno.
int clinux_probe_core_limit(pid_t pid);

/// process_madvise(2), MADV_PAGEOUT of a page of a fork of this process. 0 or -errno.
int clinux_probe_page_out(pid_t pid);

/// move_pages(2) without pages. 0 or -errno.
int clinux_probe_move_pages(pid_t pid);
