// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Prints what a program inherits from whoever executes it, a line for each fact.
int print_state(int count, char **arguments);
/// Runs a job below a small shell on a terminal of its own, and does to it what a person does.
int run_on_terminal(const char *action, char **command);
