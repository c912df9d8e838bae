// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/types.h>

/// The environment block of this process (environ(7)), NULL-terminated, writable in place.
char **clinux_environment(void);

/// prctl(2). Returns what the call returned, or -errno.
int clinux_prctl(int operation, unsigned long a, unsigned long b, unsigned long c, unsigned long d);

/// signalfd(2), close-on-exec and non-blocking. Returns a descriptor or -errno.
int clinux_signal_descriptor(const sigset_t *signals);

/// read(2) of one signalfd_siginfo. Returns the signal's number, 0 when there is none, or -errno;
/// `code` gets its si_code.
int clinux_signal_read(int descriptor, int *code);

/// Gives SIGCHLD its default action: with SIG_IGN, which execve(2) inherits, ended children could
/// not be waited for. Returns 1 when it was ignored, else 0.
int clinux_take_child_signal(void);

/// eventfd(2) with the count 0, close-on-exec and non-blocking. Returns a descriptor or -errno.
int clinux_event_descriptor(void);

/// epoll_create1(2), close-on-exec: readable while any of its members is. Returns a descriptor or
/// -errno.
int clinux_poll_set(void);

/// epoll_ctl(2): adds (EPOLLIN) or removes a member. Returns 0 or -errno.
int clinux_poll_set_add(int set, int descriptor);
int clinux_poll_set_remove(int set, int descriptor);

/// socketpair(2) of connected unix sequenced-packet sockets, close-on-exec. Returns 0 or -errno.
int clinux_socket_pair(int pair[2]);

/// What the child reports over its channel before it executes the program.
enum {
    /// The child waits to be traced, or, after its filter is installed, to be let go.
    CLINUX_CHILD_READY = 1,
    /// Comes with the listener of the filter (SCM_RIGHTS).
    CLINUX_CHILD_FILTERED = 2,
    /// The step in `detail` failed; `error` is its errno. The child has exited.
    CLINUX_CHILD_FAILED = 3,
};

/// The set-up step that failed.
enum {
    CLINUX_STEP_PARENT_DIED = 1,
    CLINUX_STEP_NO_NEW_PRIVILEGES = 2,
    CLINUX_STEP_DROP_BOUNDING = 3,
    CLINUX_STEP_DROP_CAPABILITIES = 4,
    CLINUX_STEP_FILTER = 5,
    CLINUX_STEP_SEND_LISTENER = 6,
    CLINUX_STEP_EXECUTE = 7,
    CLINUX_STEP_PASS_DESCRIPTORS = 8,
    CLINUX_STEP_LOCK_LIMIT = 9,
};

/// One message of the child.
struct clinux_child_message {
    int kind;
    int detail;
    int error;
};

/// What a child does between fork(2) and execve(2). All pointers stay valid until the call
/// returns.
struct clinux_child_plan {
    const char *path;
    char *const *arguments;
    char *const *environment;
    /// The child's end of the channel.
    int channel;
    /// Other descriptors to close, the parent's end of the channel among them.
    int parent_channel;
    /// struct sock_filter array (linux/filter.h), NULL for no filter.
    const void *filter;
    unsigned short filter_count;
    /// Flags of seccomp(2); with SECCOMP_FILTER_FLAG_NEW_LISTENER the listener is sent back.
    unsigned filter_flags;
    /// Report ready and wait to be let go before the filter is installed.
    int wait_for_tracer;
    /// prctl(PR_SET_NO_NEW_PRIVS).
    int no_new_privileges;
    /// Empty the bounding and ambient sets, and every other set when the program is run.
    int drop_capabilities;
    /// Signals blocked in the program.
    sigset_t signal_mask;
    /// Give the program its own process group.
    int own_process_group;
    /// Ignore SIGCHLD in the program, as whoever started this process had it.
    int ignore_child_signal;
    /// Descriptors that the program inherits under the numbers `passed_first`,
    /// `passed_first` + 1, ...; their own numbers lie above those.
    const int *passed;
    int passed_count;
    int passed_first;
    /// What the program has as standard input, output and error; their own numbers lie above 2.
    /// NULL: what this process has.
    const int *streams;
    /// RLIMIT_MEMLOCK of the program.
    int sets_lock_limit;
    struct rlimit lock_limit;
};

/// fork(2), set-up as planned, execve(2). Returns the child or -errno.
pid_t clinux_start_child(const struct clinux_child_plan *plan);

/// How the keeper of a tree is held and heard: two pipes, {read, write} each.
struct clinux_keeper_pipes {
    /// The keeper ends the tree when no write end is left.
    int life[2];
    /// {process, wait status} pairs of ints: first {the program, -1}, then the program's end.
    int status[2];
};

/// Like clinux_start_child, with a keeper between: a child subreaper without secrets and without
/// other descriptors that reaps the tree, and kills it when this process has gone. A traced tree
/// needs none (PTRACE_O_EXITKILL). Returns the keeper or -errno.
pid_t clinux_start_kept_child(
    const struct clinux_child_plan *plan, const struct clinux_keeper_pipes *pipes);

/// Kills every child of the calling process, and those that become its children by that (it
/// must be a child subreaper), until none is left. Returns 0, or -errno without /proc.
int clinux_end_children(void);

/// pipe2(2), close-on-exec. Returns 0 or -errno.
int clinux_pipe(int ends[2]);

/// recvmsg(2) of one message, with a descriptor when one came (else `*descriptor` is -1).
/// Returns bytes received (0 at the end) or -errno.
int clinux_child_receive(
    int channel, struct clinux_child_message *message, int *descriptor);

/// send(2) of one byte that lets the child go on. Returns 0 or -errno.
int clinux_child_release(int channel);
