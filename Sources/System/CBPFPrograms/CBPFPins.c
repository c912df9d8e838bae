// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent_parts.h"

const char *const cbpf_map_names[MAPS_MAX] = {
    "tasks", "enrolments", "pending", "policies", "settings", "counts",
    "sequences", "buckets", "events", "guard", "guarded_ids", "guarded_cgroups",
    "scans", "streams", "scan_counts", "readers", "pending_memory", "wrapper_files",
};
static const char *const iterator_names[ITERATORS_MAX] = {"enrol", "enrol_files"};

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
        found->maps[index] = open_pin(folder, cbpf_map_names[index]);
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

int cbpf_agent_reuse_maps(struct cbpf_agent *agent, const char *folder) {
    int reused = 0;
    for (size_t index = 0; index < MAPS_MAX; index++) {
        struct bpf_map *map = bpf_object__find_map_by_name(agent->object, cbpf_map_names[index]);
        int pinned = open_pin(folder, cbpf_map_names[index]);
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

int cbpf_iterator_of(const struct cbpf_agent *agent, size_t index) {
    if (agent->object == NULL) return agent->iterators[index];
    return bpf_program__fd(
        bpf_object__find_program_by_name(agent->object, iterator_names[index]));
}

int cbpf_agent_pin(struct cbpf_agent *agent, const char *folder) {
    char path[256];
    for (size_t index = 0; index < MAPS_MAX; index++) {
        int result = path_of(path, sizeof path, folder, cbpf_map_names[index]);
        if (result < 0) return result;
        int map = cbpf_agent_map(agent, cbpf_map_names[index]);
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
        if (bpf_obj_pin(cbpf_iterator_of(agent, index), path) < 0) return -errno;
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
        int map = cbpf_agent_map(agent, cbpf_map_names[index]);
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
