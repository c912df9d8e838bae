// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinuxProbe.h"

#include "counter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

// A victim that does not answer by then never will.
#define ANSWER_SECONDS_MAX 5

static int let_out(int vector, const void *needle, size_t bytes) {
    int pair[2] = {-1, -1};
    ssize_t out;
    if (vector == 88) {
        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
        out = send(pair[0], needle, bytes, MSG_NOSIGNAL);
    } else {
        if (pipe2(pair, O_CLOEXEC) < 0) return -errno;
        out = write(pair[1], needle, bytes);
    }
    int result = out < 0 ? -errno : 0;
    close(pair[0]);
    close(pair[1]);
    return result;
}

pid_t clinux_start_victim(const void *needle, size_t bytes, int *channel) {
    int pair[2];
    pid_t parent = getpid();
    struct timeval limit = {.tv_sec = ANSWER_SECONDS_MAX};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    pid_t child = fork();
    if (child != 0) {
        int number = errno;
        close(pair[1]);
        *channel = pair[0];
        if (child > 0) return child;
        close(pair[0]);
        return -number;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    close(pair[0]);
    for (int vector; recv(pair[1], &vector, sizeof vector, MSG_WAITALL) == sizeof vector;) {
        int result = let_out(vector, needle, bytes);
        if (send(pair[1], &result, sizeof result, MSG_NOSIGNAL) < 0) break;
    }
    for (;;) pause();
}

int clinux_ask_victim(pid_t victim, int channel, int vector) {
    int result;
    // An attacker that was killed while it traced has left it stopped.
    kill(victim, SIGCONT);
    if (send(channel, &vector, sizeof vector, MSG_NOSIGNAL) < 0) return -errno;
    ssize_t got = recv(channel, &result, sizeof result, MSG_WAITALL);
    return got < 0 ? -errno : got != sizeof result ? -ESRCH : result;
}

void clinux_end_victim(pid_t victim) {
    kill(victim, SIGKILL);
    while (waitpid(victim, NULL, 0) < 0 && errno == EINTR) continue;
}

int clinux_in_attacker(int (*probe)(int number, pid_t target), int number, pid_t target) {
    pid_t child = fork();
    if (child < 0) return -errno;
    if (child == 0) _exit(probe(number, target) & 0xff);
    int status = 0;
    while (waitpid(child, &status, __WALL) < 0)
        if (errno != EINTR) return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static pid_t start_attacker(
    int (*probe)(int number, pid_t target), int number, pid_t target, const cpu_set_t *processor) {
    pid_t child = fork();
    if (child != 0) return child;
    if (sched_setaffinity(0, sizeof *processor, processor) != 0) _exit(errno & 0xff);
    _exit(probe(number, target) & 0xff);
}

int clinux_in_attackers(int (*probe)(int number, pid_t target), int number, pid_t target) {
    pid_t attackers[CLINUX_ATTACKERS];
    cpu_set_t processor;
    int own = sched_getcpu(), least = -1;
    CPU_ZERO(&processor);
    CPU_SET((size_t)(own < 0 ? 0 : own), &processor);
    for (int index = 0; index < CLINUX_ATTACKERS; index++)
        attackers[index] = start_attacker(probe, number, target, &processor);
    for (int index = 0; index < CLINUX_ATTACKERS; index++) {
        int status = 0;
        if (attackers[index] < 0) continue;
        while (waitpid(attackers[index], &status, __WALL) < 0 && errno == EINTR) continue;
        if (WIFEXITED(status) && (least < 0 || WEXITSTATUS(status) < least))
            least = WEXITSTATUS(status);
    }
    return least;
}

static int result(long value) { return value < 0 ? -errno : 0; }

static int closed(long descriptor) {
    if (descriptor < 0) return -errno;
    close((int)descriptor);
    return 0;
}

int clinux_ptrace_traceme(void) { return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL)); }

int clinux_probe_perf(pid_t pid, int breakpoint) {
    struct perf_event_attr attributes;
    if (breakpoint)
        breakpoint_counter(&attributes, 0x1000, HW_BREAKPOINT_LEN_4);
    else
        clock_counter(&attributes, 1 << 20);
    attributes.disabled = 1;
    attributes.exclude_kernel = 1;
    return closed(open_counter(&attributes, pid));
}

int clinux_probe_enter_namespaces(pid_t pid) {
    pid_t child = fork();
    if (child < 0) return -errno;
    if (child == 0) {
        char path[64];
        const char *names[] = {"mnt", "pid"};
        for (int index = 0; index < 2; index++) {
            snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, names[index]);
            int descriptor = open(path, O_RDONLY | O_CLOEXEC);
            if (descriptor < 0 || setns(descriptor, 0) < 0) _exit(errno);
            close(descriptor);
        }
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

int clinux_probe_program_load(uint32_t type) {
    struct bpf_insn program[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = type;
    attributes.insns = (uint64_t)(uintptr_t)program;
    attributes.insn_cnt = sizeof program / sizeof program[0];
    attributes.license = (uint64_t)(uintptr_t) "GPL";
    return closed(syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes));
}

int clinux_probe_module_file(void) {
    int file = memfd_create("probe", MFD_CLOEXEC);
    if (file < 0) return -errno;
    char content[4096];
    memset(content, 0, sizeof content);
    int answer = -EIO;
    if (write(file, content, sizeof content) == (ssize_t)sizeof content)
        answer = result(syscall(SYS_finit_module, file, "", 0));
    close(file);
    return answer;
}

int clinux_probe_core_limit(pid_t pid) {
    struct rlimit limit;
    if (prlimit(pid, RLIMIT_CORE, NULL, &limit) < 0) return -errno;
    return result(prlimit(pid, RLIMIT_CORE, &limit, NULL));
}

int clinux_probe_move_pages(pid_t pid) {
    return result(syscall(SYS_move_pages, pid, 0L, NULL, NULL, NULL, 0));
}

// A page that the victim, a fork of this process, has at the same place.
static char probed_page[4096] __attribute__((aligned(4096)));

int clinux_probe_page_out(pid_t pid) {
    long handle = syscall(SYS_pidfd_open, pid, 0);
    if (handle < 0) return -errno;
    struct iovec range = {probed_page, sizeof probed_page};
    // MADV_PAGEOUT of linux/mman.h, which libc's header need not have.
    int answer = result(syscall(SYS_process_madvise, handle, &range, 1UL, 21, 0U));
    close((int)handle);
    return answer;
}
