// SPDX-License-Identifier: Apache-2.0
// The maps. No secret and nothing that helps to find one is ever in them.
#pragma once

// Key: address of a task_struct. A hash instead of task storage, which Linux 5.10 has not
// (docs/adr/0008). Entries leave when the kernel frees the task.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, CBPF_TASKS_MAX);
    __type(key, __u64);
    __type(value, struct cbpf_task_mark);
} tasks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, CBPF_ENROLMENTS_MAX);
    __type(key, __u32);
    __type(value, struct cbpf_enrolment);
} enrolments SEC(".maps");

// Key: thread group whose threads the enrolment iterator shall mark.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16);
    __type(key, __u32);
    __type(value, struct cbpf_task_mark);
} pending SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, CBPF_POLICIES_MAX);
    __type(key, __u32);
    __type(value, struct cbpf_policy);
} policies SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct cbpf_settings);
} settings SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, CBPF_VECTORS_MAX);
    __type(key, __u32);
    __type(value, struct cbpf_counts);
} counts SEC(".maps");

// One cell per processor: sequence of the last event.
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} sequences SEC(".maps");

struct bucket_key {
    __u64 cgroup;
    __u32 vector;
    __u32 unused;
};

struct bucket {
    __u64 refilled;
    __u32 tokens;
    __u32 unused;
    __u64 suppressed;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
    __uint(max_entries, 4096);
    __type(key, struct bucket_key);
    __type(value, struct bucket);
} buckets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20);
} events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct cbpf_guard);
} guard SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 256);
    __type(key, struct cbpf_guarded_key);
    __type(value, __u32);
} guarded_ids SEC(".maps");

// Key: address of a bpf_prog_aux, which a program keeps from before it is verified to its end.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, CBPF_READERS_MAX);
    __type(key, __u64);
    __type(value, __u32);
} readers SEC(".maps");

// Key: inode number of a cgroup's directory.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 32);
    __type(key, __u64);
    __type(value, __u32);
} guarded_cgroups SEC(".maps");

// Key: enrolment. Made when somebody asks for it: a bitmap for every enrolment would be 32 MB.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, CBPF_ENROLMENTS_MAX);
    __type(key, __u32);
    __type(value, struct cbpf_scan);
} scans SEC(".maps");

struct stream_key {
    __u64 inode;
    // In the upper half the number of its device.
    __u64 enrolment;
};

// The last bytes that left through an open file: they are known to whoever reads there already.
struct stream {
    __u64 words[2];
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, CBPF_SCAN_STREAMS_MAX);
    __type(key, struct stream_key);
    __type(value, struct stream);
} streams SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct cbpf_scan_counts);
} scan_counts SEC(".maps");

// Key: address of the memory of a process that is being enrolled; value: its group.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16);
    __type(key, __u64);
    __type(value, __u32);
} pending_memory SEC(".maps");

// Files that are wrappers, and the policy of who executes them.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, CBPF_WRAPPER_FILES_MAX);
    __type(key, struct cbpf_file_key);
    __type(value, __u32);
} wrapper_files SEC(".maps");
