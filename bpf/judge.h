// SPDX-License-Identifier: Apache-2.0
// One decision for every hook: look up the action, count, report, answer.
#pragma once

#define NANOSECONDS 1000000000ULL
// Policy of what concerns the machine and no single workload.
#define MACHINE_POLICY 0

struct attempt {
    // Who it is aimed at; 0 for the machine.
    struct task_struct *target;
    // Text for the event, or 0: a kernel string.
    const char *object;
    __u64 detail;
    __u32 policy;
    __u32 enrolment;
    __u16 vector;
    __u8 hook;
    __u8 tier;
    // Whoever runs need not be who tried.
    bool spares_caller;
};

static __always_inline struct cbpf_task_mark *mark_of(struct task_struct *task)
{
    __u64 key = (__u64)task;
    return bpf_map_lookup_elem(&tasks, &key);
}

static __always_inline void count_task(__u32 id, __s64 change)
{
    struct cbpf_enrolment *enrolment = bpf_map_lookup_elem(&enrolments, &id);
    if (enrolment)
        __sync_fetch_and_add(&enrolment->tasks, change);
}

static __always_inline void unmark(struct task_struct *task)
{
    __u64 key = (__u64)task;
    struct cbpf_task_mark *mark = bpf_map_lookup_elem(&tasks, &key);
    if (!mark)
        return;
    __u32 id = mark->enrolment;
    if (bpf_map_delete_elem(&tasks, &key) != 0)
        return;
    count_task(id, -1);
    if (!(id & CBPF_EXEC_ENROLMENTS))
        return;
    // Nobody else knows of a wrapper that ended before it registered.
    struct cbpf_enrolment *enrolment = bpf_map_lookup_elem(&enrolments, &id);
    if (enrolment && enrolment->tasks <= 0)
        bpf_map_delete_elem(&enrolments, &id);
}

static __always_inline struct task_struct *current(void)
{
    return (struct task_struct *)bpf_get_current_task();
}

static __always_inline __u32 policy_of(__u32 enrolment)
{
    struct cbpf_enrolment *found = bpf_map_lookup_elem(&enrolments, &enrolment);
    return found ? found->policy : MACHINE_POLICY;
}

static __noinline int describe(struct cbpf_process *process, struct task_struct *task)
{
    if (!process)
        return 0;
    process->thread = BPF_CORE_READ(task, pid);
    process->group = BPF_CORE_READ(task, tgid);
    process->started = BPF_CORE_READ(task, group_leader, start_boottime);
    struct inode *inode = BPF_CORE_READ(task, mm, exe_file, f_inode);
    process->executable_inode = BPF_CORE_READ(inode, i_ino);
    process->executable_device = BPF_CORE_READ(inode, i_sb, s_dev);
    process->user = BPF_CORE_READ(task, cred, uid.val);
    process->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
    struct cred *cred = BPF_CORE_READ(task, cred);
    bpf_core_read(&process->capabilities, sizeof process->capabilities, &cred->cap_effective);
    bpf_core_read_str(process->name, sizeof process->name, &task->comm);
    struct cbpf_task_mark *mark = mark_of(task);
    process->enrolment = mark ? mark->enrolment : 0;
    process->flags = mark ? mark->flags : 0;
    return 0;
}

// A program may be interrupted by another on its processor, wherever the kernel is preemptible.
static __always_inline void count_one(__u64 *counter)
{
    __sync_fetch_and_add(counter, 1);
}

// Takes one event from the bucket of this vector, cgroup and processor. What was held back since
// the last event is handed over with it.
static __always_inline bool may_report(__u16 vector, __u64 now, __u64 *suppressed)
{
    __u32 zero = 0;
    struct cbpf_settings *limits = bpf_map_lookup_elem(&settings, &zero);
    if (!limits || limits->events_per_second == 0)
        return true;
    struct bucket_key key = {.cgroup = bpf_get_current_cgroup_id(), .vector = vector};
    struct bucket *bucket = bpf_map_lookup_elem(&buckets, &key);
    if (!bucket) {
        struct bucket fresh = {.refilled = now, .tokens = limits->events_burst};
        bpf_map_update_elem(&buckets, &key, &fresh, BPF_ANY);
        bucket = bpf_map_lookup_elem(&buckets, &key);
        if (!bucket)
            return true;
    }
    __u64 step = NANOSECONDS / limits->events_per_second, refilled = bucket->refilled;
    // Whoever ran in between may have been later. One store, so that nobody's time counts twice.
    if (now >= refilled + step) {
        __u64 earned = (now - refilled) / (step ? step : 1);
        __u64 tokens = bucket->tokens + earned;
        bucket->tokens = tokens > limits->events_burst ? limits->events_burst : tokens;
        bucket->refilled = refilled + earned * step;
    }
    if (bucket->tokens == 0) {
        count_one(&bucket->suppressed);
        return false;
    }
    bucket->tokens--;
    *suppressed = bucket->suppressed;
    bucket->suppressed = 0;
    return true;
}

