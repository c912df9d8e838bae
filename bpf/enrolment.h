// SPDX-License-Identifier: Apache-2.0
// Who is protected: marks on threads, handed down to what they start.
#pragma once

static __always_inline int on_task_alloc(
    struct task_struct *task, unsigned long clone_flags, __u8 tier)
{
    struct cbpf_task_mark *own = mark_of(current());
    // Of a thread that had this place before, where nobody was asked at its end: see forget_task.
    unmark(task);
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

// The end of the address as a name for this thread. Where the kernel preempts itself it passes over
// a tracing program that is interrupted on the same processor (__bpf_prog_enter_recur), and no LSM
// program: what keeps the books is one wherever the LSM's programs run.
SEC("fentry/security_task_free")
int BPF_PROG(forget_task, struct task_struct *task)
{
    unmark(task);
    return 0;
}
SEC("lsm/task_free")
int BPF_PROG(book_task_free, struct task_struct *task)
{
    unmark(task);
    return 0;
}

// Whether somebody listens at a filter of the task (seccomp_unotify(2)): who does sees arguments
// of calls and can hand in descriptors.
static __always_inline bool has_listener(struct task_struct *task)
{
    struct seccomp_filter *filter = BPF_CORE_READ(task, seccomp.filter);
    for (int index = 0; index < CBPF_FILTERS_MAX; index++) {
        if (!filter)
            return false;
        if (BPF_CORE_READ(filter, notif))
            return true;
        filter = BPF_CORE_READ(filter, prev);
    }
    return filter != 0;
}

static __always_inline bool has_ring(struct task_struct *task)
{
    return bpf_core_field_exists(task->io_uring) && BPF_CORE_READ(task, io_uring) != 0;
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
        .state = (has_listener(task) ? CBPF_START_LISTENER : 0) |
            (has_ring(task) ? CBPF_START_RING : 0),
    };
    __u64 memory = (__u64)BPF_CORE_READ(task, mm);
    bpf_map_update_elem(&pending_memory, &memory, &group, BPF_ANY);
    bpf_seq_write(context->meta->seq, &facts, sizeof facts);
    return 0;
}

// Shows open files, of anybody, by which somebody has a hand in the groups in `pending`. Runs after
// `enrol`, which notes their memory.
SEC("iter/task_file")
int enrol_files(struct bpf_iter__task_file *context)
{
    struct task_struct *task = context->task;
    struct file *file = context->file;
    if (!task || !file || BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
        return 0;
    struct name name;
    read_name(&name, BPF_CORE_READ(file, f_path.dentry));
    struct cbpf_task_facts facts = {
        .thread = BPF_CORE_READ(task, pid), .parent_group = BPF_CORE_READ(task, tgid)};
    __u32 holder = (__u32)facts.parent_group;
    facts.group = facts.parent_group;
    if (IS(&name, "[io_uring]") && bpf_map_lookup_elem(&pending, &holder)) {
        facts.state = CBPF_START_RING;
    } else if (IS(&name, "[userfaultfd]")) {
        struct userfaultfd_ctx *faults = BPF_CORE_READ(file, private_data);
        __u64 memory = (__u64)BPF_CORE_READ(faults, mm);
        __u32 *group = bpf_map_lookup_elem(&pending_memory, &memory);
        if (!group)
            return 0;
        facts.group = (int)*group;
        facts.state = CBPF_START_USERFAULT;
    } else {
        return 0;
    }
    bpf_seq_write(context->meta->seq, &facts, sizeof facts);
    return 0;
}
