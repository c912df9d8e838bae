// SPDX-License-Identifier: Apache-2.0
// One operation through an io_uring of its own (io_uring_setup(2)), for tests of what sees it.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// What goes out, and how.
enum clinux_ring_way {
    CLINUX_RING_WRITE = 0,
    CLINUX_RING_SEND = 1,
    /// From a registered buffer.
    CLINUX_RING_WRITE_FIXED = 2,
    /// Without a copy, from a registered buffer (Linux 6.0).
    CLINUX_RING_SEND_ZEROCOPY = 3,
    /// By the kernel's thread that polls the ring.
    CLINUX_RING_SEND_POLLED = 4,
};

/// Bytes that went out, or -errno.
int64_t clinux_ring_once(enum clinux_ring_way way, int descriptor, const void *bytes, size_t count);
