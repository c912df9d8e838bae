// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "CBPFPass.h"
#include "agent_parts.h"

// A check of another processor's build names the header that it made.
#ifndef AGENT_OBJECT_HEADER
#define AGENT_OBJECT_HEADER "agent_object.h"
#endif
#include AGENT_OBJECT_HEADER

#if (defined(__x86_64__) && !defined(AGENT_OBJECT_FOR_X86)) || \
    (defined(__aarch64__) && !defined(AGENT_OBJECT_FOR_ARM64))
#error "the BPF programs are for another processor: run make -C bpf ARCH=x86 or ARCH=arm64"
#endif

// libbpf's printer has no context argument. Loading is done by one thread.
static _Thread_local char *message_start;
static _Thread_local size_t message_left;

static int collect(enum libbpf_print_level level, const char *format, va_list arguments) {
    if (level == LIBBPF_DEBUG || message_left < 2) return 0;
    int written = vsnprintf(message_start, message_left, format, arguments);
    size_t used = written < 0 ? 0 : (size_t)written;
    if (used >= message_left) used = message_left - 1;
    message_start += used;
    message_left -= used;
    return written;
}

int cbpf_agent_open(struct cbpf_agent **agent) {
    libbpf_set_print(collect);
    struct cbpf_agent *opened = calloc(1, sizeof *opened);
    if (opened == NULL) return -ENOMEM;
    opened->object = bpf_object__open_mem(agent_object, sizeof agent_object, NULL);
    if (opened->object == NULL) {
        int number = errno;
        free(opened);
        return -number;
    }
    struct bpf_program *program;
    bpf_object__for_each_program(program, opened->object) opened->count++;
    opened->programs = calloc(opened->count, sizeof *opened->programs);
    opened->links = calloc(opened->count, sizeof *opened->links);
    if (opened->programs == NULL || opened->links == NULL) {
        cbpf_agent_close(opened);
        return -ENOMEM;
    }
    size_t index = 0;
    bpf_object__for_each_program(program, opened->object) opened->programs[index++] = program;
    *agent = opened;
    return 0;
}

uint64_t cbpf_agent_fingerprint(void) {
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t index = 0; index < sizeof agent_object; index++)
        hash = (hash ^ agent_object[index]) * 0x100000001b3;
    return hash;
}

size_t cbpf_agent_program_count(const struct cbpf_agent *agent) { return agent->count; }

const char *cbpf_agent_section(const struct cbpf_agent *agent, size_t index) {
    return bpf_program__section_name(agent->programs[index]);
}

void cbpf_agent_choose(struct cbpf_agent *agent, size_t index, bool load) {
    bpf_program__set_autoload(agent->programs[index], load);
}

static bool has_kernel_types(struct cbpf_agent *agent) {
    if (agent->btf == NULL) agent->btf = btf__load_vmlinux_btf();
    return agent->btf != NULL;
}

bool cbpf_agent_kernel_has_helper(struct cbpf_agent *agent, const char *name) {
    if (!has_kernel_types(agent)) return false;
    int id = btf__find_by_name_kind(agent->btf, "bpf_func_id", BTF_KIND_ENUM);
    const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(agent->btf, (uint32_t)id);
    for (int index = 0; type != NULL && index < btf_vlen(type); index++)
        if (strcmp(btf__name_by_offset(agent->btf, btf_enum(type)[index].name_off), name) == 0)
            return true;
    return false;
}

int cbpf_agent_function(struct cbpf_agent *agent, const char *function) {
    if (!has_kernel_types(agent)) return -errno;
    return btf__find_by_name_kind(agent->btf, function, BTF_KIND_FUNC);
}

int cbpf_agent_takes_replacement(struct cbpf_agent *agent, const char *function) {
    int id = cbpf_agent_function(agent, function);
    if (id < 0) return id;
    int program = cbpf_pass_load(CBPF_PASS_MODIFY_RETURN, id);
    if (program < 0) return program;
    close(program);
    return 0;
}

int cbpf_agent_function_arguments(struct cbpf_agent *agent, const char *function) {
    int id = cbpf_agent_function(agent, function);
    const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(agent->btf, (uint32_t)id);
    if (type != NULL) type = btf__type_by_id(agent->btf, type->type);
    return type == NULL ? -ENOENT : btf_vlen(type);
}

int cbpf_agent_set_constants(struct cbpf_agent *agent, const struct cbpf_constants *constants) {
    struct bpf_map *map = bpf_object__find_map_by_name(agent->object, ".rodata");
    if (map == NULL || bpf_map__value_size(map) != sizeof *constants) return -EINVAL;
    return bpf_map__set_initial_value(map, constants, sizeof *constants);
}

int cbpf_agent_load(struct cbpf_agent *agent, char *message, size_t capacity) {
    message[0] = 0;
    message_start = message;
    message_left = capacity;
    // Nobody asks any more, and it would stay as long as the agent does.
    btf__free(agent->btf);
    agent->btf = NULL;
    int result = bpf_object__load(agent->object);
    message_left = 0;
    return result;
}

int cbpf_agent_attach(struct cbpf_agent *agent, size_t index) {
    struct bpf_link *link = bpf_program__attach(agent->programs[index]);
    if (link == NULL) return -errno;
    agent->links[index] = link;
    return 0;
}

