// SPDX-License-Identifier: Apache-2.0
// Where a protected process lets bytes out: writes to files, pipes and terminals, sends on sockets.
#pragma once

#define MAY_WRITE 2
#define FILE_TYPE 0170000
#define FILE_IS_SOCKET 0140000
#define PF_IO_WORKER 0x10
#define SOCKET_IS_DATAGRAM 2
#define FAMILY_IPV4 2
#define FAMILY_IPV6 10
#define MESSAGE_ZEROCOPY 0x4000000

// A call that lets bytes out; `number` may be one of these two.
#define CALL_COMPATIBLE 0x20000
#define CALL_RING 0x20001

struct outgoing_call {
    struct arguments arguments;
    __u32 number;
};

static __always_inline void find_outgoing_call(struct outgoing_call *call)
{
    struct task_struct *task = current();
    struct pt_regs *registers = registers_of_current(task);
    call->number = number_of_call(registers);
    read_arguments(&call->arguments, registers, false);
    if (is_compatible(task))
        call->number = CALL_COMPATIBLE;
    if (BPF_CORE_READ(task, flags) & PF_IO_WORKER || call->number == CALL_IO_URING_ENTER)
        call->number = CALL_RING;
}

// By numbers: the address of what was closed is soon another's.
static __noinline int find_stream(
    struct stream_key *key, struct inode *inode, __u32 enrolment)
{
    if (!key)
        return 0;
    key->inode = BPF_CORE_READ(inode, i_ino);
    key->enrolment = (__u64)BPF_CORE_READ(inode, i_sb, s_dev) << 32 | enrolment;
    return 0;
}

static __noinline int find_stream_of_socket(
    struct stream_key *key, struct socket *socket, __u32 enrolment)
{
    struct inode *inode = BPF_CORE_READ(socket, file, f_inode);
    return find_stream(key, inode, enrolment);
}

static __noinline __u32 look_at_buffer(
    struct cbpf_scan *scan, struct stream_key *key, __u64 buffer, __u64 bytes)
{
    struct outgoing out;
    if (!key || !scan)
        return 0;
    if (!begin(&out, scan, key, bytes, false))
        return cannot_begin();
    out.start = buffer;
    out.length = bytes;
    if (!out.outcome)
        scan_range_atomic(&out, bitmap_of(scan));
    return end(&out, key, bytes - out.left);
}

static __noinline __u32 look_at_segments(
    struct cbpf_scan *scan, struct stream_key *key, __u64 segments, __u64 count)
{
    struct outgoing out;
    if (!key || !scan)
        return 0;
    if (!begin(&out, scan, key, CBPF_SCAN_BYTES_MAX, false))
        return cannot_begin();
    out.segments = segments;
    // More than the kernel takes at once it refuses itself.
    if (count <= CBPF_SCAN_SEGMENTS_MAX)
        scan_users_segments(&out, bitmap_of(scan), count);
    if (!out.outcome && out.left == 0)
        out.outcome = outcome_of(CBPF_SCAN_TOO_LARGE, 0, 0);
    return end(&out, key, CBPF_SCAN_BYTES_MAX - out.left);
}

// Outcome below, vector in bits 32 to 47.
static __always_inline __u64 look_at_write(
    struct cbpf_scan *scan, struct stream_key *key, const struct outgoing_call *call)
{
    __u64 vector = (__u32)call->arguments.first - 1 < 2 ? 87 : 86;
    __u64 opaque = outcome_of(CBPF_SCAN_OPAQUE, 0, 0);
    __u64 place = call->arguments.second, count = call->arguments.third;
    switch (call->number) {
    case CALL_WRITE:
    case CALL_PWRITE64: return vector << 32 | look_at_buffer(scan, key, place, count);
    case CALL_WRITEV:
    case CALL_PWRITEV:
    case CALL_PWRITEV2: return vector << 32 | look_at_segments(scan, key, place, count);
    case CALL_RING: return 101ULL << 32 | opaque;
    case CALL_IO_SUBMIT: return 106ULL << 32 | opaque;
    case CALL_COMPATIBLE: return vector << 32 | opaque;
    // What carries no bytes of the process: sendfile, copy_file_range, fallocate, a core dump.
    default: return 0;
    }
}

static __noinline int judge_write(
    struct file *file, __u32 enrolment, __u64 outcome, __u8 tier)
{
    struct dentry *entry = BPF_CORE_READ(file, f_path.dentry);
    struct attempt attempt = {
        .object = (const char *)BPF_CORE_READ(entry, d_name.name), .detail = (__u32)outcome,
        .policy = policy_of(enrolment), .enrolment = enrolment, .vector = outcome >> 32,
        .hook = CBPF_HOOK_FILE_PERMISSION, .tier = tier};
    return judge(&attempt);
}

