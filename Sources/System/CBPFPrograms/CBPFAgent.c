// SPDX-License-Identifier: Apache-2.0
#include "CBPFAgent.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

// A check of another processor's build names the header that it made.
#ifndef AGENT_OBJECT_HEADER
#define AGENT_OBJECT_HEADER "agent_object.h"
#endif
#include AGENT_OBJECT_HEADER

#if (defined(__x86_64__) && !defined(AGENT_OBJECT_FOR_X86)) || \
    (defined(__aarch64__) && !defined(AGENT_OBJECT_FOR_ARM64))
#error "the BPF programs are for another processor: run make -C bpf ARCH=x86 or ARCH=arm64"
#endif

#define MAPS_MAX 18
static const char *const map_names[MAPS_MAX] = {
    "tasks", "enrolments", "pending", "policies", "settings", "counts",
    "sequences", "buckets", "events", "guard", "guarded_ids", "guarded_cgroups",
    "scans", "streams", "scan_counts", "readers", "pending_memory", "wrapper_files",
};
#define ITERATORS_MAX 2
static const char *const iterator_names[ITERATORS_MAX] = {"enrol", "enrol_files"};
#define LINK_PREFIX "link_"
// Programs that are attached only while somebody asks for it.
#define HELD_PREFIX "held_"
#define HELD_MAX 4

struct held {
    char name[64];
    int program;
    // -1 while it is not attached.
    int link;
    enum bpf_attach_type type;
};

struct cbpf_agent {
    // NULL for programs that were found pinned.
    struct bpf_object *object;
    // The kernel's description of itself, several megabytes: NULL until it is asked for.
    struct btf *btf;
    // Where everything is pinned; empty for nowhere.
    char folder[128];
    struct held held[HELD_MAX];
    size_t held_count;
    int maps[MAPS_MAX];
    int iterators[ITERATORS_MAX];
    struct bpf_program **programs;
    struct bpf_link **links;
    size_t count;
    struct ring_buffer *ring;
    // Where the ring's callback copies to, during one take.
    struct cbpf_event *events;
    size_t taken, capacity;
};

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

static int path_of(char *path, size_t size, const char *folder, const char *name) {
    int written = snprintf(path, size, "%s/%s", folder, name);
    return written < 0 || (size_t)written >= size ? -ENAMETOOLONG : 0;
}

static int open_pin(const char *folder, const char *name) {
    char path[256];
    int result = path_of(path, sizeof path, folder, name);
    if (result < 0) return result;
    int descriptor = bpf_obj_get(path);
    return descriptor < 0 ? -errno : descriptor;
}

static int add_held(struct cbpf_agent *agent, const char *name, int program, int link) {
    if (agent->held_count == HELD_MAX) return -ENOSPC;
    struct held *held = &agent->held[agent->held_count++];
    snprintf(held->name, sizeof held->name, "%s", name);
    held->program = program;
    held->link = link < 0 ? -1 : link;
    // By the names in bpf/agent.bpf.c.
    held->type = strncmp(name, "lsm_", 4) == 0 ? BPF_LSM_MAC : BPF_MODIFY_RETURN;
    return 0;
}

static int adopt_held(struct cbpf_agent *agent) {
    DIR *entries = opendir(agent->folder);
    int result = entries == NULL ? -errno : 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(entries)) != NULL;) {
        if (strncmp(entry->d_name, HELD_PREFIX, strlen(HELD_PREFIX)) != 0) continue;
        const char *name = entry->d_name + strlen(HELD_PREFIX);
        char link[96];
        snprintf(link, sizeof link, LINK_PREFIX "%s", name);
        int program = open_pin(agent->folder, entry->d_name);
        result = program < 0 ? program
                             : add_held(agent, name, program, open_pin(agent->folder, link));
    }
    if (entries != NULL) closedir(entries);
    return result;
}

