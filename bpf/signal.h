// SPDX-License-Identifier: Apache-2.0
// The last tier, where neither LSM programs nor fmod_ret run: a tracepoint sees the call, and
// whoever made it is killed. The call itself goes on to its end.
#pragma once

// BPF_PROG_TYPE_MAX is far below; a shift by more is none.
#define PROGRAM_TYPES_MAX 64
// An entry of the tree that is a node has this bit, and not the other (include/linux/xarray.h).
#define TREE_NODE 2
#define TREE_ENTRY_BITS 3
// Levels of the tree: numbers of processes have 22 bits at most, a level takes 6, or 4 with
// CONFIG_BASE_SMALL.
#define TREE_LEVELS_MAX 6
#define TREE_LEVEL_BITS(slots) ((slots) == 64 ? 6 : 4)
// Major and minor number of /dev/mem, as the kernel keeps them (include/linux/kdev_t.h).
#define DEVICE_MEMORY (1 << 20 | 1)
#define PTRACE_REQUEST_TRACEME 0

// The answer is 0 always: a tracepoint has nobody to tell.
static __noinline int contain(struct attempt *attempt)
{
    if (!attempt)
        return 0;
    __u32 index = attempt->policy;
    struct cbpf_policy *policy = bpf_map_lookup_elem(&policies, &index);
    __u32 vector = attempt->vector;
    if (!policy || vector >= CBPF_VECTORS_MAX)
        return 0;
    __u32 action = policy->action[vector];
    struct cbpf_counts *count = bpf_map_lookup_elem(&counts, &vector);
    if (action == CBPF_ALLOW || !count)
        return 0;
    count_one(&count->attempts);
    // The end of the protected process is nobody's protection: what it does itself is only told.
    bool kills = action >= CBPF_DENY && attempt->target != current();
    bool killed = kills && bpf_send_signal(SIGNAL_KILL) == 0;
    report(attempt, killed ? CBPF_KILLED : CBPF_OBSERVED, count);
    return 0;
}

static __always_inline void contain_machine(
    __u16 vector, __u8 hook, __u64 detail, const char *object)
{
    struct attempt attempt = {
        .object = object, .detail = detail, .policy = MACHINE_POLICY, .vector = vector,
        .hook = hook, .tier = CBPF_TIER_SIGNAL};
    contain(&attempt);
}

// Whether the calling thread may do that to the target: it is not protected from it.
static __always_inline struct cbpf_task_mark *protection_of(struct task_struct *target, bool attach)
{
    struct cbpf_task_mark *mark = target ? mark_of(target) : 0;
    return mark && !is_own_group(target) && !is_of(mark, attach) ? mark : 0;
}

static __always_inline void contain_target(
    struct task_struct *target, bool attach, __u16 vector, __u64 detail)
{
    struct cbpf_task_mark *mark = protection_of(target, attach);
    if (!mark || vector == 0)
        return;
    struct attempt attempt = attempt_on(
        target, mark, vector, CBPF_HOOK_SYS_ENTER, CBPF_TIER_SIGNAL, detail, 0);
    contain(&attempt);
}

// Who has the number in the calling thread's process namespace, or 0. Walks the namespace's tree of
// numbers, as find_pid_ns() does: bpf_task_from_pid came with Linux 6.2 and knows only the host's
// numbers, bpf_task_from_vpid with 7.x.
static __noinline struct pid *find_number(__u32 number)
{
    struct pid *own = BPF_CORE_READ(current(), thread_pid);
    __u32 level = BPF_CORE_READ(own, level);
    struct pid_namespace *space = 0;
    bpf_probe_read_kernel(
        &space, sizeof space,
        (void *)own + bpf_core_field_offset(struct pid, numbers) +
            (__u64)level * bpf_core_type_size(struct upid) +
            bpf_core_field_offset(struct upid, ns));
    __u64 index = number - BPF_CORE_READ(space, idr.idr_base);
    __u64 entry = (__u64)BPF_CORE_READ(space, idr.idr_rt.xa_head);
    __u64 slots = bpf_core_field_size(struct xa_node, slots) / sizeof(void *);
    __u64 rest = index;
    for (int depth = 0; depth < TREE_LEVELS_MAX; depth++) {
        if ((entry & TREE_ENTRY_BITS) != TREE_NODE)
            break;
        struct xa_node *node = (void *)(entry - TREE_NODE);
        __u8 shift = BPF_CORE_READ(node, shift);
        __u64 slot = rest >> (shift & 63);
        if (slot >= slots)
            return 0;
        bpf_probe_read_kernel(
            &entry, sizeof entry,
            (void *)node + bpf_core_field_offset(struct xa_node, slots) + slot * sizeof(void *));
        rest &= (1ULL << (shift & 63)) - 1;
    }
    // The number is not used, or the tree has no node for it.
    return (entry & TREE_ENTRY_BITS) == 0 && rest == 0 ? (struct pid *)entry : 0;
}

