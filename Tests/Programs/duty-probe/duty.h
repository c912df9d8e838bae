// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Prints what a program inherits from whoever executes it, a line for each fact.
int print_state(int count, char **arguments);
/// Runs a job below a small shell on a terminal of its own, and does to it what a person does.
int run_on_terminal(const char *action, char **command);

/// Exit code of `run_as_first` where the host refuses namespaces.
enum { FIRST_PROCESS_REFUSED = 106 };
/// Executes a command as process 1 of a PID namespace, with a /proc of its own, and waits for it.
/// Needs CAP_SYS_ADMIN. Returns its exit code, or 128 + the signal.
int run_as_first(char **command);
