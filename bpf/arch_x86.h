// SPDX-License-Identifier: Apache-2.0
// What differs between processors: x86-64 here, arch_arm64.h for the other one.
#pragma once

// Linux before 5.15 has no bpf_task_pt_regs; there the registers are found where x86-64 keeps them:
// at the end of a stack of four pages (arch/x86/include/asm/page_64_types.h).
#define KERNEL_STACK_BYTES (4 * 4096)

// Functions of system calls begin with it (arch/x86/include/asm/syscall_wrapper.h).
#define CALL_ENTRY "__x64_sys_"

// How the thread entered the kernel (arch/x86/include/asm/thread_info.h).
#define TS_COMPAT 2
// x32 callers set it in the number (arch/x86/include/uapi/asm/unistd.h).
#define X32_BIT 0x40000000

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct pt_regs {
    unsigned long bx;
    unsigned long cx;
    unsigned long dx;
    unsigned long si;
    unsigned long di;
    unsigned long orig_ax;
};
#pragma clang attribute pop

// System call numbers of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl), an ABI.
enum call {
    CALL_READ = 0,
    CALL_WRITE = 1,
    CALL_OPEN = 2,
    CALL_PREAD64 = 17,
    CALL_PWRITE64 = 18,
    CALL_READV = 19,
    CALL_WRITEV = 20,
    CALL_SENDFILE = 40,
    CALL_EXECVE = 59,
    CALL_KILL = 62,
    CALL_CREAT = 85,
    CALL_PTRACE = 101,
    CALL_INIT_MODULE = 175,
    CALL_TKILL = 200,
    CALL_IO_SUBMIT = 209,
    CALL_TGKILL = 234,
    CALL_KEXEC_LOAD = 246,
    CALL_MIGRATE_PAGES = 256,
    CALL_OPENAT = 257,
    CALL_GET_ROBUST_LIST = 274,
    CALL_SPLICE = 275,
    CALL_TEE = 276,
    CALL_VMSPLICE = 278,
    CALL_MOVE_PAGES = 279,
    CALL_PREADV = 295,
    CALL_PWRITEV = 296,
    CALL_PERF_EVENT_OPEN = 298,
    CALL_PRLIMIT64 = 302,
    CALL_OPEN_BY_HANDLE_AT = 304,
    CALL_SENDMMSG = 307,
    CALL_SETNS = 308,
    CALL_PROCESS_VM_READV = 310,
    CALL_PROCESS_VM_WRITEV = 311,
    CALL_KCMP = 312,
    CALL_FINIT_MODULE = 313,
    CALL_KEXEC_FILE_LOAD = 320,
    CALL_BPF = 321,
    CALL_USERFAULTFD = 323,
    CALL_PWRITEV2 = 328,
    CALL_PIDFD_SEND_SIGNAL = 424,
    CALL_IO_URING_SETUP = 425,
    CALL_IO_URING_ENTER = 426,
    CALL_OPENAT2 = 437,
    CALL_PIDFD_GETFD = 438,
    CALL_PROCESS_MADVISE = 440,
    CALL_OTHER = 0xffff,
};

static __always_inline bool is_compatible(struct task_struct *task)
{
    return BPF_CORE_READ(task, thread_info.status) & TS_COMPAT;
}

static __always_inline __u32 number_of_call(struct pt_regs *registers)
{
    return (__u32)BPF_CORE_READ(registers, orig_ax);
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

// The calls that only the signal tier asks about.
static __always_inline __u32 from_compatible_entry(__u32 number)
{
    switch (number) {
    case 8: return CALL_CREAT;
    case 37: return CALL_KILL;
    case 128: return CALL_INIT_MODULE;
    case 238: return CALL_TKILL;
    case 270: return CALL_TGKILL;
    case 283: return CALL_KEXEC_LOAD;
    case 294: return CALL_MIGRATE_PAGES;
    case 312: return CALL_GET_ROBUST_LIST;
    case 317: return CALL_MOVE_PAGES;
    case 336: return CALL_PERF_EVENT_OPEN;
    case 340: return CALL_PRLIMIT64;
    case 342: return CALL_OPEN_BY_HANDLE_AT;
    case 346: return CALL_SETNS;
    case 350: return CALL_FINIT_MODULE;
    case 357: return CALL_BPF;
    case 374: return CALL_USERFAULTFD;
    case 424: return CALL_PIDFD_SEND_SIGNAL;
    case 425: return CALL_IO_URING_SETUP;
    default: return from_compatible(number);
    }
}

// x32 has numbers of its own for calls whose structures differ (syscall_64.tbl, from 512 on).
static __always_inline __u32 from_native_entry(__u32 number)
{
    number &= ~X32_BIT;
    switch (number) {
    case 521: return CALL_PTRACE;
    case 528: return CALL_KEXEC_LOAD;
    case 531: return CALL_GET_ROBUST_LIST;
    case 533: return CALL_MOVE_PAGES;
    case 539: return CALL_PROCESS_VM_READV;
    case 540: return CALL_PROCESS_VM_WRITEV;
    default: return number;
    }
}

static __always_inline __u64 second_argument(struct pt_regs *registers)
{
    return BPF_CORE_READ(registers, si);
}

static __always_inline void read_arguments(
    struct arguments *arguments, struct pt_regs *registers, bool compatible)
{
    if (compatible) {
        arguments->first = (__u32)BPF_CORE_READ(registers, bx);
        arguments->second = (__u32)BPF_CORE_READ(registers, cx);
        arguments->third = (__u32)BPF_CORE_READ(registers, dx);
    } else {
        arguments->first = BPF_CORE_READ(registers, di);
        arguments->second = BPF_CORE_READ(registers, si);
        arguments->third = BPF_CORE_READ(registers, dx);
    }
}
