// SPDX-License-Identifier: Apache-2.0
// Ways through the kernel: probes, BPF programs, modules, other kernels, physical memory.
#pragma once

// PERF_TYPE_BREAKPOINT and the sample bits that show registers, stack or data of user space
// (include/uapi/linux/perf_event.h), an ABI.
#define PERF_BREAKPOINT 5
#define PERF_SAMPLE_ADDRESS (1ULL << 3)
#define PERF_SAMPLE_REGISTERS_USER (1ULL << 12)
#define PERF_SAMPLE_STACK_USER (1ULL << 13)
#define PERF_SAMPLE_DATA_SOURCE (1ULL << 15)
#define PERF_SAMPLE_PHYSICAL (1ULL << 19)
#define PERF_SHOWS_USER                                                                     \
    (PERF_SAMPLE_ADDRESS | PERF_SAMPLE_REGISTERS_USER | PERF_SAMPLE_STACK_USER |            \
     PERF_SAMPLE_DATA_SOURCE | PERF_SAMPLE_PHYSICAL)

// Filters of these tracepoints compare what the arguments of a call point at (`buf.ustring ~
// "a*"`): whoever counts what passes needs no sample to guess what a process writes.
static __always_inline bool counts_calls(struct perf_event *event)
{
    struct name system;
    const char *text = BPF_CORE_READ(event, tp_event, class, system);
    read_text(&system, text);
    return IS(&system, "syscalls");
}

static __always_inline int on_perf_event_alloc(struct perf_event *event, __u8 tier)
{
    __u32 type = BPF_CORE_READ(event, attr.type);
    __u64 samples = BPF_CORE_READ(event, attr.sample_type);
    struct task_struct *target = BPF_CORE_READ(event, hw.target);
    struct cbpf_task_mark *mark = target ? mark_of(target) : 0;
    char *unit_name = BPF_CORE_READ(event, pmu, name);
    struct name unit;
    read_text(&unit, unit_name);
    __u16 vector = 0;
    if (IS(&unit, "uprobe"))
        vector = 28;
    else if (IS(&unit, "kprobe"))
        vector = 30;
    else if (type == PERF_BREAKPOINT)
        vector = 27;
    else if (samples & PERF_SHOWS_USER || (IS(&unit, "tracepoint") && counts_calls(event)))
        vector = target ? 25 : 26;
    if (vector == 0)
        return 0;
    // An event on another task shows that task only.
    if (target && !mark)
        return 0;
    if (mark && is_own_group(target))
        return 0;
    if (mark)
        return judge_target(
            target, mark, vector, CBPF_HOOK_PERF_EVENT_ALLOC, tier, samples, unit.text);
    return judge_machine(vector, CBPF_HOOK_PERF_EVENT_ALLOC, tier, samples, unit.text);
}

// Types that run in other programs' context and read what they please: kprobe, tracepoint,
// perf_event, raw_tracepoint (both), tracing, ext, lsm, syscall.
#define READING_TYPES                                                                        \
    (1ULL << 2 | 1ULL << 5 | 1ULL << 7 | 1ULL << 17 | 1ULL << 24 | 1ULL << 26 | 1ULL << 28 | \
     1ULL << 29 | 1ULL << 31)

static __always_inline int on_program_load(__u32 type, __u8 tier)
{
    if (is_agent() || type > 63 || is_open(CBPF_SUCCESSOR_UPGRADE))
        return 0;
    __u16 vector = READING_TYPES >> type & 1 ? 31 : CBPF_VECTOR_HARMLESS_LOAD;
    return judge_machine(vector, CBPF_HOOK_BPF, tier, type, 0);
}

static __always_inline int on_bpf(int command, const void *attributes, __u8 tier)
{
    if (command != COMMAND_PROG_LOAD && command != COMMAND_LINK_GET_FD_BY_ID)
        return 0;
    __u32 first = 0;
    // The kernel's own copy of union bpf_attr; prog_type and link_id are its first field.
    bpf_probe_read_kernel(&first, sizeof first, attributes);
    return command == COMMAND_PROG_LOAD ? on_program_load(first, tier) : on_link_by_id(first, tier);
}

#define REASON(name) bpf_core_enum_value(enum lockdown_reason, name)

