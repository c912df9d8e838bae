// SPDX-License-Identifier: Apache-2.0
// Sockets over which a command is handed to a running wrapper, with where its output goes.
#pragma once
#include <stddef.h>
#include <sys/types.h>

/// Binds and listens on a Unix SOCK_SEQPACKET socket in the abstract name space (unix(7)),
/// close-on-exec and non-blocking. Descriptor or -errno; -ENAMETOOLONG for a name that no address
/// can hold.
int clinux_attach_listen(const char *name);

/// Connects to such a socket, close-on-exec. Descriptor or -errno.
int clinux_attach_connect(const char *name);

/// Sends one message with two descriptors. 0 or -errno.
int clinux_attach_send(int connection, const void *bytes, size_t count, const int descriptors[2]);

/// Receives one message. Returns its bytes or -errno; what came with it is in `descriptors`,
/// close-on-exec, -1 where none did. -EMSGSIZE, and none, for a message with more of either.
ssize_t clinux_attach_receive(int connection, void *bytes, size_t capacity, int descriptors[2]);
