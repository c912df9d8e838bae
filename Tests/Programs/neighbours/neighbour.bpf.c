// SPDX-License-Identifier: Apache-2.0
// What a container network does with BPF: a classifier on a link, a program at the driver, and one
// that is asked before a process connects. Each lets everything through and counts in a map.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} seen SEC(".maps");

static __always_inline void count(void)
{
    __u32 zero = 0;
    __u64 *cell = bpf_map_lookup_elem(&seen, &zero);
    if (cell)
        __sync_fetch_and_add(cell, 1);
}

SEC("tc")
int classify(struct __sk_buff *packet)
{
    count();
    // TC_ACT_OK (linux/pkt_cls.h)
    return 0;
}

SEC("xdp")
int pass(struct xdp_md *packet)
{
    count();
    return XDP_PASS;
}

SEC("cgroup/connect4")
int connect_by_name(struct bpf_sock_addr *address)
{
    count();
    return 1;
}
