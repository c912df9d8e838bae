// SPDX-License-Identifier: Apache-2.0
// What the BPF programs of bpf/agent.bpf.c and user space share: records in maps and in the ring.
// Both compile this header, so it names only types that both have.
#pragma once

/// Vectors of the catalogue (Fixtures/attack-vectors.json) are numbered from 1; index 0 is unused.
#define CBPF_VECTORS_MAX 160
/// Not a vector of the catalogue: a BPF program of a type that reads no other program.
#define CBPF_VECTOR_HARMLESS_LOAD 150
/// Policies that workloads can have; policy 0 is the machine's own.
#define CBPF_POLICIES_MAX 64
/// Threads that can be protected at once. A protected process cannot start more.
#define CBPF_TASKS_MAX 32768
/// Workloads that can be enrolled at once.
#define CBPF_ENROLMENTS_MAX 4096
/// BPF programs that read memory which is not theirs, known at once.
#define CBPF_READERS_MAX 1024
/// Kernel functions for BPF programs (kfuncs) that read such memory.
#define CBPF_READING_FUNCTIONS_MAX 12
/// Number that the agent's own threads are enrolled under. What it starts is not.
#define CBPF_AGENT_ENROLMENT 2
/// Files that `wrapper_files` has room for.
#define CBPF_WRAPPER_FILES_MAX 16
/// Set in the number of an enrolment that began with an exec; the rest is the process's number.
#define CBPF_EXEC_ENROLMENTS 0x80000000U
/// Filters of a process that an enrolment looks at.
#define CBPF_FILTERS_MAX 32
/// Bytes of a name in an event, with its closing zero.
#define CBPF_NAME_BYTES 16
#define CBPF_OBJECT_BYTES 32

/// Bytes of a scan's bitmap: one bit for each value of a 16-bit hash.
#define CBPF_SCAN_BITMAP_BYTES 8192
/// Destinations that a workload's values may be sent to.
#define CBPF_SCAN_RULES_MAX 64
/// Slots of a leak index (Sources/Core/LeakIndex), and how many are looked at for one window.
#define CBPF_LEAK_SLOTS_MAX 4096
#define CBPF_LEAK_PROBES 8
/// First word of a leak index: "LEAKINDX".
#define CBPF_LEAK_MAGIC 0x58444e494b41454cULL
/// Longest and shortest window of a leak index (bytes).
#define CBPF_LEAK_WINDOW_MAX 16
#define CBPF_LEAK_WINDOW_MIN 8
/// What one call may write or send: more is not looked through, and denied (bytes).
#define CBPF_SCAN_BYTES_MAX (16 << 20)
/// ... in so many pieces: IOV_MAX of the kernel.
#define CBPF_SCAN_SEGMENTS_MAX 1024
/// Messages of one sendmmsg(2).
#define CBPF_SCAN_MESSAGES_MAX 64
/// Open files whose last bytes are remembered, so that a split value is found.
#define CBPF_SCAN_STREAMS_MAX 16384
/// Stands for every value in a rule.
#define CBPF_SCAN_ANY_SECRET 0xffff
/// Positions of values that a rule can name alone: one bit each, and one stands for all.
#define CBPF_SCAN_SECRETS_MAX 63

/// What a policy says of a vector.
enum cbpf_action {
    CBPF_ALLOW = 0,
    CBPF_DETECT = 1,
    CBPF_DENY = 2,
    CBPF_DENY_AND_KILL = 3,
};

/// What became of an attempt.
enum cbpf_verdict {
    CBPF_OBSERVED = 1,
    CBPF_DENIED = 2,
    CBPF_KILLED = 3,
};

enum cbpf_tier {
    CBPF_TIER_LSM = 1,
    CBPF_TIER_MODIFY_RETURN = 2,
    /// fmod_ret on the system call itself.
    CBPF_TIER_SYSTEM_CALL = 3,
    /// SIGKILL for the caller: what the call gives, it gives to a process that does not return.
    CBPF_TIER_SIGNAL = 4,
};

enum cbpf_task_flags {
    /// The wrapper: it may trace tasks of its own enrolment.
    CBPF_TASK_WRAPPER = 1,
    /// The agent: nobody else may touch it, and its own loads are its business.
    CBPF_TASK_AGENT = 2,
    /// The program that the agent attacks to find out what is denied.
    CBPF_TASK_VICTIM = 4,
};

