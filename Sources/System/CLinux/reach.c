// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinuxReach.h"

#include "counter.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RING_PAGES 64
#define PAGE_BYTES 4096
#define STACK_SAMPLE_BYTES 4096
#define VALUE_BYTES 64

static int result(long value) { return value < 0 ? -errno : 0; }

static void wait_for(int milliseconds) {
    struct timespec left = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = milliseconds % 1000 * 1000000L};
    while (nanosleep(&left, &left) < 0 && errno == EINTR) continue;
}

int clinux_join_namespace(int pidfd) { return result(setns(pidfd, CLONE_NEWUTS)); }

int clinux_robust_list(pid_t pid) {
    void *head = NULL;
    size_t length = 0;
    return result(syscall(SYS_get_robust_list, pid, &head, &length));
}

// Nanoseconds between two samples of the clock.
#define SAMPLE_PERIOD 1000000

static void describe(const struct clinux_counter *counter, struct perf_event_attr *attributes) {
    switch (counter->kind) {
    case CLINUX_COUNTER_BREAKPOINT:
        breakpoint_counter(attributes, counter->address, HW_BREAKPOINT_LEN_8);
        break;
    case CLINUX_COUNTER_PROBE:
        clock_counter(attributes, 1);
        attributes->type = counter->type;
        attributes->config = 0;
        attributes->uprobe_path = (uint64_t)(uintptr_t)counter->path;
        attributes->probe_offset = counter->offset;
        break;
    default:
        clock_counter(attributes, SAMPLE_PERIOD);
        attributes->sample_type |= PERF_SAMPLE_STACK_USER;
        attributes->sample_stack_user = STACK_SAMPLE_BYTES;
    }
}

int64_t clinux_count(
    const struct clinux_counter *counter, int milliseconds, void *destination, size_t count) {
    struct perf_event_attr attributes;
    describe(counter, &attributes);
    long opened = open_counter(&attributes, counter->pid);
    if (opened < 0) return -errno;
    size_t bytes = (1 + RING_PAGES) * PAGE_BYTES;
    struct perf_event_mmap_page *page =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, (int)opened, 0);
    if (page == MAP_FAILED) {
        int error = errno;
        close((int)opened);
        return -error;
    }
    wait_for(milliseconds);
    uint64_t filled = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
    uint64_t room = RING_PAGES * PAGE_BYTES;
    size_t taken = filled < room ? filled : room;
    if (taken > count) taken = count;
    memcpy(destination, (char *)page + PAGE_BYTES, taken);
    munmap(page, bytes);
    close((int)opened);
    return (int64_t)taken;
}

static long bpf(int command, union bpf_attr *attributes) {
    return syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

static long load(uint32_t type, uint32_t flags, const struct bpf_insn *program, size_t count) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = type;
    attributes.prog_flags = flags;
    attributes.insns = (uint64_t)(uintptr_t)program;
    attributes.insn_cnt = (uint32_t)count;
    attributes.license = (uint64_t)(uintptr_t) "GPL";
    long descriptor = bpf(BPF_PROG_LOAD, &attributes);
    return descriptor < 0 ? -errno : descriptor;
}

#define INSN(c, d, s, o, i)                                                                 \
    ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOVE(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define SET(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD(d, i) INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define CALL(f) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define END INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define WIDE(d, s, v)                                                                       \
    INSN(BPF_LD | BPF_DW | BPF_IMM, d, s, 0, (int32_t)(uint32_t)(v)),                       \
        INSN(0, 0, 0, 0, (int32_t)(uint32_t)((uint64_t)(v) >> 32))

// One cell of VALUE_BYTES, filled whenever `pid` comes to where the program is attached. 1 lets a
// socket be made; a tracepoint does not ask.
static long load_reader(
    uint32_t type, int cell, pid_t pid, uint64_t address, size_t count) {
    struct bpf_insn program[] = {
        CALL(BPF_FUNC_get_current_pid_tgid),
        INSN(BPF_ALU64 | BPF_RSH | BPF_K, 0, 0, 0, 32),
        INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 12, pid),
        INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0),
        WIDE(1, BPF_PSEUDO_MAP_FD, cell),
        MOVE(2, 10),
        ADD(2, -4),
        CALL(BPF_FUNC_map_lookup_elem),
        INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 5, 0),
        MOVE(1, 0),
        SET(2, (int)count),
        WIDE(3, 0, address),
        CALL(BPF_FUNC_probe_read_user),
        SET(0, 1),
        END,
    };
    return load(type, 0, program, sizeof program / sizeof program[0]);
}

