// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "duty.h"

extern char **environ;

static void print_bytes(const char *name, const char *text) {
    printf("%s ", name);
    for (const char *byte = text; *byte != 0; byte++) printf("%02x", (unsigned char)*byte);
    printf("\n");
}

static void print_status(void) {
    char line[512];
    FILE *status = fopen("/proc/self/status", "re");
    if (status == NULL) return;
    while (fgets(line, sizeof line, status) != NULL) {
        // 32 and 33 are the C library's own: it takes them when it makes a thread.
        if (strncmp(line, "SigIgn", 6) == 0)
            printf("SigIgn:\t%016llx\n", strtoull(line + 7, NULL, 16) & ~(3ULL << 31));
        if (strncmp(line, "SigBlk", 6) == 0 || strncmp(line, "SigCgt", 6) == 0
            || strncmp(line, "SigPnd", 6) == 0 || strncmp(line, "Groups", 6) == 0
            || strncmp(line, "Uid", 3) == 0
            || strncmp(line, "CapEff", 6) == 0)
            fputs(line, stdout);
    }
    fclose(status);
}

int print_state(int count, char **arguments) {
    char directory[4096];
    struct rlimit limit;
    mode_t mask = umask(0);
    umask(mask);
    printf("umask %o\n", mask);
    for (int descriptor = 0; descriptor < 300; descriptor++)
        if (fcntl(descriptor, F_GETFD) >= 0) printf("open %d\n", descriptor);
    print_status();
    printf("directory %s\n", getcwd(directory, sizeof directory) == NULL ? "?" : directory);
    const int resources[] = {
        RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_STACK, RLIMIT_NPROC, RLIMIT_AS, RLIMIT_FSIZE};
    for (unsigned index = 0; index < sizeof resources / sizeof *resources; index++)
        if (getrlimit(resources[index], &limit) == 0)
            printf("limit %d %lu %lu\n", resources[index], limit.rlim_cur, limit.rlim_max);
    printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
    for (int index = 0; index < count; index++) print_bytes("argument", arguments[index]);
    for (char **entry = environ; *entry != NULL; entry++) print_bytes("entry", *entry);
    return 0;
}
