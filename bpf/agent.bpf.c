// SPDX-License-Identifier: Apache-2.0
// The agent's programs: one decision per hook, each as an LSM program and as fmod_ret on the
// security_ function. User space loads one of the two forms, whichever its self-test shows to work.
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "../Sources/System/CBPFPrograms/include/CBPFRecords.h"

#include "maps.h"

// User space asks BTF and sets them before loading.
const volatile struct cbpf_constants constants = {
    .bpf_hook_arguments = 3,
    .load_hook_arguments = 3,
};

#include "judge.h"

#include "entry.h"

#include "names.h"

#include "guard.h"

#include "kernel_paths.h"

#include "reading.h"

#include "outside.h"

#include "enrolment.h"

#include "calls.h"

#include "signal.h"

#include "scan.h"

#include "leaks.h"

// The kernel offers the LSM helpers only to programs under a GPL-compatible licence.
char LICENSE[] SEC("license") = "Dual BSD/GPL";

// `names` are the arguments without the value of an earlier program, which LSM programs are handed
// last and must pass on: the kernel takes the answer of the last one.
#define HOOK(hook, parameters, names)                                                        \
    SEC("lsm/" #hook)                                                                        \
    int BPF_PROG(lsm_##hook, UNPACK parameters, int earlier)                                 \
    {                                                                                        \
        return earlier != 0 ? earlier : on_##hook(UNPACK names, CBPF_TIER_LSM);              \
    }                                                                                        \
    SEC("fmod_ret/security_" #hook)                                                          \
    int BPF_PROG(modify_##hook, UNPACK parameters)                                           \
    {                                                                                        \
        return on_##hook(UNPACK names, CBPF_TIER_MODIFY_RETURN);                             \
    }
#define UNPACK(...) __VA_ARGS__

HOOK(ptrace_access_check, (struct task_struct *child, unsigned int mode), (child, mode))
HOOK(ptrace_traceme, (struct task_struct *parent), (parent))
HOOK(file_open, (struct file *file), (file))
HOOK(inode_follow_link, (struct dentry *dentry, struct inode *inode, bool rcu), (dentry, inode))
HOOK(task_setrlimit, (struct task_struct *task, unsigned int resource, struct rlimit *limit),
     (task, resource))
HOOK(task_kill,
     (struct task_struct *task, unsigned long information, int signal, const struct cred *cred),
     (task, information, signal))
HOOK(file_send_sigiotask,
     (struct task_struct *task, struct fown_struct *owner, int signal), (task, signal))
HOOK(task_movememory, (struct task_struct *task), (task))
HOOK(task_alloc, (struct task_struct *task, unsigned long clone_flags), (task, clone_flags))
HOOK(file_receive, (struct file *file), (file))
HOOK(perf_event_alloc, (struct perf_event *event), (event))
HOOK(locked_down, (__u32 reason), (reason))
HOOK(kernel_read_file, (struct file *file, __u32 id, bool contents), (file, id))
HOOK(kernel_load_data, (__u32 id, bool contents), (id))
HOOK(bpf_map, (struct bpf_map *map, unsigned int mode), (map, mode))
HOOK(bpf_prog, (struct bpf_prog *program), (program))
HOOK(inode_unlink, (struct inode *folder, struct dentry *entry), (folder, entry))
HOOK(inode_rmdir, (struct inode *folder, struct dentry *entry), (folder, entry))
HOOK(sb_umount, (struct vfsmount *mount, int flags), (mount, flags))
HOOK(sb_mount,
     (const char *source, struct path *place, const char *type, unsigned long flags, void *data),
     (source, place, flags))
HOOK(move_mount, (struct path *from, struct path *to), (from))

HOOK(file_permission, (struct file *file, int mask), (file, mask))

// Sleeps for pages that are not in memory; where it may not, they are no reason to let bytes go.
SEC("lsm.s/socket_sendmsg")
int BPF_PROG(lsm_socket_sendmsg, struct socket *socket, struct msghdr *message, int size,
             int earlier)
{
    return earlier != 0 ? earlier : on_socket_sendmsg(socket, message, CBPF_TIER_LSM, true);
}
SEC("fmod_ret/security_socket_sendmsg")
int BPF_PROG(modify_socket_sendmsg, struct socket *socket, struct msghdr *message)
{
    return on_socket_sendmsg(socket, message, CBPF_TIER_MODIFY_RETURN, false);
}

SEC("lsm/inode_init_security_anon")
int BPF_PROG(lsm_inode_init_security_anon, struct inode *inode, struct qstr *name,
             const struct inode *context_inode, int earlier)
{
    return earlier != 0 ? earlier : on_inode_init_security_anon(name, CBPF_TIER_LSM);
}
SEC("fmod_ret/security_inode_init_security_anon")
int BPF_PROG(modify_inode_init_security_anon, struct inode *inode, struct qstr *name)
{
    return on_inode_init_security_anon(name, CBPF_TIER_MODIFY_RETURN);
}

// security_inode_rename has a flag more than its hook.
SEC("lsm/inode_rename")
int BPF_PROG(lsm_inode_rename, struct inode *folder, struct dentry *entry, struct inode *to,
             struct dentry *new_entry, int earlier)
{
    return earlier != 0
        ? earlier : on_inode_rename(folder, entry, to, new_entry, CBPF_TIER_LSM);
}
SEC("fmod_ret/security_inode_rename")
int BPF_PROG(modify_inode_rename, struct inode *folder, struct dentry *entry, struct inode *to,
             struct dentry *new_entry)
{
    return on_inode_rename(folder, entry, to, new_entry, CBPF_TIER_MODIFY_RETURN);
}

SEC("lsm/bpf")
int lsm_bpf(unsigned long long *ctx)
{
    int earlier;
    // The barriers keep the two reads apart: the verifier wants constant offsets.
    if (constants.bpf_hook_arguments == 3) {
        earlier = (int)ctx[3];
        asm volatile("" : "+r"(earlier));
    } else {
        earlier = (int)ctx[4];
        asm volatile("" : "+r"(earlier));
    }
    if (earlier != 0)
        return earlier;
    return on_bpf((int)ctx[0], (const void *)ctx[1], CBPF_TIER_LSM);
}
SEC("fmod_ret/security_bpf")
int modify_bpf(unsigned long long *ctx)
{
    return on_bpf((int)ctx[0], (const void *)ctx[1], CBPF_TIER_MODIFY_RETURN);
}

// For `make bench` and the tests of the scan: what bpf(BPF_PROG_TEST_RUN) gives it is looked
// through as if the caller wrote it. Attached nowhere.
struct scan_request {
    // Stands for the open file.
    __u64 file;
    __u64 buffer;
    __u64 bytes;
    __u32 enrolment;
    __u32 outcome;
};

SEC("syscall")
int scan_buffer(struct scan_request *request)
{
    __u32 id = request->enrolment;
    struct cbpf_scan *scan = bpf_map_lookup_elem(&scans, &id);
    struct stream_key key = {.inode = request->file, .enrolment = id};
    if (!scan)
        return -EPERM;
    request->outcome = look_at_buffer(scan, &key, request->buffer, request->bytes);
    return 0;
}

OWN_CALL(vmsplice, 93, CALL_VMSPLICE)
OWN_CALL(tee, 94, CALL_TEE)
OWN_CALL(splice, 95, CALL_SPLICE)
