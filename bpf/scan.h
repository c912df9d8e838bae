// SPDX-License-Identifier: Apache-2.0
// Looks for a workload's values in what it writes and sends. The values themselves stay in the
// process's own secret page, where the leak index (Sources/Core/LeakIndex) is read at each call;
// bytes on their way out pass through the stack of these programs and through no map.
#pragma once

#define BLOCK_BYTES 64
#define WORD_BYTES 8

// A shift register: the last 16 bytes that went before, then one block.
#define BEFORE_WORDS (CBPF_LEAK_WINDOW_MAX / WORD_BYTES)
#define WINDOW_WORDS (BEFORE_WORDS + BLOCK_BYTES / WORD_BYTES)
#define WINDOW_BYTES (WINDOW_WORDS * WORD_BYTES)

// Where outgoing bytes are.
enum source { SOURCE_USER, SOURCE_KERNEL, SOURCE_PAGES };

struct leak_index_head {
    __u64 magic;
    __u64 multiplier;
    __u32 slots;
    __u32 entries;
    __u64 unused;
};

struct leak_index_slot {
    __u64 first;
    __u64 second;
    __u16 secret;
    __u8 length;
    __u8 form;
    __u32 unused;
};

struct leak_bitmap {
    __u8 bytes[CBPF_SCAN_BITMAP_BYTES];
};

// One call. Stacks of programs are short: 512 bytes for all functions that are under way. The
// verifier takes a copy into `words` at a variable place for one that may reach 64 bytes further:
// what follows there is checked again where it is used.
struct outgoing {
    __u64 words[WINDOW_WORDS];
    __u64 multiplier;
    __u64 slots;
    __u64 hits;
    // The segment that is looked through.
    __u64 start;
    __u64 length;
    // Array of segments.
    __u64 segments;
    // Bytes of the call that are left.
    __u64 left;
    // Bit by position: values that may go where this goes; ALL_SECRETS: whatever it is.
    __u64 allowed;
    __u32 slot_mask;
    // Of the first segment: not sent.
    __u32 skipped;
    __u32 candidates;
    // As in an event's `detail`; 0: clean so far.
    __u32 outcome;
    // enum source.
    __u32 source;
    __u32 unused;
};
#define ALL_SECRETS (1ULL << CBPF_SCAN_SECRETS_MAX)

static __always_inline __u32 outcome_of(__u32 reason, __u32 form, __u32 secret)
{
    return reason << 24 | form << 16 | secret;
}

// Functions that are not static are looked at once by the verifier, and not again at every way that
// leads there; bpf_loop's are told where things are by what they are handed on the stack.
struct looking {
    struct outgoing *out;
    const struct leak_bitmap *bitmap;
    // Array of messages.
    __u64 messages;
};

// Compares the window that ends at bit `position` of the hits with the index.
__noinline int check_position(struct outgoing *out, __u32 position)
{
    if (!out)
        return 0;
    const __u64 *window = (const void *)out->words + 1 + (position & (BLOCK_BYTES - 1));
    __u64 first = window[0], second = window[1];
    __u64 hash = second * out->multiplier >> 48;
    out->candidates++;
    for (int probe = 0; probe < CBPF_LEAK_PROBES; probe++) {
        struct leak_index_slot slot = {0};
        __u64 number = (hash + probe) & out->slot_mask;
        const void *place = (const void *)(out->slots + number * sizeof slot);
        if (bpf_probe_read_user(&slot, sizeof slot, place) != 0) {
            out->outcome = outcome_of(CBPF_SCAN_UNREADABLE, 0, 0);
            return 1;
        }
        if (slot.length == 0)
            return 0;
        if (slot.second != second)
            continue;
        __u32 missing = (CBPF_LEAK_WINDOW_MAX - slot.length) & 15;
        __u64 mask = missing >= WORD_BYTES ? 0 : ~0ULL << missing * 8;
        if ((slot.first ^ first) & mask)
            continue;
        if (out->allowed & ALL_SECRETS ||
            (slot.secret < CBPF_SCAN_SECRETS_MAX && out->allowed >> slot.secret & 1))
            continue;
        out->outcome = outcome_of(CBPF_SCAN_FOUND, slot.form, slot.secret);
        return 1;
    }
    return 0;
}

