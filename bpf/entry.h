// SPDX-License-Identifier: Apache-2.0
// Which system call brought a thread here. The same hook serves many, and the event names the one.
#pragma once

// Linux before 5.15 has no bpf_task_pt_regs; there the registers are found where x86-64 keeps them:
// at the end of a stack of four pages (arch/x86/include/asm/page_64_types.h).
#define KERNEL_STACK_BYTES (4 * 4096)

// System call numbers of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl), an ABI.
enum call {
    CALL_READ = 0,
    CALL_OPEN = 2,
    CALL_PREAD64 = 17,
    CALL_READV = 19,
    CALL_CREAT = 85,
    CALL_PTRACE = 101,
    CALL_MIGRATE_PAGES = 256,
    CALL_OPENAT = 257,
    CALL_GET_ROBUST_LIST = 274,
    CALL_MOVE_PAGES = 279,
    CALL_PREADV = 295,
    CALL_PERF_EVENT_OPEN = 298,
    CALL_OPEN_BY_HANDLE_AT = 304,
    CALL_SETNS = 308,
    CALL_PROCESS_VM_READV = 310,
    CALL_PROCESS_VM_WRITEV = 311,
    CALL_KCMP = 312,
    CALL_IO_URING_ENTER = 426,
    CALL_OPENAT2 = 437,
    CALL_PIDFD_GETFD = 438,
    CALL_PROCESS_MADVISE = 440,
    CALL_OTHER = 0xffff,
};

struct entry {
    __u32 call;
    // The second argument of the call, for 64-bit callers.
    __u64 second;
};

static __always_inline struct pt_regs *registers_of_current(struct task_struct *task)
{
    if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
        return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
    void *stack = BPF_CORE_READ(task, stack);
    return (struct pt_regs *)(stack + KERNEL_STACK_BYTES -
                              bpf_core_type_size(struct pt_regs));
}

// 32-bit callers number their calls otherwise (arch/x86/entry/syscalls/syscall_32.tbl).
static __always_inline __u32 from_compatible(__u32 number)
{
    switch (number) {
    case 3: return CALL_READ;
    case 5: return CALL_OPEN;
    case 26: return CALL_PTRACE;
    case 180: return CALL_PREAD64;
    case 295: return CALL_OPENAT;
    case 347: return CALL_PROCESS_VM_READV;
    case 348: return CALL_PROCESS_VM_WRITEV;
    case 349: return CALL_KCMP;
    case 437: return CALL_OPENAT2;
    case 438: return CALL_PIDFD_GETFD;
    case 440: return CALL_PROCESS_MADVISE;
    default: return CALL_OTHER;
    }
}

static __always_inline void find_entry(struct entry *entry)
{
    struct task_struct *task = current();
    struct pt_regs *registers = registers_of_current(task);
    __u32 number = (__u32)BPF_CORE_READ(registers, orig_ax);
    entry->second = BPF_CORE_READ(registers, si);
    if (BPF_CORE_READ(task, thread_info.status) & TS_COMPAT) {
        entry->second = 0;
        number = from_compatible(number);
    }
    entry->call = number;
}

static __always_inline bool opens(__u32 call)
{
    return call == CALL_OPEN || call == CALL_OPENAT || call == CALL_OPENAT2 ||
        call == CALL_CREAT || call == CALL_OPEN_BY_HANDLE_AT || call == CALL_IO_URING_ENTER;
}
