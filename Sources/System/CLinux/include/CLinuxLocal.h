// SPDX-License-Identifier: Apache-2.0
// Local sockets of the agent and of those who register with it.
#pragma once
#include <stdint.h>
#include <sys/types.h>

/// Binds and listens on a Unix stream socket at `path`, close-on-exec and non-blocking, with file
/// mode `mode`. Descriptor or -errno; -ENAMETOOLONG for a path that no address can hold.
int clinux_local_listen(const char *path, mode_t mode);

/// Connects to the Unix stream socket at `path`, close-on-exec. Connecting, sending and receiving
/// take `milliseconds` each at most (SO_SNDTIMEO, SO_RCVTIMEO); 0: no limit. Descriptor or -errno;
/// -EAGAIN when nobody accepted in time.
int clinux_local_connect(const char *path, int milliseconds);

/// Binds and listens on TCP at a numeric IPv4 or IPv6 address, close-on-exec and non-blocking.
/// Descriptor or -errno; -EINVAL for an address that is none.
int clinux_tcp_listen(const char *address, uint16_t port);

/// accept4(2), close-on-exec and non-blocking. Descriptor or -errno.
int clinux_accept(int listener);

/// SO_PEERCRED. 0 and the peer as this process's namespaces name it, or -errno.
int clinux_peer(int connection, pid_t *process, uint32_t *user);