// A bit for each of the 64 windows that end in the block, by the hash of its last 8 bytes. Without
// branches: the verifier would follow each of them.
__noinline int find_hits(struct outgoing *out, const struct leak_bitmap *bitmap)
{
    if (!out || !bitmap)
        return 0;
    __u64 hits = 0;
    __u64 multiplier = out->multiplier;
#pragma clang loop unroll(full)
    for (int index = 0; index < BLOCK_BYTES; index++) {
        const int from = 9 + index;
        __u64 word = out->words[from / WORD_BYTES];
        if (from % WORD_BYTES != 0) {
            const int shift = from % WORD_BYTES * 8;
            word = word >> shift | out->words[from / WORD_BYTES + 1] << (64 - shift);
        }
        __u64 hash = word * multiplier >> 48;
        __u64 byte = bitmap->bytes[hash >> 3 & (CBPF_SCAN_BITMAP_BYTES - 1)];
        hits |= (byte >> (hash & 7) & 1) << index;
        // One after the other: the compiler would keep all of them on the stack, which is short.
        asm volatile("" : "+r"(hits));
    }
    out->hits &= hits;
    return out->hits != 0;
}

static __always_inline long read_outgoing(
    struct outgoing *out, void *target, __u32 bytes, __u64 from, bool may_fault)
{
    if (out->source != SOURCE_USER)
        return bpf_probe_read_kernel(target, bytes, (const void *)from);
    if (may_fault)
        return bpf_copy_from_user(target, bytes, (const void *)from);
    return bpf_probe_read_user(target, bytes, (const void *)from);
}

static __always_inline long scan_block(
    __u32 index, struct looking *looking, bool may_fault)
{
    struct outgoing *out = looking->out;
    __u64 position = (__u64)index * BLOCK_BYTES;
    __u64 rest = out->length - position;
    long failed;
    out->hits = ~0ULL;
    if (rest >= BLOCK_BYTES) {
        out->words[0] = out->words[WINDOW_WORDS - 2];
        out->words[1] = out->words[WINDOW_WORDS - 1];
        failed = read_outgoing(
            out, &out->words[BEFORE_WORDS], BLOCK_BYTES, out->start + position, may_fault);
    } else {
        // Shifted by as much as is new.
        __u32 fresh = rest & (BLOCK_BYTES - 1);
        if (fresh == 0)
            return 1;
        __u64 kept = WINDOW_BYTES - fresh;
        // Or else the compiler subtracts from the address, which the verifier forbids.
        asm volatile("" : "+r"(kept));
        void *words = out->words;
        bpf_probe_read_kernel(words, kept, words + fresh);
        failed = read_outgoing(out, words + kept, fresh, out->start + position, may_fault);
        out->hits <<= BLOCK_BYTES - fresh;
    }
    if (failed) {
        out->outcome = outcome_of(CBPF_SCAN_UNREADABLE, 0, 0);
        return 1;
    }
    if (!find_hits(out, looking->bitmap))
        return 0;
    for (__u32 window = 0; window < BLOCK_BYTES; window++)
        if (out->hits >> window & 1 && check_position(out, window))
            return 1;
    return 0;
}

static long scan_block_sleeping(__u32 index, struct looking *looking)
{
    return scan_block(index, looking, true);
}

static long scan_block_atomic(__u32 index, struct looking *looking)
{
    return scan_block(index, looking, false);
}

#define SCAN_RANGE(name, block)                                                              \
    __noinline int name(struct outgoing *out, const struct leak_bitmap *bitmap)              \
    {                                                                                        \
        if (!out || !bitmap)                                                                 \
            return 0;                                                                        \
        struct looking looking = {.out = out, .bitmap = bitmap};                             \
        if (out->length > out->left)                                                         \
            out->length = out->left;                                                         \
        out->left -= out->length;                                                            \
        __u32 blocks = (out->length + BLOCK_BYTES - 1) / BLOCK_BYTES;                        \
        if (blocks)                                                                          \
            bpf_loop(blocks, block, &looking, 0);                                            \
        return 0;                                                                            \
    }
// What out->start and out->length say.
SCAN_RANGE(scan_range_sleeping, scan_block_sleeping)
SCAN_RANGE(scan_range_atomic, scan_block_atomic)

#define PAGE_BYTES 4096