int cbpf_agent_program_cost(
    const struct cbpf_agent *agent, size_t index, uint32_t *verified, uint32_t *bytes) {
    struct bpf_prog_info info = {0};
    uint32_t length = sizeof info;
    int descriptor = bpf_program__fd(agent->programs[index]);
    if (bpf_obj_get_info_by_fd(descriptor, &info, &length) < 0) return -errno;
    *verified = info.verified_insns;
    *bytes = info.xlated_prog_len;
    return 0;
}

int cbpf_agent_map(const struct cbpf_agent *agent, const char *name) {
    if (agent->object != NULL) return bpf_object__find_map_fd_by_name(agent->object, name);
    for (size_t index = 0; index < MAPS_MAX; index++)
        if (strcmp(cbpf_map_names[index], name) == 0) return agent->maps[index];
    return -ENOENT;
}

int cbpf_map_update(int map, const void *key, const void *value) {
    return bpf_map_update_elem(map, key, value, BPF_ANY) < 0 ? -errno : 0;
}

int cbpf_map_lookup(int map, const void *key, void *value) {
    return bpf_map_lookup_elem(map, key, value) < 0 ? -errno : 0;
}

int cbpf_map_delete(int map, const void *key) {
    return bpf_map_delete_elem(map, key) < 0 ? -errno : 0;
}

int cbpf_map_next_key(int map, const void *key, void *next) {
    return bpf_map_get_next_key(map, key, next) < 0 ? -errno : 0;
}

int cbpf_possible_processors(void) { return libbpf_num_possible_cpus(); }

// Records arrive whole, but a read may end between two of them.
static int64_t read_records(int stream, void *target, size_t bytes) {
    size_t filled = 0;
    while (filled < bytes) {
        ssize_t got = read(stream, (char *)target + filled, bytes - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -errno;
        if (got == 0) return (int64_t)filled;
        filled += (size_t)got;
    }
    char more;
    return read(stream, &more, 1) > 0 ? -ENOSPC : (int64_t)filled;
}

static int64_t run_iterator(int program, struct cbpf_task_facts *facts, size_t capacity) {
    int link = bpf_link_create(program, 0, BPF_TRACE_ITER, NULL);
    if (link < 0) return -errno;
    int stream = bpf_iter_create(link);
    int64_t result = stream < 0 ? -errno : read_records(stream, facts, capacity * sizeof *facts);
    if (stream >= 0) close(stream);
    close(link);
    return result < 0 ? result : result / (int64_t)sizeof *facts;
}

int64_t cbpf_agent_enrol(
    const struct cbpf_agent *agent, struct cbpf_task_facts *facts, size_t capacity) {
    return run_iterator(cbpf_iterator_of(agent, 0), facts, capacity);
}

int64_t cbpf_agent_enrol_files(
    const struct cbpf_agent *agent, struct cbpf_task_facts *facts, size_t capacity) {
    return run_iterator(cbpf_iterator_of(agent, 1), facts, capacity);
}

static int copy_event(void *context, void *data, size_t bytes) {
    struct cbpf_agent *agent = context;
    if (bytes != sizeof(struct cbpf_event)) return 0;
    agent->events[agent->taken++] = *(struct cbpf_event *)data;
    // A negative answer stops the walk after this event has been consumed.
    return agent->taken == agent->capacity ? -ENOSPC : 0;
}

static int open_ring(struct cbpf_agent *agent) {
    if (agent->ring == NULL)
        agent->ring = ring_buffer__new(cbpf_agent_map(agent, "events"), copy_event, agent, NULL);
    return agent->ring == NULL ? -errno : 0;
}

int cbpf_agent_events_descriptor(struct cbpf_agent *agent) {
    int result = open_ring(agent);
    return result < 0 ? result : ring_buffer__epoll_fd(agent->ring);
}

int64_t cbpf_agent_take_events(
    struct cbpf_agent *agent, int milliseconds, struct cbpf_event *events, size_t capacity) {
    int opened = open_ring(agent);
    if (opened < 0) return opened;
    agent->events = events;
    agent->taken = 0;
    agent->capacity = capacity;
    int result = ring_buffer__poll(agent->ring, milliseconds);
    agent->events = NULL;
    if (result < 0 && result != -ENOSPC && result != -EINTR) return result;
    return (int64_t)agent->taken;
}

void cbpf_agent_close(struct cbpf_agent *agent) {
    if (agent->ring != NULL) ring_buffer__free(agent->ring);
    for (size_t index = 0; index < agent->held_count; index++) {
        if (agent->held[index].link >= 0) close(agent->held[index].link);
        // The object closes its own.
        if (agent->object == NULL) close(agent->held[index].program);
    }
    for (size_t index = 0; agent->links != NULL && index < agent->count; index++)
        bpf_link__destroy(agent->links[index]);
    for (size_t index = 0; agent->object == NULL && index < MAPS_MAX; index++)
        if (agent->maps[index] > 0) close(agent->maps[index]);
    for (size_t index = 0; agent->object == NULL && index < ITERATORS_MAX; index++)
        if (agent->iterators[index] > 0) close(agent->iterators[index]);
    bpf_object__close(agent->object);
    btf__free(agent->btf);
    free(agent->programs);
    free(agent->links);
    free(agent);
}
