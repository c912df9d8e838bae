// SPDX-License-Identifier: Apache-2.0
// The few kernel types the programs read, written by hand instead of a generated vmlinux.h (2 MB).
// preserve_access_index makes libbpf relocate each field to its place in the running kernel.
#pragma once

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
#define true 1
#define false 0

// Values of enum bpf_map_type and flags (include/uapi/linux/bpf.h), an ABI.
#define BPF_MAP_TYPE_HASH 1
#define BPF_MAP_TYPE_ARRAY 2
#define BPF_MAP_TYPE_PERCPU_ARRAY 6
#define BPF_MAP_TYPE_LRU_HASH 9
#define BPF_MAP_TYPE_LRU_PERCPU_HASH 10
#define BPF_MAP_TYPE_RINGBUF 27
#define BPF_ANY 0
#define BPF_NOEXIST 1
#define BPF_F_NO_PREALLOC 1

// Commands of bpf(2) and program types that can read memory (include/uapi/linux/bpf.h), an ABI.
enum bpf_command {
    COMMAND_PROG_LOAD = 5,
    COMMAND_LINK_GET_FD_BY_ID = 30,
};

// errno values (include/uapi/asm-generic/errno-base.h), an ABI.
#define EPERM 1
#define EAGAIN 11

#define PF_KTHREAD 0x00200000
#define PROC_SUPER_MAGIC 0x9fa0
#define SECRETMEM_MAGIC 0x5345434d
#define BPF_FS_MAGIC 0xcafe4a11
#define CGROUP2_SUPER_MAGIC 0x63677270
#define TRACEFS_MAGIC 0x74726163
#define PID_FS_MAGIC 0x50494446
#define MOUNT_MOVE 8192
#define UMOUNT_DETACH 2
// Of mnt_flags (include/linux/mount.h) and, since Linux 6.17, of mnt_t_flags (fs/mount.h).
#define MOUNT_SHARED 0x1000
#define MOUNT_SHARED_NEW 1
#define ANON_INODE_FS_MAGIC 0x09041934
// A tracer watched the exec (include/linux/security.h).
#define UNSAFE_PTRACE 2
#define FMODE_READ 1
#define FMODE_WRITE 2
#define CLONE_THREAD 0x00010000
#define SIGNAL_KILL 9

// enum bpf_func_id, for asking whether a helper exists.
enum bpf_func_id {
    BPF_FUNC_unspec = 0,
    BPF_FUNC_task_pt_regs = 175,
    BPF_FUNC_loop = 181,
};

// Only its type's name counts.
enum bpf_prog_type {
    BPF_PROG_TYPE_UNSPEC = 0,
};

