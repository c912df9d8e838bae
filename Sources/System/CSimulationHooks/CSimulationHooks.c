// SPDX-License-Identifier: Apache-2.0
#include "CSimulationHooks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

// swift/Runtime/Concurrency.h; exported by libswift_Concurrency, not a stable interface.
// RuntimeCaptureTests show what a toolchain makes of it.
#define SWIFT_CALL __attribute__((swiftcall))
typedef SWIFT_CALL void (*enqueue_original)(void *job);
typedef SWIFT_CALL void (*enqueue_hook)(void *job, enqueue_original original);
extern enqueue_hook swift_task_enqueueGlobal_hook;

static _Thread_local void *current;
static _Thread_local csimulation_job_handler current_handler;
static _Thread_local bool component_runs;
static _Thread_local const char *ambient_call;
static atomic_bool owns_process;
static atomic_ulong foreign_jobs;

static SWIFT_CALL void enqueue_global(void *job, enqueue_original original)
{
    if (current != NULL) {
        current_handler(job, current);
    } else if (atomic_load(&owns_process)) {
        atomic_fetch_add(&foreign_jobs, 1);
    } else {
        original(job);
    }
}

static pthread_once_t installed = PTHREAD_ONCE_INIT;

static void install(void)
{
    swift_task_enqueueGlobal_hook = enqueue_global;
}

void csimulation_enter(void *simulation, csimulation_job_handler handler)
{
    pthread_once(&installed, install);
    current = simulation;
    current_handler = handler;
    ambient_call = NULL;
}

void csimulation_leave(void)
{
    current = NULL;
    component_runs = false;
}

void *csimulation_current(void)
{
    return current;
}

void csimulation_component_runs(bool runs)
{
    component_runs = runs;
}

const char *csimulation_take_ambient_call(void)
{
    const char *call = ambient_call;
    ambient_call = NULL;
    return call;
}

void csimulation_own_process(void)
{
    pthread_once(&installed, install);
    atomic_store(&owns_process, true);
}

uint64_t csimulation_foreign_jobs(void)
{
    return atomic_load(&foreign_jobs);
}

void csimulation_note_ambient_call(const char *name);

void csimulation_note_ambient_call(const char *name)
{
    if (component_runs && ambient_call == NULL)
        ambient_call = name;
}

struct call {
    void (*body)(void *context);
    void *context;
};

static void *run_call(void *argument)
{
    struct call *call = argument;
    call->body(call->context);
    return NULL;
}

int csimulation_call_on_thread(void (*body)(void *context), void *context)
{
    struct call call = {body, context};
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 8 << 20);
    int error = pthread_create(&thread, &attributes, run_call, &call);
    pthread_attr_destroy(&attributes);
    if (error == 0)
        pthread_join(thread, NULL);
    return error;
}
