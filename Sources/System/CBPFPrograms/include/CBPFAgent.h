// SPDX-License-Identifier: Apache-2.0
// libbpf calls for bpf/agent.bpf.c: its programs one by one, its maps, its ring. Which programs are
// loaded and what the maps hold is decided in Swift (Sources/Adapters/LibbpfKernel).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "CBPFRecords.h"
#include "CBPFScan.h"

/// The opened object with its maps, programs and links.
struct cbpf_agent;

/// Opens bpf/agent.bpf.c; nothing is in the kernel yet. Returns 0 and the object, or -errno.
int cbpf_agent_open(struct cbpf_agent **agent);

/// Opens what `cbpf_agent_pin` left in `folder`. Programs cannot be chosen, loaded or attached
/// then: they are. Returns 0 and the object, or -errno.
int cbpf_agent_adopt(const char *folder, struct cbpf_agent **agent);

/// Whether a BPF file system is mounted at the path (statfs(2)).
bool cbpf_is_file_system(const char *path);

/// A number that changes with the programs' bytes (FNV-1a).
uint64_t cbpf_agent_fingerprint(void);

/// Uses the maps that `cbpf_agent_pin` left in `folder` instead of new ones, as far as their shape
/// is the same. Before loading only. Returns how many, or -errno.
int cbpf_agent_reuse_maps(struct cbpf_agent *agent, const char *folder);

/// Pins every map, every attached link and the enrolment iterators in `folder`, which exists and is
/// empty. Returns 0 or -errno.
int cbpf_agent_pin(struct cbpf_agent *agent, const char *folder);

/// Kernel's numbers of what the object holds: maps, then those of `cbpf_pinned_links`. Writes up to
/// `capacity`, and returns how many or -errno.
int64_t cbpf_agent_identities(
    const struct cbpf_agent *agent, const char *folder, struct cbpf_guarded_key *identities,
    size_t capacity);

/// Kernel's numbers of the links that are pinned in `folder`, each followed by its program's.
/// Writes up to `capacity`, and returns how many or -errno.
int64_t cbpf_pinned_links(
    const char *folder, struct cbpf_guarded_key *identities, size_t capacity);

/// Whether a program of this number is in the kernel. A link loses its number before it is
/// detached, its program afterwards.
bool cbpf_program_exists(uint32_t program);

/// How many programs the object has.
size_t cbpf_agent_program_count(const struct cbpf_agent *agent);

/// Where the program at `index` attaches ("lsm/file_open"); valid as long as the object.
const char *cbpf_agent_section(const struct cbpf_agent *agent, size_t index);

/// Whether `cbpf_agent_load` loads the program at `index`.
void cbpf_agent_choose(struct cbpf_agent *agent, size_t index, bool load);

/// How many arguments the kernel's function has by its BTF, which is read once for the object, or
/// -errno.
int cbpf_agent_function_arguments(struct cbpf_agent *agent, const char *function);

/// Whether the kernel's programs have the helper ("BPF_FUNC_loop").
bool cbpf_agent_kernel_has_helper(struct cbpf_agent *agent, const char *name);
/// Loads a program that would replace the function's result and changes nothing, and unloads it: 0
/// where the kernel takes it, else -errno, -ENOENT for a function that is not there.
int cbpf_agent_takes_replacement(struct cbpf_agent *agent, const char *function);

/// Number of the kernel's function in its BTF, or -errno.
int cbpf_agent_function(struct cbpf_agent *agent, const char *function);

/// Before loading only. Returns 0 or -errno.
int cbpf_agent_set_constants(struct cbpf_agent *agent, const struct cbpf_constants *constants);

/// Loads the chosen programs. Returns 0 or -errno; then the verifier's words are in `message`.
int cbpf_agent_load(struct cbpf_agent *agent, char *message, size_t capacity);

/// Keeps the loaded program at `index` to be attached later. Before pinning. Returns 0 or -errno.
int cbpf_agent_hold(struct cbpf_agent *agent, size_t index);

/// How many programs are kept so.
size_t cbpf_agent_held_count(const struct cbpf_agent *agent);

/// Whether they are attached now.
bool cbpf_agent_is_held_attached(const struct cbpf_agent *agent);

/// Attaches them, and pins their links where the others are pinned. Returns 0 or -errno.
int cbpf_agent_attach_held(struct cbpf_agent *agent);

/// Detaches them and takes their pins away.
void cbpf_agent_detach_held(struct cbpf_agent *agent);

/// Attaches the loaded program at `index`. Returns 0 or -errno.
int cbpf_agent_attach(struct cbpf_agent *agent, size_t index);

/// Instructions that the verifier walked and bytes of the translated program. 0 or -errno.
int cbpf_agent_program_cost(
    const struct cbpf_agent *agent, size_t index, uint32_t *verified, uint32_t *bytes);

/// Descriptor of the map, owned by the object, or -errno.
int cbpf_agent_map(const struct cbpf_agent *agent, const char *name);

/// bpf(2) BPF_MAP_UPDATE_ELEM, _LOOKUP_ELEM, _DELETE_ELEM, _GET_NEXT_KEY. Return 0 or -errno.
int cbpf_map_update(int map, const void *key, const void *value);
int cbpf_map_lookup(int map, const void *key, void *value);
int cbpf_map_delete(int map, const void *key);
int cbpf_map_next_key(int map, const void *key, void *next);

/// Number of values that a per-CPU map's lookup writes.
int cbpf_possible_processors(void);

/// Runs the enrolment iterator: marks what `pending` names and writes one record for each such
/// thread. Returns how many, or -errno; -ENOSPC when there are more than `capacity`.
int64_t cbpf_agent_enrol(
    const struct cbpf_agent *agent, struct cbpf_task_facts *facts, size_t capacity);

/// Runs the iterator of open files, after `cbpf_agent_enrol` and before `pending` is emptied:
/// writes one record for each file by which somebody has a hand in what is being enrolled. Returns
/// how many, or -errno; -ENOSPC when there are more than `capacity`.
int64_t cbpf_agent_enrol_files(
    const struct cbpf_agent *agent, struct cbpf_task_facts *facts, size_t capacity);

/// Waits up to `milliseconds` for events and copies up to `capacity`. Returns how many or -errno.
int64_t cbpf_agent_take_events(
    struct cbpf_agent *agent, int milliseconds, struct cbpf_event *events, size_t capacity);

/// Descriptor that poll(2) shows readable while events wait, owned by the object, or -errno.
int cbpf_agent_events_descriptor(struct cbpf_agent *agent);

/// Detaches and unloads what is not pinned.
void cbpf_agent_close(struct cbpf_agent *agent);
