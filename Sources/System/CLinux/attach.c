// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinuxAttach.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// Connections that wait to be accepted.
#define BACKLOG 16
#define DESCRIPTORS 2

union control {
    char bytes[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
    struct cmsghdr header;
};

static int failed(int descriptor) {
    int number = errno;
    close(descriptor);
    return -number;
}

// Length of the address, or -ENAMETOOLONG. An abstract name begins with a NUL and has no end.
static int abstract_address(const char *name, struct sockaddr_un *address) {
    size_t length = strlen(name);
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (length > sizeof address->sun_path - 1) return -ENAMETOOLONG;
    memcpy(address->sun_path + 1, name, length);
    return (int)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

int clinux_attach_listen(const char *name) {
    struct sockaddr_un address;
    int length = abstract_address(name, &address);
    if (length < 0) return length;
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0) return -errno;
    if (bind(listener, (struct sockaddr *)&address, (socklen_t)length) < 0
        || listen(listener, BACKLOG) < 0)
        return failed(listener);
    return listener;
}

int clinux_attach_connect(const char *name) {
    struct sockaddr_un address;
    int length = abstract_address(name, &address);
    if (length < 0) return length;
    int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connection < 0) return -errno;
    if (connect(connection, (struct sockaddr *)&address, (socklen_t)length) < 0)
        return failed(connection);
    return connection;
}

int clinux_attach_send(int connection, const void *bytes, size_t count, const int descriptors[2]) {
    union control control = {.header = {
        .cmsg_level = SOL_SOCKET,
        .cmsg_type = SCM_RIGHTS,
        .cmsg_len = CMSG_LEN(DESCRIPTORS * sizeof(int)),
    }};
    struct iovec data = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr header = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    memcpy(CMSG_DATA(&control.header), descriptors, DESCRIPTORS * sizeof(int));
    return sendmsg(connection, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

ssize_t clinux_attach_receive(int connection, void *bytes, size_t capacity, int descriptors[2]) {
    union control control;
    struct iovec data = {.iov_base = bytes, .iov_len = capacity};
    struct msghdr header = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    descriptors[0] = descriptors[1] = -1;
    ssize_t got = recvmsg(connection, &header, MSG_CMSG_CLOEXEC);
    if (got < 0) return -errno;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
        size_t size = rights->cmsg_len - CMSG_LEN(0);
        if (size > DESCRIPTORS * sizeof(int)) size = DESCRIPTORS * sizeof(int);
        memcpy(descriptors, CMSG_DATA(rights), size);
    }
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) return got;
    for (int index = 0; index < DESCRIPTORS; index++) {
        if (descriptors[index] >= 0) close(descriptors[index]);
        descriptors[index] = -1;
    }
    return -EMSGSIZE;
}