static __noinline int report(struct attempt *attempt, __u32 verdict, struct cbpf_counts *count)
{
    if (!attempt || !count)
        return 0;
    __u64 now = bpf_ktime_get_ns(), suppressed = 0;
    if (!may_report(attempt->vector, now, &suppressed)) {
        count_one(&count->suppressed);
        return 0;
    }
    __u32 zero = 0;
    __u64 *sequence = bpf_map_lookup_elem(&sequences, &zero);
    if (!sequence)
        return 0;
    // The place first: numbers come in the ring's order then, but for who is interrupted here.
    struct cbpf_event *event = bpf_ringbuf_reserve(&events, sizeof *event, 0);
    __u64 number = *sequence + 1;
    *sequence = number;
    if (!event) {
        count_one(&count->dropped);
        return 0;
    }
    count_one(&count->events);
    __builtin_memset(event, 0, sizeof *event);
    event->time = now;
    event->sequence = number;
    event->suppressed = suppressed;
    event->detail = attempt->detail;
    event->processor = bpf_get_smp_processor_id();
    struct cbpf_settings *current_settings = bpf_map_lookup_elem(&settings, &zero);
    if (current_settings)
        event->generation = current_settings->generation;
    event->vector = attempt->vector;
    event->hook = attempt->hook;
    event->tier = attempt->tier;
    event->verdict = verdict;
    describe(&event->actor, current());
    event->actor.cgroup = bpf_get_current_cgroup_id();
    if (attempt->target) {
        event->has_target = 1;
        describe(&event->target, attempt->target);
    }
    event->target.enrolment = attempt->enrolment;
    if (attempt->object)
        bpf_probe_read_kernel_str(event->object, sizeof event->object, attempt->object);
    bpf_ringbuf_submit(event, 0);
    return 0;
}

// 0 or -EPERM. The answer never depends on whether an event could be sent.
static __noinline int judge(struct attempt *attempt)
{
    if (!attempt)
        return 0;
    __u32 index = attempt->policy;
    struct cbpf_policy *policy = bpf_map_lookup_elem(&policies, &index);
    __u32 vector = attempt->vector;
    if (!policy || vector >= CBPF_VECTORS_MAX)
        return 0;
    __u32 action = policy->action[vector];
    if (action == CBPF_ALLOW)
        return 0;
    struct cbpf_counts *count = bpf_map_lookup_elem(&counts, &vector);
    if (!count)
        return 0;
    count_one(&count->attempts);
    __u32 verdict = CBPF_OBSERVED;
    if (action >= CBPF_DENY) {
        count_one(&count->denied);
        verdict = CBPF_DENIED;
        if (action == CBPF_DENY_AND_KILL && !attempt->spares_caller &&
            bpf_send_signal(SIGNAL_KILL) == 0)
            verdict = CBPF_KILLED;
    }
    report(attempt, verdict, count);
    return verdict == CBPF_OBSERVED ? 0 : -EPERM;
}

// Whether the calling thread may reach into the target's workload: it is one of it, and to attach
// it has to be the wrapper. The agent is nobody special here.
static __always_inline bool is_of(const struct cbpf_task_mark *mark, bool attach)
{
    struct cbpf_task_mark *own = mark_of(current());
    if (!own)
        return false;
    return own->enrolment == mark->enrolment && (!attach || own->flags & CBPF_TASK_WRAPPER);
}

static __always_inline struct attempt attempt_on(
    struct task_struct *target, const struct cbpf_task_mark *mark, __u16 vector, __u8 hook,
    __u8 tier, __u64 detail, const char *object)
{
    bool is_agents = mark->flags & CBPF_TASK_AGENT;
    return (struct attempt){
        .target = target, .object = object, .detail = detail,
        .policy = is_agents ? MACHINE_POLICY : policy_of(mark->enrolment),
        .enrolment = mark->enrolment,
        // Whatever was tried, on the agent it is an attack on the agent.
        .vector = is_agents && vector < 121 ? 125 : vector, .hook = hook, .tier = tier};
}

static __always_inline int judge_target(
    struct task_struct *target, const struct cbpf_task_mark *mark, __u16 vector, __u8 hook,
    __u8 tier, __u64 detail, const char *object)
{
    struct attempt attempt = attempt_on(target, mark, vector, hook, tier, detail, object);
    return judge(&attempt);
}

static __always_inline bool is_agent(void)
{
    struct cbpf_task_mark *own = mark_of(current());
    return own && own->flags & CBPF_TASK_AGENT;
}

static __always_inline struct cbpf_guard *guard_cell(void)
{
    __u32 zero = 0;
    return bpf_map_lookup_elem(&guard, &zero);
}

static __always_inline bool agent_lives(void)
{
    __u32 id = CBPF_AGENT_ENROLMENT;
    struct cbpf_enrolment *agent = bpf_map_lookup_elem(&enrolments, &id);
    return agent && agent->tasks > 0;
}

// Whether the agent is gone and has left this much to whoever comes next.
static __always_inline bool is_open(__u32 to)
{
    struct cbpf_guard *cell = guard_cell();
    return cell && cell->successor >= to && !agent_lives();
}

static __always_inline int judge_machine(
    __u16 vector, __u8 hook, __u8 tier, __u64 detail, const char *object)
{
    struct attempt attempt = {
        .object = object, .detail = detail, .policy = MACHINE_POLICY, .vector = vector,
        .hook = hook, .tier = tier};
    return judge(&attempt);
}