static long make_cell(void) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.map_type = BPF_MAP_TYPE_ARRAY;
    attributes.key_size = 4;
    attributes.value_size = VALUE_BYTES;
    attributes.max_entries = 1;
    return bpf(BPF_MAP_CREATE, &attributes);
}

static int64_t take_cell(int cell, void *destination, size_t count) {
    uint32_t key = 0;
    char value[VALUE_BYTES] = {0};
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.map_fd = (uint32_t)cell;
    attributes.key = (uint64_t)(uintptr_t)&key;
    attributes.value = (uint64_t)(uintptr_t)value;
    int64_t answer = bpf(BPF_MAP_LOOKUP_ELEM, &attributes) < 0 ? -errno : (int64_t)count;
    memcpy(destination, value, count);
    explicit_bzero(value, sizeof value);
    return answer;
}

int64_t clinux_program_reads_user(
    pid_t pid, uint64_t address, int milliseconds, void *destination, size_t count) {
    if (count > VALUE_BYTES) return -E2BIG;
    long cell = make_cell();
    if (cell < 0) return -errno;
    long program = load_reader(BPF_PROG_TYPE_RAW_TRACEPOINT, (int)cell, pid, address, count);
    if (program < 0) {
        close((int)cell);
        return program;
    }
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.raw_tracepoint.name = (uint64_t)(uintptr_t) "sys_enter";
    attributes.raw_tracepoint.prog_fd = (uint32_t)program;
    long link = bpf(BPF_RAW_TRACEPOINT_OPEN, &attributes);
    int64_t answer = link < 0 ? -errno : 0;
    if (link >= 0) {
        wait_for(milliseconds);
        answer = take_cell((int)cell, destination, count);
        close((int)link);
    }
    close((int)program);
    close((int)cell);
    return answer;
}

int clinux_place_socket_reader(
    struct clinux_socket_reader *reader, int cgroup, pid_t pid, uint64_t address, size_t count) {
    if (count > VALUE_BYTES) return -E2BIG;
    long cell = make_cell();
    if (cell < 0) return -errno;
    long program = load_reader(BPF_PROG_TYPE_CGROUP_SOCK, (int)cell, pid, address, count);
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = (uint32_t)cgroup;
    attributes.attach_bpf_fd = (uint32_t)program;
    attributes.attach_type = BPF_CGROUP_INET_SOCK_CREATE;
    int answer = program < 0 ? (int)program : result(bpf(BPF_PROG_ATTACH, &attributes));
    if (answer < 0) {
        if (program >= 0) close((int)program);
        close((int)cell);
        return answer;
    }
    *reader = (struct clinux_socket_reader){(int)cell, (int)program, cgroup, count};
    return 0;
}

int64_t clinux_remove_socket_reader(
    const struct clinux_socket_reader *reader, void *destination) {
    int64_t answer = take_cell(reader->cell, destination, reader->count);
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = (uint32_t)reader->cgroup;
    attributes.attach_bpf_fd = (uint32_t)reader->program;
    attributes.attach_type = BPF_CGROUP_INET_SOCK_CREATE;
    int detached = result(bpf(BPF_PROG_DETACH, &attributes));
    close(reader->program);
    close(reader->cell);
    return detached < 0 ? detached : answer;
}

