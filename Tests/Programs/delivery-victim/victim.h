// SPDX-License-Identifier: Apache-2.0
// A program that is given secrets, launches other programs in every way Linux offers, and
// reports what it sees to the test that started it. Its environment:
//   SUITE_SOCKET  Unix stream socket of the test; each report is one line, answered by one byte
//   SUITE_EXPECT  NAME:BYTES:FNV1A64HEX,... - never the values themselves
//   SUITE_DIR     directory for marker files and scripts
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    exit_values_wrong = 77,
    exit_no_observer = 78,
    exit_launch_failed = 79,
    exit_unexpected = 80,
    exit_host_refuses = 96,
};

extern char **environ;

/// Path of this executable, as given by the first image of the tree (SUITE_VICTIM).
const char *victim_path(void);
/// Compares getenv() of each expected name. Returns 0, or writes the first difference.
int values_differ(char *difference, size_t count);
/// Sends a report and waits for the answer. Leaves a marker file when a value is missing.
/// Returns an exit status.
int report(const char *label);
/// As `report`, with the value of the first expected name read from standard input.
int report_standard_input(const char *label);
/// Launches three successive children by `primitive`, then reports itself. Exit status.
int run_primitive(const char *primitive);
/// Waits for a child. Returns its exit code, or 128 + the signal.
int wait_for(pid_t child);

/// int 0x80 and x32 attempts; replace the image or return -errno.
long exec_int80(const char *path, const char *label);
long exec_x32(const char *path, char *const arguments[]);
/// fork without libc's fork: CLONE_VM, with a thread of the parent running meanwhile.
pid_t clone_vm_exec(char *const arguments[]);

/// The programs that are neither a leaf nor a launch primitive. Exit status.
/// `restarting`: the handlers have SA_RESTART.
int storm(int count, char **arguments, int restarting);
int failing_exec_storm(int count, int restarting);
int busy(int threads, int signals);
int leave_threads(int threads);
int wipe_in_child(void);
int own_listener(void);
int crowd(int count);
int edit_in_place(void);
int restricted_calls(void);
int seize(pid_t target);
int probe(void);
int unshare_network(char **arguments);
int deny(const char *call, char **arguments);
int occupy_listener(char **arguments);
/// PR_GET_DUMPABLE, after a wait for it to be other than 1.
int settled_dumpable(void);
int fork_beside_execs(int count);
int refuse_exec(void);
int lose_child_in_exec(void);
int stop_during_exec(void);
int race_execs(int count);
int check_image(const char *dumpable);
int watch_exec(int count);