int cbpf_agent_adopt(const char *folder, struct cbpf_agent **agent) {
    struct cbpf_agent *found = calloc(1, sizeof *found);
    if (found == NULL) return -ENOMEM;
    int result = 0;
    snprintf(found->folder, sizeof found->folder, "%s", folder);
    for (size_t index = 0; index < MAPS_MAX; index++) {
        found->maps[index] = open_pin(folder, map_names[index]);
        if (found->maps[index] < 0) result = found->maps[index];
    }
    for (size_t index = 0; index < ITERATORS_MAX; index++) {
        found->iterators[index] = open_pin(folder, iterator_names[index]);
        if (found->iterators[index] < 0) result = found->iterators[index];
    }
    if (result == 0) result = adopt_held(found);
    if (result < 0) {
        cbpf_agent_close(found);
        return result;
    }
    *agent = found;
    return 0;
}

bool cbpf_is_file_system(const char *path) {
    struct statfs facts;
    return statfs(path, &facts) == 0 && facts.f_type == BPF_FS_MAGIC;
}

uint64_t cbpf_agent_fingerprint(void) {
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t index = 0; index < sizeof agent_object; index++)
        hash = (hash ^ agent_object[index]) * 0x100000001b3;
    return hash;
}

int cbpf_agent_reuse_maps(struct cbpf_agent *agent, const char *folder) {
    int reused = 0;
    for (size_t index = 0; index < MAPS_MAX; index++) {
        struct bpf_map *map = bpf_object__find_map_by_name(agent->object, map_names[index]);
        int pinned = open_pin(folder, map_names[index]);
        if (map == NULL || pinned < 0) continue;
        struct bpf_map_info info = {0};
        uint32_t length = sizeof info;
        int same = bpf_obj_get_info_by_fd(pinned, &info, &length) == 0 &&
            info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
            info.value_size == bpf_map__value_size(map);
        int result = same ? bpf_map__reuse_fd(map, pinned) : 0;
        close(pinned);
        if (result < 0) return result;
        reused += same;
    }
    return reused;
}

static int iterator_of(const struct cbpf_agent *agent, size_t index) {
    if (agent->object == NULL) return agent->iterators[index];
    return bpf_program__fd(
        bpf_object__find_program_by_name(agent->object, iterator_names[index]));
}

int cbpf_agent_pin(struct cbpf_agent *agent, const char *folder) {
    char path[256];
    for (size_t index = 0; index < MAPS_MAX; index++) {
        int result = path_of(path, sizeof path, folder, map_names[index]);
        if (result < 0) return result;
        int map = cbpf_agent_map(agent, map_names[index]);
        if (map < 0) return map;
        if (bpf_obj_pin(map, path) < 0) return -errno;
    }
    for (size_t index = 0; index < agent->count; index++) {
        if (agent->links[index] == NULL) continue;
        char name[96] = LINK_PREFIX;
        snprintf(name, sizeof name, LINK_PREFIX "%s", bpf_program__name(agent->programs[index]));
        int result = path_of(path, sizeof path, folder, name);
        if (result < 0) return result;
        result = bpf_link__pin(agent->links[index], path);
        if (result < 0) return result;
    }
    for (size_t index = 0; index < ITERATORS_MAX; index++) {
        int result = path_of(path, sizeof path, folder, iterator_names[index]);
        if (result < 0) return result;
        if (bpf_obj_pin(iterator_of(agent, index), path) < 0) return -errno;
    }
    for (size_t index = 0; index < agent->held_count; index++) {
        char name[96];
        snprintf(name, sizeof name, HELD_PREFIX "%s", agent->held[index].name);
        int result = path_of(path, sizeof path, folder, name);
        if (result < 0) return result;
        if (bpf_obj_pin(agent->held[index].program, path) < 0) return -errno;
        snprintf(name, sizeof name, LINK_PREFIX "%s", agent->held[index].name);
        result = path_of(path, sizeof path, folder, name);
        if (result < 0) return result;
        int link = agent->held[index].link;
        if (link >= 0 && bpf_obj_pin(link, path) < 0) return -errno;
    }
    snprintf(agent->folder, sizeof agent->folder, "%s", folder);
    return 0;
}

int cbpf_agent_hold(struct cbpf_agent *agent, size_t index) {
    struct bpf_program *program = agent->programs[index];
    return add_held(agent, bpf_program__name(program), bpf_program__fd(program), -1);
}

size_t cbpf_agent_held_count(const struct cbpf_agent *agent) { return agent->held_count; }

bool cbpf_agent_is_held_attached(const struct cbpf_agent *agent) {
    return agent->held_count > 0 && agent->held[0].link >= 0;
}

