// SPDX-License-Identifier: Apache-2.0
// The BPF programs of bpf/, embedded as objects, and the libbpf calls that load them.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "CBPFAgent.h"
#include "CBPFRecords.h"

/// A loaded program with its maps and, once attached, its link.
struct cbpf_program;

/// Opens and loads bpf/deny_ptrace.bpf.c. Returns 0 and the program, or -errno.
int cbpf_deny_ptrace_load(struct cbpf_program **program);

/// Attaches the program to its LSM hook. Returns 0 or -errno.
int cbpf_attach(struct cbpf_program *program);

/// Protects thread group `group`; `tracer` is the one thread group that may trace it, or 0.
/// Returns 0 or -errno.
int cbpf_deny_ptrace_protect(struct cbpf_program *program, pid_t group, pid_t tracer);

/// How many accesses have been denied, or -errno.
int64_t cbpf_deny_ptrace_denied(struct cbpf_program *program);

/// Detaches and unloads.
void cbpf_unload(struct cbpf_program *program);
