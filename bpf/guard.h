// SPDX-License-Identifier: Apache-2.0
// The agent guards itself: its process, its maps, programs, links and pins, its cgroup.
#pragma once

// Whether the id is of the agent's and somebody else asks.
static __always_inline bool is_guarded(__u32 kind, __u32 id)
{
    struct cbpf_guarded_key key = {.kind = kind, .id = id};
    return bpf_map_lookup_elem(&guarded_ids, &key) != 0 && !is_agent() &&
        !is_open(CBPF_SUCCESSOR_ANY);
}

static __always_inline int on_bpf_map(struct bpf_map *map, unsigned int mode, __u8 tier)
{
    __u32 id = BPF_CORE_READ(map, id);
    return is_guarded(CBPF_GUARDED_MAP, id)
        ? judge_machine(126, CBPF_HOOK_BPF_MAP, tier, id, 0) : 0;
}

static __always_inline int on_link_by_id(__u32 id, __u8 tier)
{
    return is_guarded(CBPF_GUARDED_LINK, id)
        ? judge_machine(127, CBPF_HOOK_BPF, tier, id, 0) : 0;
}

// Whether the file system is that of the pins and somebody else asks.
static __always_inline bool holds_pins(struct super_block *system)
{
    struct cbpf_guard *cell = guard_cell();
    return cell && cell->pins_device != 0 && BPF_CORE_READ(system, s_magic) == BPF_FS_MAGIC &&
        BPF_CORE_READ(system, s_dev) == cell->pins_device && !is_agent() &&
        !is_open(CBPF_SUCCESSOR_ANY);
}

// An entry of the pins' folder, or the folder itself.
static __always_inline bool is_pin(struct inode *folder, struct dentry *entry)
{
    struct super_block *system = BPF_CORE_READ(folder, i_sb);
    if (!holds_pins(system))
        return false;
    struct cbpf_guard *cell = guard_cell();
    return cell && (BPF_CORE_READ(folder, i_ino) == cell->pins_folder ||
                    BPF_CORE_READ(entry, d_inode, i_ino) == cell->pins_folder);
}

static __always_inline int on_pin(
    struct inode *folder, struct dentry *entry, __u8 hook, __u8 tier)
{
    if (!is_pin(folder, entry))
        return 0;
    return judge_machine(129, hook, tier, 0, 0);
}

static __always_inline int on_inode_unlink(
    struct inode *folder, struct dentry *entry, __u8 tier)
{
    return on_pin(folder, entry, CBPF_HOOK_INODE_UNLINK, tier);
}

static __always_inline int on_inode_rmdir(struct inode *folder, struct dentry *entry, __u8 tier)
{
    return on_pin(folder, entry, CBPF_HOOK_INODE_RMDIR, tier);
}

// What gets a pin's name takes the pin out, as what takes its name away does.
static __always_inline int on_inode_rename(
    struct inode *folder, struct dentry *entry, struct inode *to, struct dentry *new_entry,
    __u8 tier)
{
    if (!is_pin(folder, entry) && !is_pin(to, new_entry))
        return 0;
    return judge_machine(129, CBPF_HOOK_INODE_RENAME, tier, 0, 0);
}

// Two steps for each mount at most; what has more is not looked through.
#define TREE_STEPS_MAX 256
#define TREE_HOLDS_NONE 0
#define TREE_HOLDS_PINS 1
#define TREE_TOO_LARGE 2

#define mount_at(link, member)                                                               \
    ((struct mount *)((void *)(link) - bpf_core_field_offset(struct mount, member)))

// Whether whoever unmounts this takes the pins out of the namespace that they are guarded in. In
// other ones it is a copy that goes, as where a container's run-time leaves the machine's root,
// if nobody hears of it (mount_namespaces(7)).
static __always_inline bool is_guarded_mount(struct mount *mount, struct cbpf_guard *cell)
{
    struct mount *above = BPF_CORE_READ(mount, mnt_parent);
    if (BPF_CORE_READ(mount, mnt_ns, ns.inum) == cell->mounts)
        return true;
    struct mount___shared *marked = (void *)above;
    if (bpf_core_field_exists(marked->mnt_t_flags))
        return BPF_CORE_READ(marked, mnt_t_flags) & MOUNT_SHARED_NEW;
    return BPF_CORE_READ(above, mnt.mnt_flags) & MOUNT_SHARED;
}