// Where a page is in the kernel's own mapping of all memory; 0 for unknown.
static __always_inline __u64 address_of_page(__u64 page)
{
    __u64 pages = 0, memory = 0;
    bpf_probe_read_kernel(&pages, sizeof pages, (const void *)constants.vmemmap_base);
    bpf_probe_read_kernel(&memory, sizeof memory, (const void *)constants.page_offset_base);
    if (pages == 0 || memory == 0 || page < pages)
        return 0;
    return memory + (page - pages) / bpf_core_type_size(struct page) * PAGE_BYTES;
}

// An element of an array of struct iovec or struct bio_vec, which are of one size.
union segment {
    struct {
        __u64 start;
        __u64 length;
    } bytes;
    struct {
        __u64 page;
        __u32 length;
        __u32 offset;
    } pages;
};

static __always_inline long scan_segment(
    __u32 index, struct looking *looking, bool array_in_kernel, bool may_fault)
{
    struct outgoing *out = looking->out;
    union segment segment = {0};
    const void *place = (const void *)(out->segments + (__u64)index * sizeof segment);
    long failed = array_in_kernel ? bpf_probe_read_kernel(&segment, sizeof segment, place)
                                  : bpf_probe_read_user(&segment, sizeof segment, place);
    __u64 start = segment.bytes.start, length = segment.bytes.length;
    if (!failed && out->source == SOURCE_PAGES) {
        start = address_of_page(segment.pages.page) + segment.pages.offset;
        length = segment.pages.length;
        failed = start == segment.pages.offset;
    }
    if (failed) {
        out->outcome = outcome_of(CBPF_SCAN_UNREADABLE, 0, 0);
        return 1;
    }
    __u32 skipped = out->skipped < length ? out->skipped : length;
    out->skipped -= skipped;
    out->start = start + skipped;
    out->length = length - skipped;
    if (may_fault)
        scan_range_sleeping(out, looking->bitmap);
    else
        scan_range_atomic(out, looking->bitmap);
    return out->outcome != 0 || out->left == 0;
}

static long scan_segment_sleeping(__u32 index, struct looking *looking)
{
    return scan_segment(index, looking, true, true);
}

static long scan_segment_atomic(__u32 index, struct looking *looking)
{
    return scan_segment(index, looking, true, false);
}

static long scan_users_segment(__u32 index, struct looking *looking)
{
    return scan_segment(index, looking, false, false);
}

#define SCAN_SEGMENTS(name, segment)                                                         \
    __noinline int name(struct outgoing *out, const struct leak_bitmap *bitmap, __u32 count)  \
    {                                                                                        \
        if (!out || !bitmap)                                                                 \
            return 0;                                                                        \
        struct looking looking = {.out = out, .bitmap = bitmap};                             \
        bpf_loop(count, segment, &looking, 0);                                               \
        return 0;                                                                            \
    }
// Arrays of the kernel, copied from the caller's, and the caller's own.
SCAN_SEGMENTS(scan_segments_sleeping, scan_segment_sleeping)
SCAN_SEGMENTS(scan_segments_atomic, scan_segment_atomic)
SCAN_SEGMENTS(scan_users_segments, scan_users_segment)

// struct mmsghdr of sendmmsg(2): where its segments are and how many.
#define MESSAGE_BYTES 64
#define MESSAGE_SEGMENTS 16

static long scan_message(__u32 index, struct looking *looking)
{
    struct outgoing *out = looking->out;
    __u64 segments[2] = {0, 0};
    const void *place =
        (const void *)(looking->messages + (__u64)index * MESSAGE_BYTES + MESSAGE_SEGMENTS);
    if (bpf_probe_read_user(segments, sizeof segments, place) != 0) {
        out->outcome = outcome_of(CBPF_SCAN_UNREADABLE, 0, 0);
        return 1;
    }
    // More than the kernel takes at once it refuses itself.
    if (segments[1] > CBPF_SCAN_SEGMENTS_MAX)
        return 0;
    out->segments = segments[0];
    bpf_loop(segments[1], scan_users_segment, looking, 0);
    if (!out->outcome && out->left == 0)
        out->outcome = outcome_of(CBPF_SCAN_TOO_LARGE, 0, 0);
    return out->outcome != 0;
}

__noinline int scan_messages(
    struct outgoing *out, const struct leak_bitmap *bitmap, __u64 messages, __u32 count)
{
    if (!out || !bitmap)
        return 0;
    struct looking looking = {.out = out, .bitmap = bitmap, .messages = messages};
    bpf_loop(count, scan_message, &looking, 0);
    return 0;
}