static __always_inline int on_file_permission(struct file *file, int mask, __u8 tier)
{
    if (!(mask & MAY_WRITE))
        return 0;
    struct cbpf_task_mark *mark = mark_of(current());
    struct cbpf_scan *scan = scan_of(mark);
    if (!scan)
        return 0;
    struct inode *inode = BPF_CORE_READ(file, f_inode);
    // Sockets are asked about once more, with the bytes.
    if ((BPF_CORE_READ(inode, i_mode) & FILE_TYPE) == FILE_IS_SOCKET)
        return 0;
    struct outgoing_call call;
    find_outgoing_call(&call);
    struct stream_key key = {0};
    __u32 enrolment = mark->enrolment;
    find_stream(&key, inode, enrolment);
    __u64 outcome = look_at_write(scan, &key, &call);
    return (__u32)outcome ? judge_write(file, enrolment, outcome, tier) : 0;
}

struct destination {
    __u64 address[2];
    __u16 port;
};

// IPv4 as IPv6 has it: ::ffff:a.b.c.d.
static __always_inline void set_ipv4(struct destination *to, __u32 address)
{
    to->address[0] = 0;
    to->address[1] = (__u64)address << 32 | 0xffff0000;
}

static __always_inline void find_destination(
    struct socket *socket, struct msghdr *message, struct destination *to)
{
    struct sock *sock = BPF_CORE_READ(socket, sk);
    __u16 family = BPF_CORE_READ(sock, __sk_common.skc_family);
    if (family != FAMILY_IPV4 && family != FAMILY_IPV6)
        return;
    void *name = BPF_CORE_READ(message, msg_name);
    __be16 port = BPF_CORE_READ(sock, __sk_common.skc_dport);
    // struct sockaddr_in and sockaddr_in6.
    struct {
        __u16 family;
        __be16 port;
        __u32 address;
        __u64 long_address[2];
    } given = {0};
    bool is_named = name && (port == 0 || BPF_CORE_READ(socket, type) == SOCKET_IS_DATAGRAM);
    if (is_named)
        bpf_probe_read_kernel(&given, sizeof given, name);
    // A name of no family is none for IPv6 (udpv6_sendmsg), and one of IPv4 for IPv4.
    if (is_named && (family == FAMILY_IPV4 || given.family != 0)) {
        port = given.port;
        if (given.family == FAMILY_IPV6) {
            to->address[0] = given.long_address[0];
            to->address[1] = given.long_address[1];
        } else
            set_ipv4(to, given.address);
    } else if (family == FAMILY_IPV6) {
        bpf_core_read(to->address, sizeof to->address, &sock->__sk_common.skc_v6_daddr);
    } else
        set_ipv4(to, BPF_CORE_READ(sock, __sk_common.skc_daddr));
    to->port = __builtin_bswap16(port);
}

struct rules {
    struct cbpf_scan *scan;
    struct destination to;
    __u64 allowed;
};

static long check_rule(__u32 index, struct rules *rules)
{
    if (index >= CBPF_SCAN_RULES_MAX)
        return 1;
    const struct cbpf_scan_rule *rule = &rules->scan->rule[index];
    const __u64 *address = (const __u64 *)rule->address, *mask = (const __u64 *)rule->mask;
    if ((rules->to.address[0] ^ address[0]) & mask[0] ||
        (rules->to.address[1] ^ address[1]) & mask[1] ||
        (rule->port != 0 && rule->port != rules->to.port))
        return 0;
    if (rule->secret == CBPF_SCAN_ANY_SECRET)
        rules->allowed |= ALL_SECRETS;
    else if (rule->secret < CBPF_SCAN_SECRETS_MAX)
        rules->allowed |= 1ULL << rule->secret;
    return 0;
}

// Bits as in struct outgoing.
static __noinline __u64 allowed_there(
    struct cbpf_scan *scan, struct socket *socket, struct msghdr *message)
{
    struct rules rules = {.scan = scan};
    if (scan->rules == 0)
        return 0;
    find_destination(socket, message, &rules.to);
    if (rules.to.port != 0)
        bpf_loop(scan->rules, check_rule, &rules, 0);
    return rules.allowed;
}

