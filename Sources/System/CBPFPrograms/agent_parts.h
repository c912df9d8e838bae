// SPDX-License-Identifier: Apache-2.0
// What CBPFAgent.c and CBPFPins.c share.
#pragma once
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "CBPFAgent.h"

#define MAPS_MAX 18
extern const char *const cbpf_map_names[MAPS_MAX];
#define ITERATORS_MAX 2
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

/// Descriptor of the program of an iterator.
int cbpf_iterator_of(const struct cbpf_agent *agent, size_t index);
