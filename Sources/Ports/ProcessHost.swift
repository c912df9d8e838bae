// SPDX-License-Identifier: Apache-2.0
package import Delivery
package import SecretMemory

/// What to start, and how.
package struct Launch: Sendable, Equatable {
    /// The program and its arguments; the first is resolved through PATH as execvp(3) does.
    package var arguments: [RawText]
    /// `NAME=value` entries without any secret and without any control variable.
    package var environment: [RawText]
    package var delivery: DeliveryMode
    package var follow: FollowStrategy
    package var child: ChildPolicy
    /// Another program or a hook may be started later: the thread that starts programs then keeps
    /// what starting needs (execve, the bounding set), which it gives up otherwise. The caller's
    /// thread gives it up in either case.
    package var mayStartAgain = false

    package init(
        arguments: [RawText], environment: [RawText], delivery: DeliveryMode,
        follow: FollowStrategy, child: ChildPolicy = ChildPolicy()
    ) {
        self.arguments = arguments
        self.environment = environment
        self.delivery = delivery
        self.follow = follow
        self.child = child
    }

    /// The program as it was called, for messages and the search on PATH; empty when there is
    /// none.
    package var programName: String { arguments.first?.description ?? "" }
}

/// What the program is allowed.
package struct ChildPolicy: Sendable, Equatable {
    /// Set `PR_SET_DUMPABLE` 0 in every image (wrapper rule 8).
    package var undumpable = false
    /// Map the delivered values read-only.
    package var readOnlyValues = false
    /// Install the filter that denies ptrace, process_vm_*, pidfd_getfd, io_uring, userfaultfd,
    /// perf_event_open, kcmp, bpf, module calls, vmsplice, tee and splice (wrapper rule 13).
    package var restrictSystemCalls = true
    /// Deny sendmmsg(2) too: of many datagrams an LSM hook sees the first. Resolvers need it.
    package var denySendmmsg = false
    /// Empty the bounding and ambient capability sets of the program.
    package var dropCapabilities = false
    /// Under delivery mode `file`: sealed memfd files, which can be read(2) and are ordinary
    /// memory, instead of memfd_secret files, which can be mapped only.
    package var readableFiles = false

    package init() {}
}

/// How the program ended.
package enum ChildExit: Sendable, Equatable {
    case exited(code: Int32)
    case signalled(signal: Int32)

    /// As a shell reports it: the code, or 128 + the signal's number.
    package var statusCode: Int32 {
        switch self {
        case .exited(let code): code
        case .signalled(let signal): 128 + signal
        }
    }
}

/// Why a program could not be started or kept under delivery.
package enum ProcessHostFailure: Error, Sendable, Equatable {
    /// Not found on PATH, or the path does not exist.
    case notFound(program: String)
    /// Found, and the kernel refuses to run it.
    case notExecutable(program: String, errorNumber: Int32)
    /// Arguments and environment exceed what execve(2) takes: under `environ` delivery the values
    /// count too, 128 KiB each at most.
    case argumentsTooLarge(program: String)
    /// The host refuses a call that the delivery mode needs (ptrace, seccomp, memfd_secret).
    case refused(call: String, errorNumber: Int32)
    /// A step of the delivery failed; the image was killed before its first instruction.
    case deliveryFailed(step: String, errorNumber: Int32)
    /// The secret memory that the delivery needs cannot be had. Nothing runs without its values.
    case memory(SecretMemoryFailure)
    /// Any other system call of the supervisor failed.
    case systemCall(String, errorNumber: Int32)
}

/// What a host has to tell.
package enum HostEvent: Sendable, Equatable {
    /// The program has ended, and with it its tree.
    case programEnded(ChildExit)
    /// The rotation hook has ended; how is for the log only.
    case hookEnded(ChildExit)
    /// This process was asked to stop (SIGTERM, SIGINT, …) while no program runs that could be
    /// asked instead, or while the program is being stopped by `stop`: no other one is wanted.
    case stopRequested(signal: Int32)
    /// A process further down the tree was killed, because it could not be given its values.
    case deliveryFailed(FailedDelivery)
    /// The time that the caller wanted to wait for has come.
    case deadline
}

/// A later delivery that failed, and with it one process of the tree.
package struct FailedDelivery: Sendable, Equatable {
    package let process: Int32
    /// Name of the step.
    package let step: String
    package let errorNumber: Int32
    /// The budget of locked memory is used up (RLIMIT_MEMLOCK).
    package let isMemoryExhausted: Bool

    package init(process: Int32, step: String, errorNumber: Int32, isMemoryExhausted: Bool) {
        self.process = process
        self.step = step
        self.errorNumber = errorNumber
        self.isMemoryExhausted = isMemoryExhausted
    }
}

/// Starts one program, delivers the values to it and to every program it executes, and stays
/// with the tree until the program ends.
///
/// Contract:
/// - No secret byte is in `Launch`; values travel only in the image, which the host keeps in
///   secret memory as long as a program runs.
/// - Fail closed: an image that could not be given its values is killed before its first
///   instruction. An image never runs with an unfilled placeholder.
/// - The tree is served whatever the caller does between two calls: execs never wait for a
///   renewal.
/// - Signals that can be forwarded are forwarded to the program; orphans are reaped. While no
///   program runs they are `stopRequested`.
/// - When the caller dies, the whole tree dies under `splice` delivery; under `environ` the program
///   itself is killed, and what it started is left to its own parent.
/// - After `programEnded` another program may be started.
package protocol ProcessHost: ~Copyable {
    /// Puts the index of its values into an image that is to be started with, or to replace the
    /// values of the program that runs. With the newer index's bitmap the programs that still
    /// have older values are scanned too. Under delivery `splice` every image of the tree then has
    /// the index at that address; those that cannot are told to the operator.
    mutating func indexValues(
        of image: inout DeliveryImage
    ) throws(ProcessHostFailure) -> ValueIndex

    /// Returns when the program is on its way, or throws and runs none. A program that cannot be
    /// executed throws `notFound` or `notExecutable`.
    mutating func start(
        _ launch: Launch, image: consuming DeliveryImage
    ) throws(ProcessHostFailure)

    /// Waits for the next event, at most until `deadline` (nil: for ever). A delivery that fails
    /// later is thrown here once the program has ended because of it.
    mutating func next(until deadline: MonotonicTime?) throws(ProcessHostFailure) -> HostEvent

    /// From the next exec on, programs of the tree get these values. Those that run keep what
    /// they have.
    mutating func replaceValues(
        _ image: consuming DeliveryImage
    ) throws(ProcessHostFailure)

    /// Sends a signal to the program.
    mutating func send(signal: Int32)

    /// Starts the rotation hook beside the program, with the newest values under the program's
    /// delivery mode. Its end is an event.
    mutating func runHook(_ launch: Launch) throws(ProcessHostFailure)

    /// SIGTERM to the program, SIGKILL after `grace`. Its end is an event.
    mutating func stop(within grace: Duration)
}