static __always_inline struct task_struct *task_by_number(__u64 number)
{
    struct pid *pid = (__s32)number > 0 ? find_number((__u32)number) : 0;
    return pid ? task_of(pid) : 0;
}

// Whom a pidfd of the calling process stands for: a file of its own file system since Linux 6.9, an
// anonymous one before.
static __noinline struct task_struct *task_by_descriptor(__u32 number)
{
    struct file *file = file_of(current(), number);
    if (!file)
        return 0;
    struct pid *pid = 0;
    struct name name;
    read_name(&name, BPF_CORE_READ(file, f_path.dentry));
    if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) == PID_FS_MAGIC)
        pid = BPF_CORE_READ(file, f_inode, i_private);
    else if (IS(&name, "[pidfd]"))
        pid = BPF_CORE_READ(file, private_data);
    return pid ? task_of(pid) : 0;
}

static __always_inline void enter_signal(struct task_struct *target, int number)
{
    struct cbpf_task_mark *mark = target ? mark_of(target) : 0;
    if (!mark)
        return;
    bool is_agents = mark->flags & CBPF_TASK_AGENT;
    // The container's runtime stops the wrapper with the signal that the image names.
    bool judged = is_agents ? number != 0 && !asks(number)
                            : dumps(number) && !(mark->flags & CBPF_TASK_WRAPPER);
    if (judged)
        contain_target(target, false, is_agents ? 121 : 43, number);
}

static __noinline int enter_ptrace(const struct arguments *arguments)
{
    if (!arguments)
        return 0;
    if (arguments->first != PTRACE_REQUEST_TRACEME) {
        contain_target(
            task_by_number(arguments->second), true, 1, arguments->first);
        return 0;
    }
    struct task_struct *task = current(), *parent = BPF_CORE_READ(task, real_parent);
    struct cbpf_task_mark *mark = mark_of(task), *tracer = mark_of(parent);
    if (!mark || (tracer && tracer->enrolment == mark->enrolment &&
                  tracer->flags & CBPF_TASK_WRAPPER))
        return 0;
    struct attempt attempt = attempt_on(
        task, mark, 3, CBPF_HOOK_SYS_ENTER, CBPF_TIER_SIGNAL, CALL_PTRACE, 0);
    contain(&attempt);
    return 0;
}

// The attributes are read from the caller's memory, which may change after: what is lost is the
// vector's number at worst, for an event on a protected thread is judged whatever it samples.
static __noinline int enter_perf(const struct arguments *arguments)
{
    if (!arguments)
        return 0;
    struct {
        __u32 type, size;
        __u64 configuration, period, samples;
    } attributes = {};
    bpf_probe_read_user(&attributes, sizeof attributes, (void *)arguments->first);
    struct task_struct *target = task_by_number(arguments->second);
    if (target)
        contain_target(
            target, true, attributes.type == PERF_BREAKPOINT ? 27 : 25, attributes.samples);
    else if ((__s32)arguments->second == -1 && attributes.samples & PERF_SHOWS_USER)
        contain_machine(26, CBPF_HOOK_SYS_ENTER, attributes.samples, 0);
    return 0;
}

