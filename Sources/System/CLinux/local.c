// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinuxLocal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

// Connections that wait to be accepted.
#define BACKLOG 64

static int failed(int descriptor) {
    int number = errno;
    close(descriptor);
    return -number;
}

static int local_address(const char *path, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;
    strcpy(address->sun_path, path);
    return 0;
}

int clinux_local_listen(const char *path, mode_t mode) {
    struct sockaddr_un address;
    int result = local_address(path, &address);
    if (result < 0) return result;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0) return -errno;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) return failed(listener);
    if (chmod(path, mode) < 0 || listen(listener, BACKLOG) < 0) return failed(listener);
    return listener;
}

static int set_timeouts(int connection, int milliseconds) {
    struct timeval limit = {milliseconds / 1000, milliseconds % 1000 * 1000};
    if (setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0) return -1;
    return setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

int clinux_local_connect(const char *path, int milliseconds) {
    struct sockaddr_un address;
    int result = local_address(path, &address);
    if (result < 0) return result;
    int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0) return -errno;
    if (set_timeouts(connection, milliseconds) < 0) return failed(connection);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) < 0)
        return failed(connection);
    return connection;
}

int clinux_tcp_listen(const char *text, uint16_t port) {
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr *address = (struct sockaddr *)&four;
    socklen_t length = sizeof four;
    if (inet_pton(AF_INET, text, &four.sin_addr) != 1) {
        if (inet_pton(AF_INET6, text, &six.sin6_addr) != 1) return -EINVAL;
        address = (struct sockaddr *)&six;
        length = sizeof six;
    }
    int listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0) return -errno;
    int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, address, length) < 0 || listen(listener, BACKLOG) < 0)
        return failed(listener);
    return listener;
}

int clinux_accept(int listener) {
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return connection < 0 ? -errno : connection;
}

int clinux_peer(int connection, pid_t *process, uint32_t *user) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -errno;
    *process = peer.pid;
    *user = peer.uid;
    return 0;
}