/// Hooks, as events name them. Numbers are part of the record, so they never change.
enum cbpf_hook {
    CBPF_HOOK_PTRACE_ACCESS_CHECK = 1,
    CBPF_HOOK_PTRACE_TRACEME = 2,
    CBPF_HOOK_FILE_OPEN = 3,
    CBPF_HOOK_INODE_FOLLOW_LINK = 4,
    CBPF_HOOK_TASK_SETRLIMIT = 5,
    CBPF_HOOK_PERF_EVENT_ALLOC = 6,
    CBPF_HOOK_BPF = 7,
    CBPF_HOOK_LOCKED_DOWN = 8,
    CBPF_HOOK_KERNEL_READ_FILE = 9,
    CBPF_HOOK_KERNEL_LOAD_DATA = 10,
    CBPF_HOOK_INODE_INIT_SECURITY_ANON = 11,
    CBPF_HOOK_FILE_RECEIVE = 12,
    CBPF_HOOK_TASK_KILL = 13,
    CBPF_HOOK_TASK_ALLOC = 14,
    CBPF_HOOK_TASK_MOVEMEMORY = 15,
    CBPF_HOOK_BPF_MAP = 16,
    CBPF_HOOK_BPF_PROG = 17,
    CBPF_HOOK_INODE_UNLINK = 18,
    CBPF_HOOK_INODE_RMDIR = 19,
    CBPF_HOOK_INODE_RENAME = 20,
    CBPF_HOOK_SB_UMOUNT = 21,
    CBPF_HOOK_SB_MOUNT = 22,
    CBPF_HOOK_MOVE_MOUNT = 23,
    CBPF_HOOK_FILE_PERMISSION = 24,
    CBPF_HOOK_SOCKET_SENDMSG = 25,
    CBPF_HOOK_FILE_SEND_SIGIOTASK = 26,
    /// The raw tracepoints of the signal tier.
    CBPF_HOOK_SYS_ENTER = 30,
    CBPF_HOOK_SYS_EXIT = 31,
    /// The function of a system call; `detail` is its number.
    CBPF_HOOK_SYSTEM_CALL = 32,
};

/// What `guarded_ids` holds.
enum cbpf_guarded {
    CBPF_GUARDED_MAP = 1,
    CBPF_GUARDED_PROGRAM = 2,
    CBPF_GUARDED_LINK = 3,
};

struct cbpf_guarded_key {
    unsigned int kind;
    unsigned int id;
};

/// What `guarded_cgroups` says of a cgroup's directory.
enum cbpf_cgroup {
    CBPF_CGROUP_OWN = 1,
    /// Killing or freezing it does the same to the agent's.
    CBPF_CGROUP_ABOVE = 2,
};

/// Who may take the programs over while no agent lives.
enum cbpf_successor {
    /// Whoever executes the agent's file.
    CBPF_SUCCESSOR_EXECUTABLE = 0,
    /// Any process that may use bpf(2): it gets at maps and pins, and loads nothing.
    CBPF_SUCCESSOR_ANY = 1,
    /// The agent has ended in order and wants a successor of another build: it may load, too.
    CBPF_SUCCESSOR_UPGRADE = 2,
};

/// One cell: what the agent guards of itself. All zero: nothing yet.
struct cbpf_guard {
    /// Who starts this file, untraced, is the agent from its first instruction.
    unsigned long long executable_inode;
    unsigned int executable_device;
    /// The file system of the pins and the folder they are in.
    unsigned int pins_device;
    unsigned long long pins_folder;
    /// enum cbpf_successor.
    unsigned int successor;
    /// Number of the machine's mount namespace; 0 for unknown.
    unsigned int mounts;
    /// Where that file system is mounted, for calls that name the place by its path.
    char pins_path[32];
};

/// Mark of one thread, keyed by its kernel address.
struct cbpf_task_mark {
    unsigned int enrolment;
    unsigned int flags;
};

/// One workload.
struct cbpf_enrolment {
    unsigned int policy;
    unsigned int wrapper_group;
    unsigned long long cgroup;
    /// Threads alive; the programs count.
    long long tasks;
};

/// Actions by vector number.
struct cbpf_policy {
    unsigned char action[CBPF_VECTORS_MAX];
};

/// One cell: what holds for the machine.
struct cbpf_settings {
    /// Named in each event, so that a reader knows which policy decided.
    unsigned int generation;
    /// Events that one vector may give per second, cgroup and processor.
    unsigned int events_per_second;
    /// ... and at once after a pause.
    unsigned int events_burst;
    /// enum cbpf_tier of the attached programs; 0: not settled.
    unsigned int tier;
    /// Records without room in the ring that user space has told of.
    unsigned long long dropped_told;
};

/// What the programs are told before they are loaded.
struct cbpf_constants {
    /// Arguments of the bpf hook: Linux gave it a fourth.
    unsigned int bpf_hook_arguments;
    /// Of the bpf_prog_load hook (Linux 6.9): it was given a fourth as well.
    unsigned int load_hook_arguments;
    /// Numbers of the reading functions in the kernel's BTF; 0: the kernel has none of the name.
    unsigned int reading_functions[CBPF_READING_FUNCTIONS_MAX];
    /// Where the kernel keeps where its array of pages and its mapping of all memory begin
    /// (arch/x86/kernel/head64.c); 0: it does not show the names.
    unsigned long long vmemmap_base;
    unsigned long long page_offset_base;
};