static __noinline int enter_bpf(const struct arguments *arguments)
{
    if (!arguments || arguments->first != COMMAND_PROG_LOAD || is_agent())
        return 0;
    __u32 type = 0;
    bpf_probe_read_user(&type, sizeof type, (void *)arguments->second);
    if (type < PROGRAM_TYPES_MAX && READING_TYPES >> type & 1)
        contain_machine(31, CBPF_HOOK_SYS_ENTER, type, 0);
    return 0;
}

// A protected process makes one of these itself.
static __always_inline void enter_own(__u16 vector, __u32 call)
{
    struct cbpf_task_mark *mark = mark_of(current());
    if (!mark)
        return;
    struct attempt attempt = attempt_on(
        current(), mark, vector, CBPF_HOOK_SYS_ENTER, CBPF_TIER_SIGNAL, call, 0);
    contain(&attempt);
}

static __noinline int enter_by_number(const struct arguments *arguments, __u32 call)
{
    if (!arguments)
        return 0;
    struct task_struct *first = task_by_number(arguments->first);
    switch (call) {
    case CALL_PROCESS_VM_READV: contain_target(first, true, 8, call); break;
    case CALL_PROCESS_VM_WRITEV: contain_target(first, true, 9, call); break;
    case CALL_MOVE_PAGES:
    case CALL_MIGRATE_PAGES: contain_target(first, false, 20, call); break;
    case CALL_GET_ROBUST_LIST: contain_target(first, false, 21, call); break;
    case CALL_KILL:
    case CALL_TKILL: enter_signal(first, (int)arguments->second); break;
    case CALL_PRLIMIT64: {
        struct cbpf_task_mark *mark = first && arguments->third ? mark_of(first) : 0;
        if (mark && mark->flags & CBPF_TASK_AGENT)
            contain_target(first, false, 124, arguments->second);
        else if (mark && arguments->second == RESOURCE_CORE)
            contain_target(first, false, 56, arguments->second);
        break;
    }
    }
    return 0;
}

static __noinline int enter_by_descriptor(
    const struct arguments *arguments, __u32 call)
{
    if (!arguments)
        return 0;
    struct task_struct *target = task_by_descriptor((__u32)arguments->first);
    if (!target)
        return 0;
    switch (call) {
    case CALL_PIDFD_GETFD:
        contain_target(
            target, true, is_secret_descriptor(target, arguments->second) ? 10 : 11, call);
        break;
    case CALL_PROCESS_MADVISE: contain_target(target, false, 18, call); break;
    case CALL_SETNS: contain_target(target, false, 16, call); break;
    case CALL_PIDFD_SEND_SIGNAL: enter_signal(target, (int)arguments->second); break;
    }
    return 0;
}

static __always_inline int enter(const struct arguments *arguments, __u32 call)
{
    switch (call) {
    case CALL_PTRACE: return enter_ptrace(arguments);
    case CALL_PERF_EVENT_OPEN: return enter_perf(arguments);
    case CALL_BPF: return enter_bpf(arguments);
    case CALL_PROCESS_VM_READV:
    case CALL_PROCESS_VM_WRITEV:
    case CALL_MOVE_PAGES:
    case CALL_MIGRATE_PAGES:
    case CALL_GET_ROBUST_LIST:
    case CALL_KILL:
    case CALL_TKILL:
    case CALL_PRLIMIT64: return enter_by_number(arguments, call);
    case CALL_TGKILL:
        enter_signal(task_by_number(arguments->second), (int)arguments->third);
        return 0;
    case CALL_KCMP:
        contain_target(task_by_number(arguments->first), false, 17, call);
        contain_target(task_by_number(arguments->second), false, 17, call);
        return 0;
    case CALL_PIDFD_GETFD:
    case CALL_PROCESS_MADVISE:
    case CALL_SETNS:
    case CALL_PIDFD_SEND_SIGNAL: return enter_by_descriptor(arguments, call);
    case CALL_INIT_MODULE:
    case CALL_FINIT_MODULE:
        contain_machine(is_automatic() ? 65 : 64, CBPF_HOOK_SYS_ENTER, call, 0);
        return 0;
    case CALL_KEXEC_LOAD: contain_machine(68, CBPF_HOOK_SYS_ENTER, call, 0); return 0;
    case CALL_KEXEC_FILE_LOAD:
        contain_machine(69, CBPF_HOOK_SYS_ENTER, call, 0);
        return 0;
    case CALL_USERFAULTFD: enter_own(35, call); return 0;
    case CALL_IO_URING_SETUP: enter_own(104, call); return 0;
    }
    return 0;
}

