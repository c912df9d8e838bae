// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// memfd_secret(2). `flags` is 0 or O_CLOEXEC. Returns a descriptor or -errno.
int clinux_memfd_secret(unsigned flags);

/// memfd_create(2), close-on-exec, to be sealed. Returns a descriptor or -errno.
int clinux_sealable_memory_file(const char *name);

/// Overwrites `count` bytes with zeros in a way the compiler may not remove (explicit_bzero(3)).
void clinux_zero(void *address, size_t count);

/// Writes one byte to the first byte of each page in `address ..< address + count`, with SIGBUS
/// caught for the calling thread. Returns 0, or -EFAULT when a page could not be charged: on
/// Linux 6.1.192 and 7.2 an exhausted RLIMIT_MEMLOCK shows as SIGBUS at first touch.
int clinux_touch_pages(void *address, size_t count);

/// Fills `count` bytes from getrandom(2), at most 256, waiting for the pool when the system has
/// just booted. Returns 0 or -errno.
int clinux_random(void *address, size_t count);

/// Bytes usable at an address that malloc(3) gave (malloc_usable_size(3)).
size_t clinux_usable_size(void *address);

/// Offset of the first occurrence of `needle` in `memory` (memmem(3)), or -1.
ssize_t clinux_find(const void *memory, size_t count, const void *needle, size_t needle_count);

/// Maps the shared pages at `address` a second time (mremap(2) with an old size of 0); for tests
/// that look at pages after their first mapping is gone. Returns the address or NULL.
void *clinux_second_view(void *address, size_t count);

/// madvise(2) with MADV_DONTNEED over this program's code: the pages stay in the page cache and
/// come back when they are used again. Returns 0 or -errno.
int clinux_release_code(void);
