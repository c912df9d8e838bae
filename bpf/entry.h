// SPDX-License-Identifier: Apache-2.0
// Which system call brought a thread here. The same hook serves many, and the event names the one.
#pragma once

// The first arguments of a call. Its number is handed on in a register, never in here: the
// verifiers of Linux 5.10 and 6.1 take a constant that a function reads from its caller's stack for
// the only one there is, and cut away what follows from the others.
struct arguments {
    __u64 first, second, third;
};

#if defined(__TARGET_ARCH_x86)
#include "arch_x86.h"
#elif defined(__TARGET_ARCH_arm64)
#include "arch_arm64.h"
#else
#error "no system call numbers for this processor: write bpf/arch_NAME.h"
#endif

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

static __always_inline void find_entry(struct entry *entry)
{
    struct task_struct *task = current();
    struct pt_regs *registers = registers_of_current(task);
    __u32 number = number_of_call(registers);
    entry->second = second_argument(registers);
    if (is_compatible(task)) {
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
