// SPDX-License-Identifier: Apache-2.0
#ifndef CSIMULATIONHOOKS_H
#define CSIMULATIONHOOKS_H

#include <stdbool.h>
#include <stdint.h>

// What the simulator needs below Swift: who runs on this thread, jobs that escape to the global
// executor, and calls that read a real clock or real randomness while a component runs.

/// Gets a job that was handed to the global executor on a thread that runs a simulation.
/// @param job UnownedJob of Swift's runtime
/// @param simulation what was given to csimulation_enter
typedef void (*csimulation_job_handler)(void *job, void *simulation);

/// Makes this thread the simulation's. Installs the hook of the global executor on first use.
void csimulation_enter(void *simulation, csimulation_job_handler handler);

/// This thread runs no simulation any more.
void csimulation_leave(void);

/// What this thread entered, NULL when it runs no simulation.
void *csimulation_current(void);

/// From now on code of a component runs on this thread (true), or the engine's own (false).
void csimulation_component_runs(bool runs);

/// The first call since the last one of this function that asked for a real clock or for real
/// randomness while a component ran: the C function's name, NULL when there was none.
const char *csimulation_take_ambient_call(void);

/// From now on every job for the global executor counts as foreign, whichever thread it comes
/// from: for a process that does nothing but simulate.
void csimulation_own_process(void);

/// Jobs that came from threads without a simulation since csimulation_own_process; they are
/// counted and never run.
uint64_t csimulation_foreign_jobs(void);

/// Calls body(context) on a new thread with a stack of 8 MiB and waits for its end.
/// @return 0, or the error number of pthread_create
int csimulation_call_on_thread(void (*body)(void *context), void *context);

#endif
