// SPDX-License-Identifier: Apache-2.0
// Access to a protected process from outside it.
#pragma once

#define PTRACE_MODE_READ 1
#define PTRACE_MODE_ATTACH 2
#define PTRACE_MODE_NOAUDIT 4
#define RESOURCE_CORE 4

// The file that a thread has under a number, or 0.
static __always_inline struct file *file_of(struct task_struct *task, __u64 number)
{
    struct fdtable *table = BPF_CORE_READ(task, files, fdt);
    if (number >= BPF_CORE_READ(table, max_fds))
        return 0;
    struct file **slots = BPF_CORE_READ(table, fd);
    struct file *file = 0;
    bpf_probe_read_kernel(&file, sizeof file, slots + number);
    return file;
}

// Whether the descriptor that pidfd_getfd(2) asks for is a memfd_secret file.
static __always_inline bool is_secret_descriptor(struct task_struct *task, __u64 number)
{
    struct file *file = file_of(task, number);
    return file && BPF_CORE_READ(file, f_inode, i_sb, s_magic) == SECRETMEM_MAGIC;
}

// 0 when the access is none to be judged here. Files under /proc are judged when they are opened,
// and links there when they are followed: ps, runc and kubectl exec read those that are left.
static __always_inline __u16 vector_of_access(
    const struct entry *entry, unsigned int mode, struct task_struct *target)
{
    bool attach = mode & PTRACE_MODE_ATTACH;
    switch (entry->call) {
    case CALL_PTRACE: return 1;
    case CALL_PROCESS_VM_READV: return 8;
    case CALL_PROCESS_VM_WRITEV: return 9;
    case CALL_PIDFD_GETFD: return is_secret_descriptor(target, entry->second) ? 10 : 11;
    case CALL_KCMP: return 17;
    case CALL_PROCESS_MADVISE: return 18;
    // task_movememory is asked next, and judges it.
    case CALL_MOVE_PAGES:
    case CALL_MIGRATE_PAGES: return 0;
    case CALL_GET_ROBUST_LIST: return 21;
    // By a pidfd, as crun does it, which is checked in read mode; by a file of /proc/PID/ns, as
    // runc does it, nobody is asked here.
    case CALL_SETNS: return 16;
    case CALL_READ:
    case CALL_PREAD64:
    case CALL_READV:
    case CALL_PREADV: return mode & PTRACE_MODE_NOAUDIT ? 0 : 47;
    // By then the file was let through: a process has executed a wrapper since.
    default: return attach ? (opens(entry->call) ? 4 : 1) : 0;
    }
}

// Whether no file that shows a process's memory gets through file_open: AV-004 to AV-006.
static __always_inline bool denies_memory_files(const struct cbpf_task_mark *mark)
{
    bool is_agents = mark->flags & CBPF_TASK_AGENT;
    __u32 index = is_agents ? MACHINE_POLICY : policy_of(mark->enrolment);
    struct cbpf_policy *policy = bpf_map_lookup_elem(&policies, &index);
    if (!policy)
        return false;
    if (is_agents)
        return policy->action[125] >= CBPF_DENY;
    return policy->action[4] >= CBPF_DENY && policy->action[5] >= CBPF_DENY &&
        policy->action[6] >= CBPF_DENY;
}

static __always_inline int on_ptrace_access_check(
    struct task_struct *child, unsigned int mode, __u8 tier)
{
    struct cbpf_task_mark *mark = mark_of(child);
    if (!mark || is_own_group(child) || is_of(mark, mode & PTRACE_MODE_ATTACH))
        return 0;
    struct entry entry;
    find_entry(&entry);
    __u16 vector = vector_of_access(&entry, mode, child);
    // A workload's own processes may open each other's, as at file_open.
    if (vector == 0 || (vector == 4 && (is_of(mark, false) || !denies_memory_files(mark))))
        return 0;
    return judge_target(
        child, mark, vector, CBPF_HOOK_PTRACE_ACCESS_CHECK, tier, entry.call, 0);
}