static __always_inline const struct leak_bitmap *bitmap_of(const struct cbpf_scan *scan)
{
    return (const struct leak_bitmap *)scan->bitmap;
}

#define LEAK_INDEX_BYTES_MAX                                                                 \
    (sizeof(struct leak_index_head) + CBPF_LEAK_SLOTS_MAX * sizeof(struct leak_index_slot))
#define LEAK_INDEX_PAGES_MAX (LEAK_INDEX_BYTES_MAX / PAGE_BYTES + 2)

// A forked process has the pages of the index, and no entry for them in its page table, until
// somebody looks at each: that may sleep.
static __always_inline void fetch_index(const struct cbpf_scan *scan)
{
    __u64 word, end = scan->address + scan->bytes;
    for (int page = 0; page < LEAK_INDEX_PAGES_MAX; page++) {
        __u64 place = (scan->address & ~(__u64)7) + page * PAGE_BYTES;
        if (place >= end || bpf_copy_from_user(&word, sizeof word, (const void *)place) != 0)
            return;
    }
}

static __always_inline bool read_head(
    const struct cbpf_scan *scan, struct leak_index_head *head)
{
    return bpf_probe_read_user(head, sizeof *head, (const void *)scan->address) == 0;
}

// Reads what the index says; false when this process has none, or none that can be read here.
static __always_inline bool begin(
    struct outgoing *out, struct cbpf_scan *scan, const struct stream_key *key, __u64 bytes,
    bool may_fault)
{
    struct leak_index_head head = {0};
    bool is_read = read_head(scan, &head);
    if (!is_read && may_fault) {
        fetch_index(scan);
        is_read = read_head(scan, &head);
    }
    if (!is_read || head.magic != CBPF_LEAK_MAGIC || head.slots == 0 ||
        head.slots > CBPF_LEAK_SLOTS_MAX)
        return false;
    __builtin_memset(out, 0, sizeof *out);
    out->multiplier = head.multiplier;
    out->slots = scan->address + sizeof head;
    out->slot_mask = head.slots - 1;
    out->left = bytes;
    struct stream *before = bpf_map_lookup_elem(&streams, key);
    if (before) {
        out->words[WINDOW_WORDS - 2] = before->words[0];
        out->words[WINDOW_WORDS - 1] = before->words[1];
    }
    if (bytes > CBPF_SCAN_BYTES_MAX)
        out->outcome = outcome_of(CBPF_SCAN_TOO_LARGE, 0, 0);
    return true;
}

static __always_inline struct cbpf_scan_counts *scan_cell(void)
{
    __u32 zero = 0;
    return bpf_map_lookup_elem(&scan_counts, &zero);
}

static __always_inline __u32 end(
    struct outgoing *out, const struct stream_key *key, __u64 looked)
{
    struct cbpf_scan_counts *cell = scan_cell();
    __u32 reason = out->outcome >> 24;
    if (cell) {
        __sync_fetch_and_add(&cell->calls, 1);
        __sync_fetch_and_add(&cell->bytes, looked);
        __sync_fetch_and_add(&cell->candidates, out->candidates);
        if (reason == CBPF_SCAN_UNREADABLE)
            __sync_fetch_and_add(&cell->unreadable, 1);
        if (reason == CBPF_SCAN_TOO_LARGE)
            __sync_fetch_and_add(&cell->too_large, 1);
    }
    if (!out->outcome) {
        struct stream after = {
            .words = {out->words[WINDOW_WORDS - 2], out->words[WINDOW_WORDS - 1]}};
        bpf_map_update_elem(&streams, key, &after, BPF_ANY);
    }
    return out->outcome;
}

static __always_inline __u32 cannot_begin(void)
{
    struct cbpf_scan_counts *cell = scan_cell();
    if (cell)
        __sync_fetch_and_add(&cell->without_index, 1);
    return 0;
}

// What the calling thread's workload looks for, or 0.
static __always_inline struct cbpf_scan *scan_of(const struct cbpf_task_mark *mark)
{
    // The wrapper sends values and tokens where they belong, and has no index.
    if (!mark || mark->flags & (CBPF_TASK_WRAPPER | CBPF_TASK_AGENT))
        return 0;
    __u32 id = mark->enrolment;
    return bpf_map_lookup_elem(&scans, &id);
}
