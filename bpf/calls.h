// SPDX-License-Identifier: Apache-2.0
// System calls that carry a protected process's content past every LSM hook. Where the kernel lets
// a program replace the result of a system call (Linux 7.x), they are answered here: a second line,
// for a process whose seccomp filter lets them through. Nobody can answer the 32-bit entry points.
#pragma once

static __always_inline int on_own_call(__u16 vector, __u32 call)
{
    struct cbpf_task_mark *mark = mark_of(current());
    // The agent has no content of anybody's.
    if (!mark || mark->flags & CBPF_TASK_AGENT)
        return 0;
    return judge_target(
        current(), mark, vector, CBPF_HOOK_SYSTEM_CALL, CBPF_TIER_SYSTEM_CALL, call, 0);
}

#define OWN_CALL(name, vector, call)                                                         \
    SEC("fmod_ret/" CALL_ENTRY #name)                                                        \
    int BPF_PROG(call_##name, const struct pt_regs *registers)                               \
    {                                                                                        \
        return on_own_call(vector, call);                                                    \
    }
