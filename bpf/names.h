// SPDX-License-Identifier: Apache-2.0
// Files under /proc by what they are, never by the path somebody chose to reach them.
#pragma once

// The longest name that matters, padded: compared as two words.
struct name {
    union {
        char text[16];
        __u64 words[2];
    };
};

static __always_inline void read_text(struct name *name, const void *text)
{
    name->words[0] = 0;
    name->words[1] = 0;
    bpf_probe_read_kernel_str(name->text, sizeof name->text, text);
}

static __always_inline void read_name(struct name *name, struct dentry *dentry)
{
    unsigned char *text = BPF_CORE_READ(dentry, d_name.name);
    read_text(name, text);
}

// The string's first 15 bytes count: a longer name of procfs never shares them with these.
#define IS(subject, literal) is_name(subject, &(const struct name){.text = literal})

static __always_inline bool is_name(const struct name *a, const struct name *b)
{
    return a->words[0] == b->words[0] && a->words[1] == b->words[1];
}

static __always_inline struct task_struct *task_of(struct pid *pid)
{
    struct hlist_node *first = BPF_CORE_READ(pid, tasks[0].first);
    if (!first)
        return 0;
    return (void *)first - bpf_core_field_offset(struct task_struct, pid_links);
}

// The thread that a file or folder of a proc file system belongs to, or 0.
static __always_inline struct task_struct *owner_of_proc(struct inode *inode)
{
    struct proc_inode *proc =
        (void *)inode - bpf_core_field_offset(struct proc_inode, vfs_inode);
    struct pid *pid = BPF_CORE_READ(proc, pid);
    return pid ? task_of(pid) : 0;
}

static __always_inline bool is_own_group(struct task_struct *task)
{
    return (__u32)BPF_CORE_READ(task, tgid) == (__u32)(bpf_get_current_pid_tgid() >> 32);
}
