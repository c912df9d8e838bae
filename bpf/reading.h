// SPDX-License-Identifier: Apache-2.0
// BPF programs that read memory which is not theirs. Under CAP_PERFMON every type may call the
// helpers that copy from the current process or from the kernel (bpf_base_func_proto in
// kernel/bpf/helpers.c), so a cgroup or classifier program can. Its instructions are looked at in
// the kernel's own copy, before the verifier rewrites them, and the answer is given when somebody
// is to get a descriptor of the program. bpf_prog_calc_tag is what the verifier calls first with
// nothing but the program: bpf_check itself has an argument that these programs may not read on
// Linux 5.10.
#pragma once

#define CALL_CODE 0x85
#define CALLS_KERNEL_FUNCTION 2
// More than BPF_COMPLEXITY_LIMIT_INSNS (1,000,000), the longest program that the kernel takes, in
// three loops: the verifier follows no single one so far.
#define BLOCK_INSTRUCTIONS 128
#define AREA_BLOCKS 128
#define AREAS_MAX 64
#define AREA_INSTRUCTIONS (AREA_BLOCKS * BLOCK_INSTRUCTIONS)

// enum bpf_func_id (include/uapi/linux/bpf.h), an ABI; new ways are kernel functions. Of formats,
// %pks and %pus copy strings, and a format can be made up while the program runs.
static __always_inline bool reads_memory(int helper)
{
    switch (helper) {
    // probe_read, probe_read_str, probe_read_user, _kernel, _user_str, _kernel_str
    case 4: case 45: case 112: case 113: case 114: case 115:
    // copy_from_user, copy_from_user_task, probe_write_user
    case 148: case 191: case 36:
    // trace_printk, snprintf_btf, snprintf, trace_vprintk
    case 6: case 149: case 165: case 177:
        return true;
    default:
        return false;
    }
}

// Functions that are not static are verified once, whatever calls them.
__attribute__((noinline)) int is_reading_function(__u32 number)
{
    for (int index = 0; index < CBPF_READING_FUNCTIONS_MAX; index++)
        if (number != 0 && constants.reading_functions[index] == number)
            return 1;
    return 0;
}

// Whether one of `count` instructions reads; what cannot be looked at counts as one that does.
__attribute__((noinline)) int block_reads(__u64 start, __u32 count)
{
    for (int index = 0; index < BLOCK_INSTRUCTIONS; index++) {
        struct instruction next = {};
        if (index >= count)
            break;
        if (bpf_probe_read_kernel(&next, sizeof next, (void *)(start + index * sizeof next)) != 0)
            return 1;
        if (next.code != CALL_CODE)
            continue;
        __u8 source = next.registers >> 4;
        if (source == 0 && reads_memory(next.immediate))
            return 1;
        // An offset names a module's functions.
        if (source == CALLS_KERNEL_FUNCTION && next.offset == 0 &&
            is_reading_function(next.immediate))
            return 1;
    }
    return 0;
}

__attribute__((noinline)) int area_reads(__u64 start, __u32 count)
{
    for (int block = 0; block < AREA_BLOCKS; block++) {
        __u32 done = block * BLOCK_INSTRUCTIONS;
        if (done >= count)
            return 0;
        if (block_reads(start + done * sizeof(struct instruction), count - done))
            return 1;
    }
    return 0;
}

static __always_inline bool program_reads(struct bpf_prog *program)
{
    // Its own address as a number, which a pointer is not for the verifier.
    struct bpf_prog *itself = BPF_CORE_READ(program, aux, prog);
    __u64 start = (__u64)itself + bpf_core_field_offset(struct bpf_prog, insnsi);
    __u32 count = BPF_CORE_READ(program, len);
    for (int area = 0; area < AREAS_MAX; area++) {
        __u32 done = area * AREA_INSTRUCTIONS;
        if (done >= count)
            return false;
        if (area_reads(start + done * sizeof(struct instruction), count - done))
            return true;
    }
    return true;
}

static __always_inline void look_at(struct bpf_prog *program)
{
    __u64 key = (__u64)BPF_CORE_READ(program, aux);
    // Another program may have had the address.
    bpf_map_delete_elem(&readers, &key);
    __u32 type = BPF_CORE_READ(program, type);
    // Types that read anyway were judged by their type.
    if (type > 63 || READING_TYPES >> type & 1 || is_agent() || is_open(CBPF_SUCCESSOR_UPGRADE))
        return;
    if (program_reads(program))
        bpf_map_update_elem(&readers, &key, &type, BPF_ANY);
}

// Before Linux 6.9 no hook sees the instructions as they were handed in.
SEC("fentry/bpf_prog_calc_tag")
int BPF_PROG(look_at_program, struct bpf_prog *program)
{
    look_at(program);
    return 0;
}
SEC("lsm/bpf_prog_load")
int book_program(unsigned long long *ctx)
{
    int earlier;
    // The barriers keep the two reads apart: the verifier wants constant offsets.
    if (constants.load_hook_arguments == 3) {
        earlier = (int)ctx[3];
        asm volatile("" : "+r"(earlier));
    } else {
        earlier = (int)ctx[4];
        asm volatile("" : "+r"(earlier));
    }
    if (earlier == 0)
        look_at((struct bpf_prog *)ctx[0]);
    return earlier;
}

// Who loads such a program, or asks for one that was loaded, gets no descriptor of it.
static __always_inline int on_reading_program(struct bpf_prog *program, __u8 tier)
{
    __u64 key = (__u64)BPF_CORE_READ(program, aux);
    __u32 *type = bpf_map_lookup_elem(&readers, &key);
    return type && !is_agent() && !is_open(CBPF_SUCCESSOR_UPGRADE)
        ? judge_machine(31, CBPF_HOOK_BPF_PROG, tier, *type, 0) : 0;
}

static __always_inline int on_bpf_prog(struct bpf_prog *program, __u8 tier)
{
    __u32 id = BPF_CORE_READ(program, aux, id);
    return is_guarded(CBPF_GUARDED_PROGRAM, id)
        ? judge_machine(134, CBPF_HOOK_BPF_PROG, tier, id, 0) : on_reading_program(program, tier);
}
