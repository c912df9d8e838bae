// SPDX-License-Identifier: Apache-2.0
// What differs between processors: arm64 here. It is compiled with every check; nothing was run.
#pragma once

// Stack of a thread with pages of 4 KiB (arch/arm64/include/asm/memory.h, THREAD_SIZE), for Linux
// before 5.15, which has no bpf_task_pt_regs.
#define KERNEL_STACK_BYTES (4 * 4096)

// Functions of system calls begin with it (arch/arm64/include/asm/syscall_wrapper.h).
#define CALL_ENTRY "__arm64_sys_"

// Of a thread that runs 32-bit code (arch/arm64/include/asm/thread_info.h, TIF_32BIT).
#define THREAD_32BIT (1UL << 22)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct pt_regs {
    __u64 regs[31];
    __u64 orig_x0;
    __s32 syscallno;
};
#pragma clang attribute pop

// System call numbers of arm64 (include/uapi/asm-generic/unistd.h), an ABI. Calls that it lacks
// have numbers that no call has.
enum call {
    CALL_IO_SUBMIT = 2,
    CALL_OPENAT = 56,
    CALL_READ = 63,
    CALL_WRITE = 64,
    CALL_READV = 65,
    CALL_WRITEV = 66,
    CALL_PREAD64 = 67,
    CALL_PWRITE64 = 68,
    CALL_PREADV = 69,
    CALL_PWRITEV = 70,
    CALL_SENDFILE = 71,
    CALL_VMSPLICE = 75,
    CALL_SPLICE = 76,
    CALL_TEE = 77,
    CALL_GET_ROBUST_LIST = 100,
    CALL_KEXEC_LOAD = 104,
    CALL_INIT_MODULE = 105,
    CALL_PTRACE = 117,
    CALL_KILL = 129,
    CALL_TKILL = 130,
    CALL_TGKILL = 131,
    CALL_EXECVE = 221,
    CALL_MIGRATE_PAGES = 238,
    CALL_MOVE_PAGES = 239,
    CALL_PERF_EVENT_OPEN = 241,
    CALL_PRLIMIT64 = 261,
    CALL_OPEN_BY_HANDLE_AT = 265,
    CALL_SETNS = 268,
    CALL_SENDMMSG = 269,
    CALL_PROCESS_VM_READV = 270,
    CALL_PROCESS_VM_WRITEV = 271,
    CALL_KCMP = 272,
    CALL_FINIT_MODULE = 273,
    CALL_BPF = 280,
    CALL_USERFAULTFD = 282,
    CALL_PWRITEV2 = 287,
    CALL_KEXEC_FILE_LOAD = 294,
    CALL_PIDFD_SEND_SIGNAL = 424,
    CALL_IO_URING_SETUP = 425,
    CALL_IO_URING_ENTER = 426,
    CALL_OPENAT2 = 437,
    CALL_PIDFD_GETFD = 438,
    CALL_PROCESS_MADVISE = 440,
    CALL_OTHER = 0xffff,
    CALL_OPEN = 0x10000,
    CALL_CREAT = 0x10001,
};

static __always_inline bool is_compatible(struct task_struct *task)
{
    return BPF_CORE_READ(task, thread_info.flags) & THREAD_32BIT;
}

static __always_inline __u32 number_of_call(struct pt_regs *registers)
{
    return (__u32)BPF_CORE_READ(registers, syscallno);
}

// 32-bit callers number their calls as 32-bit Arm does (arch/arm/tools/syscall.tbl).
static __always_inline __u32 from_compatible(__u32 number)
{
    switch (number) {
    case 3: return CALL_READ;
    case 5: return CALL_OPEN;
    case 26: return CALL_PTRACE;
    case 180: return CALL_PREAD64;
    case 322: return CALL_OPENAT;
    case 376: return CALL_PROCESS_VM_READV;
    case 377: return CALL_PROCESS_VM_WRITEV;
    case 378: return CALL_KCMP;
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
    case 268: return CALL_TGKILL;
    case 339: return CALL_GET_ROBUST_LIST;
    case 344: return CALL_MOVE_PAGES;
    case 347: return CALL_KEXEC_LOAD;
    case 364: return CALL_PERF_EVENT_OPEN;
    case 369: return CALL_PRLIMIT64;
    case 371: return CALL_OPEN_BY_HANDLE_AT;
    case 375: return CALL_SETNS;
    case 379: return CALL_FINIT_MODULE;
    case 386: return CALL_BPF;
    case 388: return CALL_USERFAULTFD;
    case 400: return CALL_MIGRATE_PAGES;
    case 401: return CALL_KEXEC_FILE_LOAD;
    case 424: return CALL_PIDFD_SEND_SIGNAL;
    case 425: return CALL_IO_URING_SETUP;
    default: return from_compatible(number);
    }
}

static __always_inline __u32 from_native_entry(__u32 number) { return number; }

static __always_inline __u64 second_argument(struct pt_regs *registers)
{
    return BPF_CORE_READ(registers, regs[1]);
}

// The first register holds the result already when the call returns.
static __always_inline void read_arguments(
    struct arguments *arguments, struct pt_regs *registers, bool compatible)
{
    __u64 mask = compatible ? 0xffffffff : ~0ULL;
    arguments->first = BPF_CORE_READ(registers, orig_x0) & mask;
    arguments->second = BPF_CORE_READ(registers, regs[1]) & mask;
    arguments->third = BPF_CORE_READ(registers, regs[2]) & mask;
}