static int link_path(const struct cbpf_agent *agent, const char *name, char *path, size_t size) {
    char file[96];
    snprintf(file, sizeof file, LINK_PREFIX "%s", name);
    return path_of(path, size, agent->folder, file);
}

int cbpf_agent_attach_held(struct cbpf_agent *agent) {
    char path[256];
    for (size_t index = 0; index < agent->held_count; index++) {
        struct held *held = &agent->held[index];
        if (held->link >= 0) continue;
        held->link = bpf_link_create(held->program, 0, held->type, NULL);
        if (held->link < 0) return -errno;
        if (agent->folder[0] == 0) continue;
        int result = link_path(agent, held->name, path, sizeof path);
        if (result < 0) return result;
        if (bpf_obj_pin(held->link, path) < 0) return -errno;
    }
    return 0;
}

void cbpf_agent_detach_held(struct cbpf_agent *agent) {
    char path[256];
    for (size_t index = 0; index < agent->held_count; index++) {
        struct held *held = &agent->held[index];
        if (held->link < 0) continue;
        if (agent->folder[0] != 0 && link_path(agent, held->name, path, sizeof path) == 0)
            unlink(path);
        close(held->link);
        held->link = -1;
    }
}

int64_t cbpf_pinned_links(
    const char *folder, struct cbpf_guarded_key *identities, size_t capacity) {
    size_t count = 0;
    DIR *entries = opendir(folder);
    if (entries == NULL) return -errno;
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (strncmp(entry->d_name, LINK_PREFIX, strlen(LINK_PREFIX)) != 0) continue;
        int descriptor = open_pin(folder, entry->d_name);
        if (descriptor < 0) continue;
        struct bpf_link_info info = {0};
        uint32_t length = sizeof info;
        int result = bpf_obj_get_info_by_fd(descriptor, &info, &length);
        close(descriptor);
        if (result < 0 || count + 2 > capacity) continue;
        identities[count++] = (struct cbpf_guarded_key){CBPF_GUARDED_LINK, info.id};
        identities[count++] = (struct cbpf_guarded_key){CBPF_GUARDED_PROGRAM, info.prog_id};
    }
    closedir(entries);
    return (int64_t)count;
}

int64_t cbpf_agent_identities(
    const struct cbpf_agent *agent, const char *folder, struct cbpf_guarded_key *identities,
    size_t capacity) {
    size_t count = 0;
    for (size_t index = 0; index < MAPS_MAX && count < capacity; index++) {
        struct bpf_map_info info = {0};
        uint32_t length = sizeof info;
        int map = cbpf_agent_map(agent, map_names[index]);
        if (bpf_obj_get_info_by_fd(map, &info, &length) < 0) return -errno;
        identities[count++] = (struct cbpf_guarded_key){CBPF_GUARDED_MAP, info.id};
    }
    for (size_t index = 0; index < agent->held_count && count < capacity; index++) {
        struct bpf_prog_info info = {0};
        uint32_t length = sizeof info;
        if (bpf_obj_get_info_by_fd(agent->held[index].program, &info, &length) < 0) return -errno;
        identities[count++] = (struct cbpf_guarded_key){CBPF_GUARDED_PROGRAM, info.id};
    }
    int64_t links = cbpf_pinned_links(folder, identities + count, capacity - count);
    return links < 0 ? links : (int64_t)count + links;
}

bool cbpf_program_exists(uint32_t program) {
    int descriptor = bpf_prog_get_fd_by_id(program);
    if (descriptor < 0) return errno != ENOENT;
    close(descriptor);
    return true;
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
    const struct bpf_insn pass[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_MODIFY_RETURN,
                .attach_btf_id = (uint32_t)id);
    int program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "pass", "Dual BSD/GPL", pass,
                                sizeof pass / sizeof *pass, &options);
    if (program < 0) return -errno;
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
        if (strcmp(map_names[index], name) == 0) return agent->maps[index];
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
    return run_iterator(iterator_of(agent, 0), facts, capacity);
}

int64_t cbpf_agent_enrol_files(
    const struct cbpf_agent *agent, struct cbpf_task_facts *facts, size_t capacity) {
    return run_iterator(iterator_of(agent, 1), facts, capacity);
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
