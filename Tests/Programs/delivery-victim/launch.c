// SPDX-License-Identifier: Apache-2.0
// Every way to launch a program. Each function launches one leaf and returns its exit status.
#include "victim.h"
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

typedef int launcher(char *label);

#define LEAF(label) {(char *)victim_path(), "leaf", label, NULL}

static int finish(pid_t child) { return child < 0 ? exit_launch_failed : wait_for(child); }

static int by_fork(char *label) {
    char *words[] = LEAF(label);
    pid_t child = fork();
    if (child == 0) {
        execve(words[0], words, environ);
        _exit(exit_launch_failed);
    }
    return finish(child);
}

static int by_vfork(char *label) {
    char *words[] = LEAF(label);
    pid_t child = vfork();
    if (child == 0) {
        execve(words[0], words, environ);
        _exit(exit_launch_failed);
    }
    return finish(child);
}

static int by_posix_spawn(char *label) {
    char *words[] = LEAF(label);
    pid_t child = -1;
    return posix_spawn(&child, words[0], NULL, NULL, words, environ) ? exit_launch_failed
                                                                     : finish(child);
}

static int shell_status(int status) {
    return status < 0 || !WIFEXITED(status) ? exit_launch_failed : WEXITSTATUS(status);
}

static int by_system(char *label) {
    char command[1024];
    snprintf(command, sizeof command, "'%s' leaf '%s'", victim_path(), label);
    return shell_status(system(command));
}

static int by_popen(char *label) {
    char command[1024];
    snprintf(command, sizeof command, "'%s' leaf '%s'", victim_path(), label);
    FILE *pipe = popen(command, "r");
    if (!pipe) return exit_launch_failed;
    while (fgetc(pipe) != EOF) continue;
    return shell_status(pclose(pipe));
}

static int by_clone_vm(char *label) {
    char *words[] = LEAF(label);
    return clone_vm_exec(words);
}

static int by_execveat(char *label) {
    char *words[] = LEAF(label);
    pid_t child = fork();
    if (child == 0) {
        syscall(SYS_execveat, AT_FDCWD, words[0], words, environ, 0);
        _exit(exit_launch_failed);
    }
    return finish(child);
}

static int by_fexecve(char *label) {
    char *words[] = LEAF(label);
    pid_t child = fork();
    if (child == 0) {
        int file = open(words[0], O_RDONLY | O_CLOEXEC);
        if (file >= 0) syscall(SYS_execveat, file, "", words, environ, AT_EMPTY_PATH);
        _exit(exit_launch_failed);
    }
    return finish(child);
}

static void *exec_from_thread(void *label) {
    char *words[] = LEAF(label);
    execve(words[0], words, environ);
    _exit(exit_launch_failed);
}

static int by_thread(char *label) {
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, exec_from_thread, label)) _exit(exit_launch_failed);
        pthread_join(thread, NULL);
        _exit(exit_launch_failed);
    }
    return finish(child);
}

/// A script whose interpreter is a script (the test writes both into SUITE_DIR).
static int by_script_chain(char *label) {
    char path[512];
    snprintf(path, sizeof path, "%s/outer-script", getenv("SUITE_DIR"));
    char *words[] = {path, label, NULL};
    pid_t child = vfork();
    if (child == 0) {
        execve(words[0], words, environ);
        _exit(exit_launch_failed);
    }
    return finish(child);
}

/// An exec that fails must leave the caller's environment as it was.
static int expect_failure(const char *path, char **words, int expected) {
    char difference[300];
    char **before = environ, *first = environ[0];
    if (execve(path, words, environ) != -1 || errno != expected) return exit_unexpected;
    if (environ != before || environ[0] != first) return exit_unexpected;
    return values_differ(difference, sizeof difference) ? exit_values_wrong : 0;
}