/// Counted per vector and processor: attempts = events + suppressed + dropped.
struct cbpf_counts {
    unsigned long long attempts;
    unsigned long long denied;
    unsigned long long events;
    unsigned long long suppressed;
    unsigned long long dropped;
};

/// A process as an event shows it.
struct cbpf_process {
    int thread;
    int group;
    /// Nanoseconds since boot.
    unsigned long long started;
    unsigned long long executable_inode;
    unsigned long long cgroup;
    unsigned long long capabilities;
    unsigned int executable_device;
    unsigned int user;
    unsigned int enrolment;
    unsigned int flags;
    char name[CBPF_NAME_BYTES];
};

/// One event in the ring.
struct cbpf_event {
    /// Nanoseconds since boot without sleep (CLOCK_MONOTONIC).
    unsigned long long time;
    /// Rises by one per event of this processor, also when the ring had no room.
    unsigned long long sequence;
    /// Of this vector, cgroup and processor since the last event that was sent.
    unsigned long long suppressed;
    /// What the hook was asked about: system call, lockdown reason, program type, resource.
    unsigned long long detail;
    unsigned int processor;
    unsigned int generation;
    unsigned short vector;
    unsigned char hook;
    unsigned char tier;
    unsigned char verdict;
    unsigned char has_target;
    unsigned short unused;
    struct cbpf_process actor;
    struct cbpf_process target;
    char object[CBPF_OBJECT_BYTES];
};

/// A file, whatever its path.
struct cbpf_file_key {
    unsigned long long inode;
    unsigned int device;
    unsigned int unused;
};

/// What somebody else may have in hand of a process before it is enrolled.
enum cbpf_start {
    /// A seccomp filter of it has a listener, or it has more filters than are looked at.
    CBPF_START_LISTENER = 1,
    /// It has an io_uring, open or not.
    CBPF_START_RING = 2,
    /// Somebody answers for pages of its memory by userfaultfd(2).
    CBPF_START_USERFAULT = 4,
};

/// What the enrolment iterators report of a task. Of a file, `group` is the process that it
/// concerns and `parent_group` who holds it.
struct cbpf_task_facts {
    int thread;
    int group;
    int parent_group;
    /// Thread group of the tracer, 0 for none.
    int tracer_group;
    unsigned int enrolment;
    unsigned int flags;
    /// enum cbpf_start.
    unsigned int state;
};

/// Why the scan denies: bits 24 to 31 of an event's `detail`. Below: form and, in the lowest 16
/// bits, position of the value; above: the port in bits 32 to 47.
enum cbpf_scan_reason {
    CBPF_SCAN_CLEAN = 0,
    /// The bytes of a value.
    CBPF_SCAN_FOUND = 1,
    /// Bytes that cannot be read here and now, a page that is not in memory for one.
    CBPF_SCAN_UNREADABLE = 2,
    /// More than the limits above.
    CBPF_SCAN_TOO_LARGE = 3,
    /// The call says nowhere what it writes (io_uring, io_submit, 32-bit callers).
    CBPF_SCAN_OPAQUE = 4,
};

/// A destination that a value may be sent to.
struct cbpf_scan_rule {
    /// IPv6 or, mapped into it (RFC 4291, 2.5.5.2), IPv4; as in the packet.
    unsigned char address[16];
    unsigned char mask[16];
    /// 0: any.
    unsigned short port;
    /// Position of the value or CBPF_SCAN_ANY_SECRET.
    unsigned short secret;
    unsigned int unused;
};

/// What is looked for in what a workload writes and sends. No byte of a value is in it: the bitmap
/// says nothing without the multiplier, which is in the workload's own secret page.
struct cbpf_scan {
    /// Of the leak index, in every process of the workload.
    unsigned long long address;
    unsigned long long bytes;
    unsigned int rules;
    unsigned int unused;
    struct cbpf_scan_rule rule[CBPF_SCAN_RULES_MAX];
    unsigned char bitmap[CBPF_SCAN_BITMAP_BYTES];
};

/// One cell per processor: what the scan did.
struct cbpf_scan_counts {
    unsigned long long calls;
    unsigned long long bytes;
    /// Windows whose hash was in the bitmap.
    unsigned long long candidates;
    /// Calls of processes without the index, which cannot be scanned.
    unsigned long long without_index;
    unsigned long long unreadable;
    unsigned long long too_large;
};