// What is mounted below, in the kernel's own order (next_mnt in fs/namespace.c). Functions that are
// not static are verified once.
__attribute__((noinline)) int look_below(__u64 top)
{
    struct mount *mount = (struct mount *)top;
    struct cbpf_guard *cell = guard_cell();
    bool is_done = false;
    if (!cell)
        return TREE_HOLDS_NONE;
    for (int step = 0; step < TREE_STEPS_MAX; step++) {
        struct list_head *next;
        if (!is_done) {
            next = BPF_CORE_READ(mount, mnt_mounts.next);
            is_done = (void *)next ==
                (void *)mount + bpf_core_field_offset(struct mount, mnt_mounts);
            if (is_done)
                continue;
        } else {
            if ((__u64)mount == top)
                return TREE_HOLDS_NONE;
            struct mount *above = BPF_CORE_READ(mount, mnt_parent);
            next = BPF_CORE_READ(mount, mnt_child.next);
            if ((void *)next ==
                (void *)above + bpf_core_field_offset(struct mount, mnt_mounts)) {
                mount = above;
                continue;
            }
            is_done = false;
        }
        mount = mount_at(next, mnt_child);
        struct super_block *system = BPF_CORE_READ(mount, mnt.mnt_sb);
        if (BPF_CORE_READ(system, s_magic) == BPF_FS_MAGIC &&
            BPF_CORE_READ(system, s_dev) == cell->pins_device && is_guarded_mount(mount, cell))
            return TREE_HOLDS_PINS;
    }
    return TREE_TOO_LARGE;
}

// A lazy umount takes along what is mounted below, and nobody is asked about that.
static __always_inline bool takes_pins_along(struct vfsmount *top)
{
    struct cbpf_guard *cell = guard_cell();
    if (!cell || cell->mounts == 0 || is_agent() || is_open(CBPF_SUCCESSOR_ANY))
        return false;
    // Its address as a number, which a pointer is not for the verifier.
    struct vfsmount *pointer = top;
    struct vfsmount *number = 0;
    bpf_probe_read_kernel(&number, sizeof number, &pointer);
    struct mount *mount = mount_at(number, mnt);
    int answer = look_below((__u64)mount);
    return answer == TREE_HOLDS_PINS ||
        (answer == TREE_TOO_LARGE && is_guarded_mount(mount, cell));
}

static __always_inline int on_sb_umount(struct vfsmount *mount, int flags, __u8 tier)
{
    struct super_block *system = BPF_CORE_READ(mount, mnt_sb);
    if (!holds_pins(system) && !(flags & UMOUNT_DETACH && takes_pins_along(mount)))
        return 0;
    return judge_machine(130, CBPF_HOOK_SB_UMOUNT, tier, flags, 0);
}

// The old call names what it moves by a path that no hook resolves. Pins survive a move made by
// another name for the place; the next agent then has to be told with --pins where they are.
static __always_inline bool moves_pins(const char *source)
{
    struct cbpf_guard *cell = guard_cell();
    char text[sizeof cell->pins_path] = {};
    if (!cell || cell->pins_path[0] == 0)
        return false;
    bpf_probe_read_kernel_str(text, sizeof text, source);
    bool same = true;
    for (int index = 0; index < sizeof text; index++)
        same &= text[index] == cell->pins_path[index];
    return same && !is_agent() && !is_open(CBPF_SUCCESSOR_ANY);
}

static __always_inline int on_sb_mount(
    const char *source, struct path *place, unsigned long flags, __u8 tier)
{
    struct super_block *system = BPF_CORE_READ(place, dentry, d_sb);
    if (holds_pins(system))
        return judge_machine(130, CBPF_HOOK_SB_MOUNT, tier, flags, 0);
    if (flags & MOUNT_MOVE && moves_pins(source))
        return judge_machine(131, CBPF_HOOK_SB_MOUNT, tier, flags, 0);
    return 0;
}

static __always_inline int on_move_mount(struct path *from, __u8 tier)
{
    struct super_block *system = BPF_CORE_READ(from, dentry, d_sb);
    return holds_pins(system) ? judge_machine(131, CBPF_HOOK_MOVE_MOUNT, tier, 0, 0) : 0;
}