// The caller wants to be traced by its parent.
static __always_inline int on_ptrace_traceme(struct task_struct *parent, __u8 tier)
{
    struct cbpf_task_mark *mark = mark_of(current());
    if (!mark)
        return 0;
    struct cbpf_task_mark *tracer = mark_of(parent);
    if (tracer && tracer->enrolment == mark->enrolment && tracer->flags & CBPF_TASK_WRAPPER)
        return 0;
    return judge_target(current(), mark, 3, CBPF_HOOK_PTRACE_TRACEME, tier, CALL_PTRACE, 0);
}

static __always_inline __u16 vector_of_process_file(
    const struct name *name, bool in_thread, bool writes)
{
    __u16 vector = 0;
    if (IS(name, "mem"))
        vector = writes ? 5 : 4;
    else if (IS(name, "environ"))
        vector = 44;
    else if (IS(name, "maps") || IS(name, "auxv") || IS(name, "smaps") ||
             IS(name, "smaps_rollup") || IS(name, "numa_maps") || IS(name, "pagemap"))
        vector = 46;
    else if (IS(name, "stack") || IS(name, "syscall") || IS(name, "wchan") ||
             IS(name, "personality"))
        vector = 47;
    else if (writes && (IS(name, "coredump_filter") || IS(name, "clear_refs")))
        vector = 49;
    return in_thread && (vector == 4 || vector == 5 || vector == 44) ? 6 : vector;
}

static __always_inline int on_process_file(
    struct file *file, struct task_struct *owner, __u8 tier)
{
    struct cbpf_task_mark *mark = mark_of(owner);
    if (!mark || is_own_group(owner) || is_of(mark, false))
        return 0;
    struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
    struct name name, above;
    read_name(&name, dentry);
    read_name(&above, BPF_CORE_READ(dentry, d_parent, d_parent));
    unsigned int mode = BPF_CORE_READ(file, f_mode);
    __u16 vector = vector_of_process_file(&name, IS(&above, "task"), mode & FMODE_WRITE);
    if (vector == 0)
        return 0;
    return judge_target(
        owner, mark, vector, CBPF_HOOK_FILE_OPEN, tier, mode & (FMODE_READ | FMODE_WRITE),
        name.text);
}

// Every open(2) of the machine comes here. What hooks are handed the verifier knows by its type: it
// lets such fields be read as they are, which takes an instruction instead of a helper's call.
static __always_inline int on_file_open(struct file *file, __u8 tier)
{
    struct inode *inode = file->f_inode;
    unsigned long kind = inode->i_sb->s_magic;
    if (kind == CGROUP2_SUPER_MAGIC)
        return on_cgroup_file(file, tier);
    if (kind != PROC_SUPER_MAGIC)
        return 0;
    struct task_struct *owner = owner_of_proc(inode);
    return owner ? on_process_file(file, owner, tier) : on_kernel_file(file, tier);
}

// /proc/PID/{fd/N,map_files/*,root,cwd,exe}: what the link stands for, not its name.
static __always_inline int on_inode_follow_link(
    struct dentry *dentry, struct inode *inode, __u8 tier)
{
    if (inode->i_sb->s_magic != PROC_SUPER_MAGIC)
        return 0;
    struct task_struct *owner = owner_of_proc(inode);
    struct cbpf_task_mark *mark = owner ? mark_of(owner) : 0;
    if (!mark || is_own_group(owner) || is_of(mark, false))
        return 0;
    struct name name, folder;
    read_name(&name, dentry);
    read_name(&folder, BPF_CORE_READ(dentry, d_parent));
    __u16 vector = 0;
    if (IS(&folder, "fd"))
        vector = 13;
    else if (IS(&folder, "map_files"))
        vector = 14;
    else if (IS(&name, "root") || IS(&name, "cwd") || IS(&name, "exe"))
        vector = 15;
    if (vector == 0)
        return 0;
    return judge_target(
        owner, mark, vector, CBPF_HOOK_INODE_FOLLOW_LINK, tier, 0, name.text);
}

static __always_inline int on_task_setrlimit(
    struct task_struct *task, unsigned int resource, __u8 tier)
{
    struct cbpf_task_mark *mark = mark_of(task);
    if (!mark || is_own_group(task) || is_of(mark, false))
        return 0;
    if (mark->flags & CBPF_TASK_AGENT)
        return judge_target(
            task, mark, 124, CBPF_HOOK_TASK_SETRLIMIT, tier, resource, 0);
    if (resource != RESOURCE_CORE)
        return 0;
    return judge_target(task, mark, 56, CBPF_HOOK_TASK_SETRLIMIT, tier, resource, 0);
}

