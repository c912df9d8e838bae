// SPDX-License-Identifier: Apache-2.0
#include "victim.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

const char *victim_path(void) {
    const char *path = getenv("SUITE_VICTIM");
    return path ? path : "/proc/self/exe";
}

static uint64_t digest(const char *bytes, size_t count) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < count; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return hash;
}

/// One NAME:BYTES:HEX item. Returns the next item, or NULL at the end.
static const char *next_expectation(
    const char *at, char name[256], size_t *bytes, uint64_t *expected) {
    if (!at || !*at) return NULL;
    unsigned long long hash = 0;
    if (sscanf(at, "%255[^:]:%zu:%llx", name, bytes, &hash) != 3) exit(exit_unexpected);
    *expected = hash;
    const char *comma = strchr(at, ',');
    return comma ? comma + 1 : at + strlen(at);
}

int values_differ(char *difference, size_t count) {
    char name[256];
    size_t bytes;
    uint64_t expected;
    const char *at = getenv("SUITE_EXPECT");
    if (!at) return snprintf(difference, count, "no-expectation"), 1;
    while ((at = next_expectation(at, name, &bytes, &expected))) {
        const char *value = getenv(name);
        const char *word = !value ? "absent"
            : strlen(value) == 0 && bytes != 0 ? "unfilled"
            : strlen(value) != bytes || digest(value, bytes) != expected ? "wrong" : NULL;
        if (word) return snprintf(difference, count, "%s:%s", name, word), 1;
    }
    return snprintf(difference, count, "ok"), 0;
}

static void leave_marker(const char *kind) {
    char path[512];
    const char *folder = getenv("SUITE_DIR");
    if (!folder) return;
    snprintf(path, sizeof path, "%s/%s-%d", folder, kind, getpid());
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (file >= 0) close(file);
}

/// Descriptors above standard error, except the one this listing uses.
static void list_descriptors(char *text, size_t count) {
    DIR *folder = opendir("/proc/self/fd");
    size_t used = 0;
    text[0] = 0;
    if (!folder) {
        snprintf(text, count, "refused");
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        int descriptor = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || descriptor <= 2 || descriptor == dirfd(folder)) continue;
        char link[64], target[256];
        snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
        ssize_t size = readlink(link, target, sizeof target - 1);
        target[size < 0 ? 0 : size] = 0;
        for (char *c = target; *c; c++) if (*c == ' ') *c = '_';
        if (used < count)
            used += (size_t)snprintf(text + used, count - used, "%d>%s;", descriptor, target);
    }
    closedir(folder);
}

static int send_report(const char *label, const char *values) {
    char descriptors[2048], line[4096];
    list_descriptors(descriptors, sizeof descriptors);
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    uint64_t bits = 0;
    memcpy(&bits, &mask, sizeof bits);
    int length = snprintf(
        line, sizeof line,
        "label=%s pid=%d ppid=%d values=%s mask=%llx dumpable=%d descriptors=%s\n", label,
        getpid(), getppid(), values, (unsigned long long)bits, prctl(PR_GET_DUMPABLE),
        descriptors);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("SUITE_SOCKET");
    if (!path) return exit_no_observer;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int link = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (link < 0 || connect(link, (void *)&address, sizeof address)) return exit_no_observer;
    if (write(link, line, (size_t)length) != length) return exit_no_observer;
    char answer;
    ssize_t got;
    do got = read(link, &answer, 1);
    while (got < 0 && errno == EINTR);
    close(link);
    return got == 1 ? 0 : exit_no_observer;
}

int report(const char *label) {
    char values[300];
    int differ = values_differ(values, sizeof values);
    if (differ) leave_marker("unfilled");
    int status = send_report(label, values);
    return differ ? exit_values_wrong : status;
}

int report_standard_input(const char *label) {
    static char value[1 << 16];
    size_t count = 0;
    for (ssize_t got; (got = read(0, value + count, sizeof value - count)) > 0;)
        count += (size_t)got;
    if (count > 0 && value[count - 1] == '\n') count--;
    char name[256], values[300];
    size_t bytes;
    uint64_t expected;
    if (!next_expectation(getenv("SUITE_EXPECT"), name, &bytes, &expected))
        return exit_unexpected;
    int same = count == bytes && digest(value, count) == expected;
    snprintf(values, sizeof values, same ? "ok" : "%s:wrong-in-parent", name);
    int status = send_report(label, values);
    return same ? status : exit_values_wrong;
}

int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, __WALL) < 0)
        if (errno != EINTR) return exit_unexpected;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
