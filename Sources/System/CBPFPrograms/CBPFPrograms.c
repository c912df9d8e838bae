// SPDX-License-Identifier: Apache-2.0
#include "CBPFPrograms.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "deny_ptrace_object.h"

struct cbpf_program {
    struct bpf_object *object;
    struct bpf_link *link;
};

int cbpf_deny_ptrace_load(struct cbpf_program **program) {
    struct bpf_object *object =
        bpf_object__open_mem(deny_ptrace_object, sizeof deny_ptrace_object, NULL);
    if (object == NULL) return -errno;
    int result = bpf_object__load(object);
    struct cbpf_program *loaded = result == 0 ? calloc(1, sizeof *loaded) : NULL;
    if (loaded == NULL) {
        bpf_object__close(object);
        return result == 0 ? -ENOMEM : result;
    }
    loaded->object = object;
    *program = loaded;
    return 0;
}

int cbpf_attach(struct cbpf_program *program) {
    struct bpf_program *code = bpf_object__next_program(program->object, NULL);
    program->link = bpf_program__attach(code);
    return program->link == NULL ? -errno : 0;
}

int cbpf_deny_ptrace_protect(struct cbpf_program *program, pid_t group, pid_t tracer) {
    int map = bpf_object__find_map_fd_by_name(program->object, "protected_groups");
    uint32_t key = (uint32_t)group, value = (uint32_t)tracer;
    return bpf_map_update_elem(map, &key, &value, BPF_ANY) < 0 ? -errno : 0;
}

int64_t cbpf_deny_ptrace_denied(struct cbpf_program *program) {
    int map = bpf_object__find_map_fd_by_name(program->object, "denied_count");
    uint32_t cell = 0;
    uint64_t count = 0;
    return bpf_map_lookup_elem(map, &cell, &count) < 0 ? -errno : (int64_t)count;
}

void cbpf_unload(struct cbpf_program *program) {
    bpf_link__destroy(program->link);
    bpf_object__close(program->object);
    free(program);
}