// Signals whose default is a core dump (signal(7)), or that runtimes answer with a dump.
static __always_inline bool dumps(int signal)
{
    switch (signal) {
    case 3: case 4: case 5: case 6: case 7: case 8: case 11: case 24: case 25: case 31:
        return true;
    default:
        return false;
    }
}

// Signals that the agent answers in order: its end is then its own doing, and it says who asked.
static __always_inline bool asks(int signal)
{
    return signal == 1 || signal == 15 || signal == 17 || signal == 18;
}

static __always_inline int on_task_kill(
    struct task_struct *task, unsigned long information, int signal, __u8 tier)
{
    // 1 is SEND_SIG_PRIV: the kernel itself, for a fault of the process's own.
    if (information == 1 || signal == 0)
        return 0;
    struct cbpf_task_mark *mark = mark_of(task);
    if (mark && mark->flags & CBPF_TASK_AGENT && !is_own_group(task) && !asks(signal))
        return judge_target(task, mark, 121, CBPF_HOOK_TASK_KILL, tier, signal, 0);
    if (!dumps(signal))
        return 0;
    // The container's runtime stops the wrapper with the signal that the image names.
    if (!mark || mark->flags & CBPF_TASK_WRAPPER || is_own_group(task) || is_of(mark, false))
        return 0;
    return judge_target(task, mark, 43, CBPF_HOOK_TASK_KILL, tier, signal, 0);
}

// A signal that tells of input (F_SETSIG of fcntl(2)) can be any, and task_kill is not asked.
// Whoever runs when the input comes is `current`: it is told as the actor, and nobody is killed for
// it.
static __always_inline int on_file_send_sigiotask(
    struct task_struct *task, int signal, __u8 tier)
{
    struct cbpf_task_mark *mark = mark_of(task);
    if (!mark || signal == 0 || (mark->flags & CBPF_TASK_WRAPPER && dumps(signal)))
        return 0;
    bool is_agents = mark->flags & CBPF_TASK_AGENT;
    if (is_agents ? asks(signal) : !dumps(signal))
        return 0;
    struct attempt attempt = attempt_on(
        task, mark, is_agents ? 121 : 43, CBPF_HOOK_FILE_SEND_SIGIOTASK, tier, signal, 0);
    attempt.spares_caller = true;
    return judge(&attempt);
}

static __always_inline int on_task_movememory(struct task_struct *task, __u8 tier)
{
    struct cbpf_task_mark *mark = mark_of(task);
    if (!mark || is_own_group(task) || is_of(mark, false))
        return 0;
    return judge_target(task, mark, 20, CBPF_HOOK_TASK_MOVEMEMORY, tier, 0, 0);
}

// A memfd_secret file arrives at a process that is no protected one.
static __always_inline int on_file_receive(struct file *file, __u8 tier)
{
    if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != SECRETMEM_MAGIC || mark_of(current()))
        return 0;
    struct entry entry;
    find_entry(&entry);
    // Judged by ptrace_access_check.
    if (entry.call == CALL_PIDFD_GETFD)
        return 0;
    // Into a call that executes a program only the holder of its filter's listener can put a
    // descriptor, and only one of its own: a wrapper that has not registered, to its program.
    if (entry.call == CALL_EXECVE)
        return 0;
    return judge_machine(12, CBPF_HOOK_FILE_RECEIVE, tier, entry.call, 0);
}

static __always_inline int on_inode_init_security_anon(struct qstr *anonymous, __u8 tier)
{
    struct cbpf_task_mark *mark = mark_of(current());
    if (!mark)
        return 0;
    unsigned char *kind = BPF_CORE_READ(anonymous, name);
    struct name text;
    read_text(&text, kind);
    __u16 vector = IS(&text, "[userfaultfd]") ? 35 : IS(&text, "[io_uring]") ? 104 : 0;
    if (vector == 0)
        return 0;
    return judge_target(
        current(), mark, vector, CBPF_HOOK_INODE_INIT_SECURITY_ANON, tier, 0, text.text);
}