// include/uapi/linux/bpf.h, an ABI.
struct instruction {
    __u8 code;
    __u8 registers;
    __s16 offset;
    __s32 immediate;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct hlist_node {
    struct hlist_node *next;
};
struct hlist_head {
    struct hlist_node *first;
};
struct list_head {
    struct list_head *next, *prev;
};

struct xarray {
    void *xa_head;
};

// A node of the tree that finds a process by its number (include/linux/xarray.h).
struct xa_node {
    unsigned char shift;
    void *slots[64];
};

struct idr {
    struct xarray idr_rt;
    unsigned int idr_base;
};

struct pid_namespace {
    struct idr idr;
};

struct upid {
    int nr;
    struct pid_namespace *ns;
};

struct pid {
    unsigned int level;
    struct hlist_head tasks[4];
    struct upid numbers[1];
};

struct super_block {
    __u32 s_dev;
    unsigned long s_magic;
};

struct inode {
    struct super_block *i_sb;
    unsigned long i_ino;
    unsigned short i_mode;
    __u32 i_rdev;
    void *i_private;
};

struct proc_inode {
    struct pid *pid;
    struct inode vfs_inode;
};

struct qstr {
    unsigned char *name;
    __u32 len;
};

struct dentry {
    struct dentry *d_parent;
    struct qstr d_name;
    struct inode *d_inode;
    struct super_block *d_sb;
};

struct vfsmount {
    struct super_block *mnt_sb;
    int mnt_flags;
};

struct ns_common {
    unsigned int inum;
};
struct mnt_namespace {
    struct ns_common ns;
};

struct mount {
    struct mount *mnt_parent;
    struct vfsmount mnt;
    struct list_head mnt_mounts, mnt_child;
    struct mnt_namespace *mnt_ns;
};
// Since Linux 6.17.
struct mount___shared {
    int mnt_t_flags;
};

struct bpf_map {
    __u32 id;
};

struct bpf_prog;
struct bpf_prog_aux {
    __u32 id;
    struct bpf_prog *prog;
};

struct bpf_insn {
    __u8 code;
};

struct bpf_prog {
    enum bpf_prog_type type;
    __u32 len;
    struct bpf_prog_aux *aux;
    struct bpf_insn insnsi[0];
};

struct fown_struct;

struct linux_binprm {
    struct file *file;
    unsigned int unsafe;
};

struct path {
    struct dentry *dentry;
};

struct file {
    struct inode *f_inode;
    struct path f_path;
    unsigned int f_mode;
    void *private_data;
};

// What a descriptor of userfaultfd(2) stands for.
struct userfaultfd_ctx {
    struct mm_struct *mm;
};

// `notif` is there as long as somebody holds the filter's listener (seccomp_unotify(2)).
struct seccomp_filter {
    struct seccomp_filter *prev;
    void *notif;
};

struct seccomp {
    struct seccomp_filter *filter;
};

struct io_uring_task;

struct kernfs_node {
    __u64 id;
};

struct cgroup {
    struct kernfs_node *kn;
};

struct css_set {
    struct cgroup *dfl_cgrp;
};

struct fdtable {
    unsigned int max_fds;
    struct file **fd;
};

struct files_struct {
    struct fdtable *fdt;
};

struct mm_struct {
    struct file *exe_file;
};

typedef struct {
    __u32 val;
} kuid_t;

// Two words of 32 bits before Linux 6.3, one of 64 since: only where it starts is asked.
struct kernel_capabilities {
    __u64 val;
};

struct cred {
    kuid_t uid;
    struct kernel_capabilities cap_effective;
};

// `status` is x86's, `flags` everybody's.
struct thread_info {
    unsigned long flags;
    __u32 status;
};

struct task_struct {
    struct thread_info thread_info;
    void *stack;
    unsigned int flags;
    unsigned int ptrace;
    struct mm_struct *mm;
    int pid;
    int tgid;
    struct task_struct *real_parent;
    struct task_struct *parent;
    struct list_head children;
    struct task_struct *group_leader;
    struct pid *thread_pid;
    struct hlist_node pid_links[4];
    __u64 start_boottime;
    struct cred *cred;
    char comm[16];
    struct files_struct *files;
    struct seccomp seccomp;
    struct io_uring_task *io_uring;
    struct css_set *cgroups;
};

struct pmu {
    char *name;
};

struct trace_event_class {
    const char *system;
};
struct trace_event_call {
    struct trace_event_class *class;
};

struct hw_perf_event {
    struct task_struct *target;
};

struct perf_event_attr {
    __u32 type;
    __u64 sample_type;
};

struct perf_event {
    struct perf_event_attr attr;
    struct hw_perf_event hw;
    struct pmu *pmu;
    // Of a counter of tracepoints.
    struct trace_event_call *tp_event;
};

struct in6_addr;
struct sock_common {
    unsigned short skc_family;
    __be16 skc_dport;
    __be32 skc_daddr;
    struct {
    } skc_v6_daddr;
};
struct sock {
    struct sock_common __sk_common;
};
struct socket {
    short type;
    struct file *file;
    struct sock *sk;
};

struct iovec {
    void *iov_base;
    unsigned long iov_len;
};
struct bio_vec {
    struct page *bv_page;
    unsigned int bv_len;
    unsigned int bv_offset;
};
struct iov_iter {
    __u8 iter_type;
    unsigned long iov_offset;
    unsigned long count;
    const struct iovec *iov;
    const struct iovec *kvec;
    const struct bio_vec *bvec;
    void *ubuf;
    unsigned long nr_segs;
};
// Since Linux 6.4.
struct iov_iter___renamed {
    const struct iovec *__iov;
};
struct msghdr {
    void *msg_name;
    int msg_namelen;
    unsigned int msg_flags;
    struct iov_iter msg_iter;
};
struct page {
    unsigned long flags;
};

struct rlimit;
struct kernel_siginfo;

struct seq_file;
struct bpf_iter_meta {
    struct seq_file *seq;
};

struct bpf_iter__task {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
};

struct bpf_iter__task_file {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
    __u32 fd;
    struct file *file;
};

#pragma clang attribute pop

// Kernel enumerations whose values moved between versions: only names are used.
enum lockdown_reason {
    LOCKDOWN_NONE = 0,
    LOCKDOWN_MODULE_SIGNATURE,
    LOCKDOWN_DEV_MEM,
    LOCKDOWN_KEXEC,
    LOCKDOWN_HIBERNATION,
    LOCKDOWN_PCI_ACCESS,
    LOCKDOWN_IOPORT,
    LOCKDOWN_MSR,
    LOCKDOWN_BPF_WRITE_USER,
    LOCKDOWN_DBG_WRITE_KERNEL,
    LOCKDOWN_DEBUGFS,
    LOCKDOWN_KCORE,
    LOCKDOWN_KPROBES,
    LOCKDOWN_BPF_READ_KERNEL,
    LOCKDOWN_DBG_READ_KERNEL,
    LOCKDOWN_TRACEFS,
};
enum kernel_read_file_id {
    READING_UNKNOWN = 0,
    READING_MODULE,
    READING_KEXEC_IMAGE,
    READING_KEXEC_INITRAMFS,
};
enum kernel_load_data_id {
    LOADING_UNKNOWN = 0,
    LOADING_MODULE,
    LOADING_KEXEC_IMAGE,
    LOADING_KEXEC_INITRAMFS,
};
enum iter_type {
    ITER_NONE_OF_THESE = 100,
    ITER_UBUF,
    ITER_IOVEC,
    ITER_KVEC,
    ITER_BVEC,
};
