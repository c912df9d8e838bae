// SPDX-License-Identifier: Apache-2.0
// The few kernel types the programs read, written by hand instead of a generated vmlinux.h (2 MB).
// preserve_access_index makes libbpf relocate each field to its place in the running kernel.
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

// Values of enum bpf_map_type (include/uapi/linux/bpf.h), an ABI.
#define BPF_MAP_TYPE_HASH 1
#define BPF_MAP_TYPE_ARRAY 2

// errno values (include/uapi/asm-generic/errno-base.h), an ABI.
#define EPERM 1

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct {
    int tgid;
};

#pragma clang attribute pop