SEC("raw_tp/sys_enter")
int signal_sys_enter(unsigned long long *ctx)
{
    struct pt_regs *registers = (void *)ctx[0];
    bool compatible = is_compatible(current());
    __u32 number = (__u32)ctx[1];
    struct arguments arguments = {};
    read_arguments(&arguments, registers, compatible);
    return enter(
        &arguments, compatible ? from_compatible_entry(number) : from_native_entry(number));
}

// What was opened is told by the file that is there now, never by the path that was asked for.
static __noinline int opened(struct file *file)
{
    struct inode *inode = BPF_CORE_READ(file, f_inode);
    unsigned long kind = BPF_CORE_READ(inode, i_sb, s_magic);
    unsigned int mode = BPF_CORE_READ(file, f_mode);
    bool writes = mode & FMODE_WRITE;
    if (BPF_CORE_READ(inode, i_rdev) == DEVICE_MEMORY) {
        contain_machine(59, CBPF_HOOK_SYS_EXIT, mode & (FMODE_READ | FMODE_WRITE), 0);
        return 0;
    }
    if (kind != PROC_SUPER_MAGIC && kind != TRACEFS_MAGIC)
        return 0;
    struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
    struct name name, above;
    read_name(&name, dentry);
    struct task_struct *owner = kind == PROC_SUPER_MAGIC ? owner_of_proc(inode) : 0;
    if (owner) {
        read_name(&above, BPF_CORE_READ(dentry, d_parent, d_parent));
        struct cbpf_task_mark *mark = protection_of(owner, false);
        __u16 vector = vector_of_process_file(&name, IS(&above, "task"), writes);
        if (!mark || vector == 0)
            return 0;
        struct attempt attempt = attempt_on(
            owner, mark, vector, CBPF_HOOK_SYS_EXIT, CBPF_TIER_SIGNAL,
            mode & (FMODE_READ | FMODE_WRITE), name.text);
        contain(&attempt);
        return 0;
    }
    __u16 vector = 0;
    if (kind == PROC_SUPER_MAGIC)
        vector = IS(&name, "kcore") ? 58 : writes ? vector_of_kernel_file(&name) : 0;
    else if (writes)
        vector = IS(&name, "uprobe_events") ? 29 : IS(&name, "kprobe_events") ? 30 : 0;
    if (vector != 0)
        contain_machine(
            vector, CBPF_HOOK_SYS_EXIT, mode & (FMODE_READ | FMODE_WRITE), name.text);
    return 0;
}

SEC("raw_tp/sys_exit")
int signal_sys_exit(unsigned long long *ctx)
{
    struct pt_regs *registers = (void *)ctx[0];
    long result = (long)ctx[1];
    if (result < 0)
        return 0;
    __u32 number = number_of_call(registers);
    __u32 call = is_compatible(current()) ? from_compatible_entry(number)
                                          : from_native_entry(number);
    if (call == CALL_IO_URING_ENTER || !opens(call))
        return 0;
    struct file *file = file_of(current(), (__u64)result);
    if (file)
        opened(file);
    return 0;
}

// In the place of task_alloc and task_free. The child has not run yet. Nobody can refuse it here:
// one that finds no room in the table goes without protection.
SEC("raw_tp/sched_process_fork")
int follow_fork(unsigned long long *ctx)
{
    struct task_struct *parent = (void *)ctx[0], *child = (void *)ctx[1];
    bool is_thread = BPF_CORE_READ(parent, tgid) == BPF_CORE_READ(child, tgid);
    on_task_alloc(child, is_thread ? CLONE_THREAD : 0, CBPF_TIER_SIGNAL);
    return 0;
}

SEC("raw_tp/sched_process_free")
int follow_free(unsigned long long *ctx)
{
    unmark((struct task_struct *)ctx[0]);
    return 0;
}