// Files by which whoever may write them stops, starves or moves the processes of a cgroup.
static __always_inline int on_cgroup_file(struct file *file, __u8 tier)
{
    if (!(BPF_CORE_READ(file, f_mode) & FMODE_WRITE))
        return 0;
    struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
    __u64 folder = BPF_CORE_READ(dentry, d_parent, d_inode, i_ino);
    __u32 *kind = bpf_map_lookup_elem(&guarded_cgroups, &folder);
    if (!kind || is_agent() || !agent_lives())
        return 0;
    struct name name;
    read_name(&name, dentry);
    __u16 vector = 0;
    if (IS(&name, "cgroup.kill"))
        vector = 122;
    else if (IS(&name, "cgroup.freeze"))
        vector = 123;
    else if (*kind == CBPF_CGROUP_OWN &&
             (IS(&name, "memory.max") || IS(&name, "memory.high") || IS(&name, "cpu.max") ||
              IS(&name, "pids.max") || IS(&name, "cgroup.type")))
        vector = 123;
    if (vector == 0)
        return 0;
    return judge_machine(vector, CBPF_HOOK_FILE_OPEN, tier, 0, name.text);
}

static __always_inline bool is_agents_file(struct file *file)
{
    struct cbpf_guard *cell = guard_cell();
    if (!cell || cell->executable_inode == 0)
        return false;
    // Read as they are, see on_file_open: every exec of the machine comes here.
    struct inode *inode = file->f_inode;
    return inode->i_ino == cell->executable_inode &&
        inode->i_sb->s_dev == cell->executable_device;
}

// Who executes a wrapper's file, untraced, is protected from its first instruction. It keeps the
// number when it registers.
static __always_inline void recognise_wrapper(
    struct task_struct *task, struct linux_binprm *binary)
{
    struct file *file = BPF_CORE_READ(binary, file);
    struct cbpf_file_key identity = {
        .inode = BPF_CORE_READ(file, f_inode, i_ino),
        .device = BPF_CORE_READ(file, f_inode, i_sb, s_dev)};
    __u32 *policy = bpf_map_lookup_elem(&wrapper_files, &identity);
    if (!policy || BPF_CORE_READ(binary, unsafe) & UNSAFE_PTRACE)
        return;
    __u64 key = (__u64)task;
    __u32 group = BPF_CORE_READ(task, tgid);
    struct cbpf_enrolment enrolment = {.policy = *policy, .wrapper_group = group};
    struct cbpf_task_mark mark = {
        .enrolment = CBPF_EXEC_ENROLMENTS | group, .flags = CBPF_TASK_WRAPPER};
    // The number is taken when what an earlier process of it started still runs: it then is
    // enrolled as any other, when it registers.
    if (bpf_map_update_elem(&enrolments, &mark.enrolment, &enrolment, BPF_NOEXIST) != 0)
        return;
    if (bpf_map_update_elem(&tasks, &key, &mark, BPF_NOEXIST) == 0)
        count_task(mark.enrolment, 1);
    else
        bpf_map_delete_elem(&enrolments, &mark.enrolment);
}

// Who executes the agent's file is the agent from its first instruction, unless a tracer watches.
// The mark is there before the new memory is: who asks for that memory by then waits for the exec
// to end (exec_update_lock), and finds it. No exec fails from here on without ending the process,
// but by a refusal of its credentials.
static __always_inline void recognise(struct linux_binprm *binary)
{
    struct task_struct *task = current();
    __u64 key = (__u64)task;
    struct cbpf_task_mark *own = bpf_map_lookup_elem(&tasks, &key);
    bool is_own_file = is_agents_file(binary->file) && !(binary->unsafe & UNSAFE_PTRACE);
    if (own && own->flags & CBPF_TASK_AGENT && !is_own_file)
        unmark(task);
    if (!own && !is_own_file)
        recognise_wrapper(task, binary);
    if (own || !is_own_file)
        return;
    struct cbpf_task_mark mark = {.enrolment = CBPF_AGENT_ENROLMENT, .flags = CBPF_TASK_AGENT};
    if (bpf_map_update_elem(&tasks, &key, &mark, BPF_NOEXIST) == 0)
        count_task(mark.enrolment, 1);
}

SEC("fentry/security_bprm_creds_from_file")
int BPF_PROG(recognise_agent, struct linux_binprm *binary)
{
    recognise(binary);
    return 0;
}
SEC("lsm/bprm_creds_from_file")
int BPF_PROG(book_exec, struct linux_binprm *binary, struct file *file, int earlier)
{
    if (earlier == 0)
        recognise(binary);
    return earlier;
}
