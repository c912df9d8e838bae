// SPDX-License-Identifier: Apache-2.0
// Denies every access to a protected process that passes the kernel's ptrace check: ptrace attach,
// process_vm_readv, /proc/PID/mem, pidfd_getfd and /proc/PID/fd. The process itself passes, and the
// one tracer named for it (the wrapper, which splices environments); root does not.
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

// The kernel offers the LSM helpers only to programs under a GPL-compatible licence.
char LICENSE[] SEC("license") = "Dual BSD/GPL";

// Key: protected thread group. Value: the thread group that may trace it, or 0 for none.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, __u32);
    __type(value, __u32);
} protected_groups SEC(".maps");

// One cell: how many accesses were denied.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} denied_count SEC(".maps");

SEC("lsm/ptrace_access_check")
int BPF_PROG(deny_ptrace, struct task_struct *child, unsigned int mode, int earlier)
{
    if (earlier != 0)
        return earlier;
    __u32 target = (__u32)BPF_CORE_READ(child, tgid);
    __u32 *tracer = bpf_map_lookup_elem(&protected_groups, &target);
    if (tracer == 0)
        return 0;
    __u32 caller = (__u32)(bpf_get_current_pid_tgid() >> 32);
    if (caller == target || (*tracer != 0 && caller == *tracer))
        return 0;
    __u32 cell = 0;
    __u64 *count = bpf_map_lookup_elem(&denied_count, &cell);
    if (count != 0)
        __sync_fetch_and_add(count, 1);
    return -EPERM;
}