static __always_inline void scan_iterator(
    struct outgoing *out, const struct leak_bitmap *bitmap, struct iov_iter *iterator,
    bool may_fault)
{
    __u8 type = BPF_CORE_READ(iterator, iter_type);
    __u32 count = BPF_CORE_READ(iterator, nr_segs);
    out->skipped = BPF_CORE_READ(iterator, iov_offset);
    if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
        type == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
        out->start = (__u64)BPF_CORE_READ(iterator, ubuf) + out->skipped;
        out->length = out->left;
        if (may_fault)
            scan_range_sleeping(out, bitmap);
        else
            scan_range_atomic(out, bitmap);
        return;
    }
    if (type == bpf_core_enum_value(enum iter_type, ITER_IOVEC)) {
        struct iov_iter___renamed *renamed = (void *)iterator;
        out->segments = bpf_core_field_exists(renamed->__iov)
            ? (__u64)BPF_CORE_READ(renamed, __iov)
            : (__u64)BPF_CORE_READ(iterator, iov);
    } else if (type == bpf_core_enum_value(enum iter_type, ITER_KVEC)) {
        out->source = SOURCE_KERNEL;
        out->segments = (__u64)BPF_CORE_READ(iterator, kvec);
    } else if (type == bpf_core_enum_value(enum iter_type, ITER_BVEC)) {
        out->source = SOURCE_PAGES;
        out->segments = (__u64)BPF_CORE_READ(iterator, bvec);
    } else {
        out->outcome = outcome_of(CBPF_SCAN_OPAQUE, 0, 0);
        return;
    }
    if (may_fault)
        scan_segments_sleeping(out, bitmap, count);
    else
        scan_segments_atomic(out, bitmap, count);
    if (!out->outcome && out->left != 0)
        out->outcome = outcome_of(CBPF_SCAN_UNREADABLE, 0, 0);
}

// sendmmsg(2) with datagrams to one place: the hook is shown the first of them only.
static __always_inline void scan_other_messages(
    struct outgoing *out, const struct leak_bitmap *bitmap)
{
    struct outgoing_call call;
    find_outgoing_call(&call);
    if (call.number != CALL_SENDMMSG)
        return;
    // Each may go elsewhere than the first: nothing is allowed.
    out->allowed = 0;
    out->source = SOURCE_USER;
    out->skipped = 0;
    out->left = CBPF_SCAN_BYTES_MAX;
    if (call.arguments.third > CBPF_SCAN_MESSAGES_MAX)
        out->outcome = outcome_of(CBPF_SCAN_TOO_LARGE, 0, 0);
    else
        scan_messages(out, bitmap, call.arguments.second, call.arguments.third);
}

static __always_inline __u32 look_at_message(
    struct cbpf_scan *scan, struct stream_key *key, struct socket *socket,
    struct msghdr *message, bool may_fault)
{
    __u64 allowed = allowed_there(scan, socket, message);
    struct outgoing out;
    __u64 bytes = BPF_CORE_READ(message, msg_iter.count);
    if (!begin(&out, scan, key, bytes, may_fault))
        return cannot_begin();
    out.allowed = allowed;
    if (!out.outcome && bytes > 0)
        scan_iterator(&out, bitmap_of(scan), &message->msg_iter, may_fault);
    bytes -= out.left;
    if (!out.outcome && BPF_CORE_READ(socket, type) == SOCKET_IS_DATAGRAM)
        scan_other_messages(&out, bitmap_of(scan));
    return end(&out, key, bytes);
}

static __noinline __u32 look_at_message_sleeping(
    struct cbpf_scan *scan, struct stream_key *key, struct socket *socket,
    struct msghdr *message)
{
    return scan && key && socket ? look_at_message(scan, key, socket, message, true) : 0;
}

static __noinline __u32 look_at_message_atomic(
    struct cbpf_scan *scan, struct stream_key *key, struct socket *socket,
    struct msghdr *message)
{
    return scan && key && socket ? look_at_message(scan, key, socket, message, false) : 0;
}

static __always_inline __u16 vector_of_sending(
    struct socket *socket, __u32 call, unsigned int flags)
{
    switch (call) {
    case CALL_RING: return 102;
    case CALL_SENDFILE: return 91;
    case CALL_SPLICE: return 92;
    case CALL_SENDMMSG: return BPF_CORE_READ(socket, type) == SOCKET_IS_DATAGRAM ? 90 : 89;
    default: return flags & MESSAGE_ZEROCOPY ? 107 : 88;
    }
}

static __noinline int judge_message(
    struct socket *socket, struct msghdr *message, __u32 enrolment, __u32 outcome, __u8 tier)
{
    struct outgoing_call call;
    find_outgoing_call(&call);
    struct destination to = {0};
    find_destination(socket, message, &to);
    struct attempt attempt = {
        .detail = (__u64)to.port << 32 | outcome, .policy = policy_of(enrolment),
        .enrolment = enrolment, .hook = CBPF_HOOK_SOCKET_SENDMSG, .tier = tier,
        .vector = vector_of_sending(
            socket, call.number, BPF_CORE_READ(message, msg_flags))};
    return judge(&attempt);
}

static __always_inline int on_socket_sendmsg(
    struct socket *socket, struct msghdr *message, __u8 tier, bool may_fault)
{
    struct cbpf_task_mark *mark = mark_of(current());
    struct cbpf_scan *scan = scan_of(mark);
    if (!scan)
        return 0;
    struct stream_key key = {0};
    __u32 enrolment = mark->enrolment;
    find_stream_of_socket(&key, socket, enrolment);
    __u32 outcome = may_fault ? look_at_message_sleeping(scan, &key, socket, message)
                              : look_at_message_atomic(scan, &key, socket, message);
    return outcome ? judge_message(socket, message, enrolment, outcome, tier) : 0;
}
