// SPDX-License-Identifier: Apache-2.0
// Who is protected: marks on threads, handed down to what they start.
#pragma once

static __always_inline int on_task_alloc(
    struct task_struct *task, unsigned long clone_flags, __u8 tier)
{
    struct cbpf_task_mark *own = mark_of(current());
    if (!own)
        return 0;
    struct cbpf_task_mark mark = *own;
    // The agent's children are nobody special: it attacks some of them.
    if (mark.flags & CBPF_TASK_AGENT && !(clone_flags & CLONE_THREAD))
        return 0;
    // What the wrapper and the agent may do is theirs, and not their children's.
    if (!(clone_flags & CLONE_THREAD))
        mark.flags = 0;
    __u64 key = (__u64)task;
    // A thread that could not be protected must not come to be.
    if (bpf_map_update_elem(&tasks, &key, &mark, BPF_ANY) != 0)
        return -EAGAIN;
    count_task(mark.enrolment, 1);
    return 0;
}

// The end of the address as a name for this thread.
SEC("fentry/security_task_free")
int BPF_PROG(forget_task, struct task_struct *task)
{
    unmark(task);
    return 0;
}

// Marks the threads of the groups in `pending`, and shows each of them to the reader.
SEC("iter/task")
int enrol(struct bpf_iter__task *context)
{
    struct task_struct *task = context->task;
    if (!task)
        return 0;
    __u32 group = BPF_CORE_READ(task, tgid);
    struct cbpf_task_mark *wanted = bpf_map_lookup_elem(&pending, &group);
    if (!wanted)
        return 0;
    __u64 key = (__u64)task;
    struct cbpf_task_mark mark = *wanted;
    if (bpf_map_update_elem(&tasks, &key, &mark, BPF_NOEXIST) == 0)
        count_task(mark.enrolment, 1);
    struct cbpf_task_mark *own = bpf_map_lookup_elem(&tasks, &key);
    if (own)
        mark = *own;
    struct cbpf_task_facts facts = {
        .thread = BPF_CORE_READ(task, pid),
        .group = group,
        .parent_group = BPF_CORE_READ(task, real_parent, tgid),
        .tracer_group = BPF_CORE_READ(task, ptrace) ? BPF_CORE_READ(task, parent, tgid) : 0,
        .enrolment = mark.enrolment,
        .flags = mark.flags,
    };
    bpf_seq_write(context->meta->seq, &facts, sizeof facts);
    return 0;
}
