// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinuxRing.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define ENTRIES 4
#define IDLE_MILLISECONDS 2000
// Since the headers that may be here: io_uring_enter(2).
#define SEND_ZEROCOPY 47
#define SEND_FROM_FIXED (1U << 2)

struct ring {
    int descriptor;
    struct io_uring_params parameters;
    char *submissions, *completions;
    struct io_uring_sqe *entries;
};

static void *map(const struct ring *ring, size_t bytes, off_t offset) {
    void *place = mmap(
        NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->descriptor, offset);
    return place == MAP_FAILED ? NULL : place;
}

static size_t submission_bytes(const struct ring *ring) {
    return ring->parameters.sq_off.array + ring->parameters.sq_entries * sizeof(unsigned);
}

static size_t completion_bytes(const struct ring *ring) {
    return ring->parameters.cq_off.cqes +
        ring->parameters.cq_entries * sizeof(struct io_uring_cqe);
}

static int open_ring(struct ring *ring, enum clinux_ring_way way) {
    memset(ring, 0, sizeof *ring);
    if (way == CLINUX_RING_SEND_POLLED) ring->parameters.flags = IORING_SETUP_SQPOLL;
    ring->parameters.sq_thread_idle = IDLE_MILLISECONDS;
    ring->descriptor = (int)syscall(SYS_io_uring_setup, ENTRIES, &ring->parameters);
    if (ring->descriptor < 0) return -errno;
    ring->submissions = map(ring, submission_bytes(ring), IORING_OFF_SQ_RING);
    ring->completions = map(ring, completion_bytes(ring), IORING_OFF_CQ_RING);
    ring->entries = map(ring, ENTRIES * sizeof *ring->entries, IORING_OFF_SQES);
    return ring->submissions && ring->completions && ring->entries ? 0 : -ENOMEM;
}

static void close_ring(struct ring *ring) {
    if (ring->submissions) munmap(ring->submissions, submission_bytes(ring));
    if (ring->completions) munmap(ring->completions, completion_bytes(ring));
    if (ring->entries) munmap(ring->entries, ENTRIES * sizeof *ring->entries);
    if (ring->descriptor >= 0) close(ring->descriptor);
}

static int fill(struct ring *ring, enum clinux_ring_way way, int descriptor, const void *bytes,
                size_t count) {
    static const unsigned char operations[] = {
        IORING_OP_WRITE, IORING_OP_SEND, IORING_OP_WRITE_FIXED, SEND_ZEROCOPY, IORING_OP_SEND};
    struct io_uring_sqe *entry = ring->entries;
    struct iovec buffer = {(void *)bytes, count};
    memset(entry, 0, sizeof *entry);
    entry->opcode = operations[way];
    entry->fd = descriptor;
    entry->addr = (uint64_t)(uintptr_t)bytes;
    entry->len = (unsigned)count;
    if (way == CLINUX_RING_SEND_ZEROCOPY) entry->ioprio = SEND_FROM_FIXED;
    if (way != CLINUX_RING_WRITE_FIXED && way != CLINUX_RING_SEND_ZEROCOPY) return 0;
    return syscall(SYS_io_uring_register, ring->descriptor, IORING_REGISTER_BUFFERS, &buffer, 1) < 0
        ? -errno : 0;
}

static int64_t run(struct ring *ring, enum clinux_ring_way way) {
    unsigned *array = (unsigned *)(ring->submissions + ring->parameters.sq_off.array);
    unsigned *tail = (unsigned *)(ring->submissions + ring->parameters.sq_off.tail);
    unsigned *head = (unsigned *)(ring->completions + ring->parameters.cq_off.head);
    struct io_uring_cqe *first =
        (struct io_uring_cqe *)(ring->completions + ring->parameters.cq_off.cqes);
    array[0] = 0;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    unsigned flags = IORING_ENTER_GETEVENTS;
    if (way == CLINUX_RING_SEND_POLLED) flags |= IORING_ENTER_SQ_WAKEUP;
    if (syscall(SYS_io_uring_enter, ring->descriptor, 1, 1, flags, NULL, 0) < 0) return -errno;
    int64_t result = first[0].res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return result;
}

int64_t clinux_ring_once(
    enum clinux_ring_way way, int descriptor, const void *bytes, size_t count) {
    struct ring ring;
    int64_t result = open_ring(&ring, way);
    if (result == 0) result = fill(&ring, way, descriptor, bytes, count);
    if (result == 0) result = run(&ring, way);
    close_ring(&ring);
    return result;
}