int clinux_load_program_with(int helper) {
    struct bpf_insn from_task[] = {
        CALL(BPF_FUNC_get_current_task_btf), MOVE(4, 0), MOVE(1, 10), ADD(1, -16), SET(2, 8),
        SET(3, 4096), SET(5, 0), CALL(BPF_FUNC_copy_from_user_task), SET(0, 0), END,
    };
    struct bpf_insn other[] = {
        INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -16, 0),
        MOVE(helper == CLINUX_HELPER_PROBE_WRITE_USER ? 2 : 1, 10),
        ADD(helper == CLINUX_HELPER_PROBE_WRITE_USER ? 2 : 1, -16),
        SET(helper == CLINUX_HELPER_PROBE_WRITE_USER ? 1 : 3, 4096),
        SET(helper == CLINUX_HELPER_PROBE_WRITE_USER ? 3 : 2, 8),
        CALL(helper == CLINUX_HELPER_PROBE_WRITE_USER ? BPF_FUNC_probe_write_user
                                                      : BPF_FUNC_probe_read_kernel),
        SET(0, 0), END,
    };
    long descriptor =
        helper == CLINUX_HELPER_COPY_FROM_USER_TASK
            ? load(BPF_PROG_TYPE_KPROBE, BPF_F_SLEEPABLE, from_task,
                   sizeof from_task / sizeof from_task[0])
            : load(BPF_PROG_TYPE_KPROBE, 0, other, sizeof other / sizeof other[0]);
    if (descriptor < 0) return (int)descriptor;
    close((int)descriptor);
    return 0;
}

int clinux_probe_kexec_file(void) {
    int file = memfd_create("probe", MFD_CLOEXEC);
    if (file < 0) return -errno;
    char content[PAGE_BYTES];
    memset(content, 0, sizeof content);
    int answer = -EIO;
    // 4: KEXEC_FILE_NO_INITRAMFS (linux/kexec.h).
    if (write(file, content, sizeof content) == (ssize_t)sizeof content)
        answer = result(syscall(SYS_kexec_file_load, file, -1, 1L, "", 4L));
    close(file);
    return answer;
}

int clinux_load_crash_kernel(int kernel, int initramfs, const char *command_line) {
    // 2: KEXEC_FILE_ON_CRASH (linux/kexec.h).
    return result(syscall(SYS_kexec_file_load, kernel, initramfs, strlen(command_line) + 1,
                          command_line, 2L));
}

int clinux_raise_io_level(void) {
#if defined(__x86_64__)
    int answer = result(syscall(SYS_iopl, 3));
    if (answer == 0) syscall(SYS_iopl, 0);
    return answer;
#else
    return -ENOSYS;
#endif
}

int clinux_ask_for_family(int family) {
    int made = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (made < 0) return -errno;
    close(made);
    return 0;
}

static int wait_for_ever(void *unused) {
    (void)unused;
    // arm64 has no pause(2).
    for (;;) syscall(SYS_ppoll, NULL, 0L, NULL, NULL, 0L);
}

pid_t clinux_clone_sharing_memory(void) {
    const size_t stack_bytes = 64 << 10;
    char *stack = mmap(NULL, stack_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return -errno;
    pid_t child = clone(wait_for_ever, stack + stack_bytes, CLONE_VM | SIGCHLD, NULL);
    return child < 0 ? -errno : child;
}

pid_t clinux_fork_sharing_descriptors(void) {
    long child = syscall(SYS_clone, (long)(CLONE_FILES | SIGCHLD), 0L, 0L, 0L, 0L);
    return child < 0 ? -errno : (pid_t)child;
}

_Noreturn void clinux_use_for_ever(const void *secret, size_t count) {
    volatile char copy[VALUE_BYTES];
    for (;;) {
        for (size_t index = 0; index < count && index < sizeof copy; index++)
            copy[index] = ((const volatile char *)secret)[index];
        syscall(SYS_getppid);
    }
}