static __always_inline __u16 vector_of_reason(__u32 reason)
{
    if (reason == REASON(LOCKDOWN_KCORE))
        return 58;
    if (reason == REASON(LOCKDOWN_DEV_MEM))
        return 59;
    if (reason == REASON(LOCKDOWN_IOPORT))
        return 61;
    if (reason == REASON(LOCKDOWN_MSR))
        return 62;
    if (reason == REASON(LOCKDOWN_PCI_ACCESS))
        return 63;
    if (reason == REASON(LOCKDOWN_HIBERNATION))
        return 71;
    if (reason == REASON(LOCKDOWN_DEBUGFS))
        return 73;
    if (reason == REASON(LOCKDOWN_TRACEFS))
        return 29;
    if (reason == REASON(LOCKDOWN_KPROBES))
        return 30;
    // Before 5.10's lockdown_reason had BPF_READ and no write: the names are then missing.
    if (bpf_core_enum_value_exists(enum lockdown_reason, LOCKDOWN_BPF_READ_KERNEL) &&
        reason == REASON(LOCKDOWN_BPF_READ_KERNEL))
        return 76;
    if (bpf_core_enum_value_exists(enum lockdown_reason, LOCKDOWN_BPF_WRITE_USER) &&
        reason == REASON(LOCKDOWN_BPF_WRITE_USER))
        return 33;
    if (bpf_core_enum_value_exists(enum lockdown_reason, LOCKDOWN_DBG_WRITE_KERNEL) &&
        reason == REASON(LOCKDOWN_DBG_WRITE_KERNEL))
        return 74;
    if (bpf_core_enum_value_exists(enum lockdown_reason, LOCKDOWN_DBG_READ_KERNEL) &&
        reason == REASON(LOCKDOWN_DBG_READ_KERNEL))
        return 74;
    // kernel_read_file and kernel_load_data were asked about the same module or kernel.
    if (reason == REASON(LOCKDOWN_MODULE_SIGNATURE) || reason == REASON(LOCKDOWN_KEXEC))
        return 0;
    return 75;
}

static __always_inline int on_locked_down(__u32 reason, __u8 tier)
{
    __u16 vector = vector_of_reason(reason);
    if (vector == 0)
        return 0;
    // The agent's own programs read kernel memory, and are loaded before anybody could forge them.
    if ((vector == 76 || vector == 33) && (is_agent() || is_open(CBPF_SUCCESSOR_UPGRADE)))
        return 0;
    return judge_machine(vector, CBPF_HOOK_LOCKED_DOWN, tier, reason, 0);
}

// The kernel asked for it (request_module), by a helper that it started itself. The first process
// has a kernel thread for a parent too.
static __always_inline bool is_automatic(void)
{
    struct task_struct *parent = BPF_CORE_READ(current(), real_parent);
    return BPF_CORE_READ(parent, pid) != 0 && BPF_CORE_READ(parent, flags) & PF_KTHREAD;
}

static __always_inline int on_module(__u8 hook, __u64 detail, __u8 tier)
{
    return judge_machine(is_automatic() ? 65 : 64, hook, tier, detail, 0);
}

#define READ_ID(name) bpf_core_enum_value(enum kernel_read_file_id, name)
#define LOAD_ID(name) bpf_core_enum_value(enum kernel_load_data_id, name)

static __always_inline int on_kernel_read_file(struct file *file, __u32 id, __u8 tier)
{
    if (id == READ_ID(READING_MODULE))
        return on_module(CBPF_HOOK_KERNEL_READ_FILE, id, tier);
    if (id == READ_ID(READING_KEXEC_IMAGE) || id == READ_ID(READING_KEXEC_INITRAMFS))
        return judge_machine(69, CBPF_HOOK_KERNEL_READ_FILE, tier, id, 0);
    return 0;
}

static __always_inline int on_kernel_load_data(__u32 id, __u8 tier)
{
    if (id == LOAD_ID(LOADING_MODULE))
        return on_module(CBPF_HOOK_KERNEL_LOAD_DATA, id, tier);
    if (id == LOAD_ID(LOADING_KEXEC_IMAGE))
        return judge_machine(68, CBPF_HOOK_KERNEL_LOAD_DATA, tier, id, 0);
    return 0;
}

static __always_inline __u16 vector_of_kernel_file(const struct name *name)
{
    if (IS(name, "core_pattern") || IS(name, "core_uses_pid") || IS(name, "suid_dumpable"))
        return 54;
    if (IS(name, "sysrq-trigger"))
        return 70;
    return IS(name, "ftrace_enabled") ? 79 : 0;
}

// Files of /proc that belong to the machine and open a way to a secret when written.
static __always_inline int on_kernel_file(struct file *file, __u8 tier)
{
    if (!(BPF_CORE_READ(file, f_mode) & FMODE_WRITE))
        return 0;
    struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
    struct name name;
    read_name(&name, dentry);
    __u16 vector = vector_of_kernel_file(&name);
    if (vector == 0)
        return 0;
    return judge_machine(vector, CBPF_HOOK_FILE_OPEN, tier, FMODE_WRITE, name.text);
}