static int by_failed_exec(char *label) {
    enum { too_long = 1 << 22 };
    char *huge = malloc(too_long + 1);
    if (!huge) return exit_launch_failed;
    memset(huge, 'x', too_long);
    huge[too_long] = 0;
    char *words[] = LEAF(label), *many[] = {words[0], huge, NULL};
    pid_t child = fork();
    if (child == 0) {
        int status = expect_failure("/nonexistent/program", words, ENOENT);
        if (!status) status = expect_failure(words[0], many, E2BIG);
        if (!status) status = expect_failure("/proc", words, EACCES);
        if (status) _exit(status);
        execve(words[0], words, environ);
        _exit(exit_launch_failed);
    }
    // And in memory that the caller shares with its parent.
    pid_t sharing = child > 0 && wait_for(child) == 0 ? vfork() : -1;
    if (sharing == 0) {
        execve("/nonexistent/program", words, environ);
        execve(words[0], words, environ);
        _exit(exit_launch_failed);
    }
    int status = finish(sharing);
    free(huge);
    return status;
}

static int by_path(char *label) {
    char path[1024];
    const char *name = strrchr(victim_path(), '/');
    snprintf(
        path, sizeof path, "/nonexistent:/proc/1/root/nonexistent:%.*s",
        (int)(name - victim_path()), victim_path());
    char *words[] = {(char *)name + 1, "leaf", label, NULL};
    pid_t child = fork();
    if (child == 0) {
        setenv("PATH", path, 1);
        execvp(words[0], words);
        _exit(exit_launch_failed);
    }
    return finish(child);
}

/// Killed, refused or delivered; anything but a leaf without its values.
static int handled_or_killed(int status) {
    return status == exit_host_refuses || status == 128 + SIGSYS || status == 128 + SIGKILL
        ? 0 : status;
}

static int by_int80(char *label) {
    pid_t child = fork();
    if (child == 0) {
        exec_int80(victim_path(), label);
        _exit(exit_host_refuses);
    }
    return handled_or_killed(finish(child));
}

static int by_x32(char *label) {
    char *words[] = LEAF(label);
    pid_t child = fork();
    if (child == 0) {
        exec_x32(words[0], words);
        _exit(exit_host_refuses);
    }
    return handled_or_killed(finish(child));
}

static void *spawn_three(void *status) {
    for (int turn = 0; turn < 3 && !*(int *)status; turn++)
        *(int *)status = by_posix_spawn("sixteen-threads/child");
    return NULL;
}

static int by_sixteen_threads(char *label) {
    enum { count = 16 };
    pthread_t threads[count];
    int status[count] = {0}, worst = 0;
    (void)label;
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, spawn_three, &status[i])) return exit_launch_failed;
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        if (status[i]) worst = status[i];
    }
    return worst;
}

static int by_large_environment(char *label) {
    enum { count = 5000 };
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "FILLER_%d", i);
        setenv(name, "filler", 1);
    }
    int status = by_fork(label);
    return status ? status : by_posix_spawn(label);
}

static const struct { const char *name; launcher *launch; int turns; } primitives[] = {
    {"fork-exec", by_fork, 3},
    {"vfork", by_vfork, 3},
    {"posix_spawn", by_posix_spawn, 3},
    {"system", by_system, 3},
    {"popen", by_popen, 3},
    {"clone-vm", by_clone_vm, 3},
    {"execveat", by_execveat, 3},
    {"fexecve", by_fexecve, 3},
    {"thread-exec", by_thread, 3},
    {"script-chain", by_script_chain, 3},
    {"failed-exec", by_failed_exec, 3},
    {"path-search", by_path, 3},
    {"int80", by_int80, 3},
    {"x32", by_x32, 3},
    {"sixteen-threads", by_sixteen_threads, 1},
    {"large-environment", by_large_environment, 3},
};

int run_primitive(const char *name) {
    static int dumpable = -1;
    if (dumpable < 0) dumpable = prctl(PR_GET_DUMPABLE);
    for (size_t i = 0; i < sizeof primitives / sizeof primitives[0]; i++) {
        if (strcmp(primitives[i].name, name)) continue;
        char label[128];
        for (int turn = 1; turn <= primitives[i].turns; turn++) {
            snprintf(label, sizeof label, "%s/child-%d", name, turn);
            int status = primitives[i].launch(label);
            if (status) {
                fprintf(stderr, "victim: %s: exit status %d\n", label, status);
                return status;
            }
        }
        snprintf(label, sizeof label, "%s/parent", name);
        if (dumpable != 1) settled_dumpable();
        return report(label);
    }
    fprintf(stderr, "victim: no primitive %s\n", name);
    return exit_unexpected;
}
