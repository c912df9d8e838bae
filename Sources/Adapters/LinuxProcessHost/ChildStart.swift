// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
internal import Ports
internal import SecretMemory

/// A child between its fork and its execve, and the channel it reports over.
struct StartedChild {
    let process: pid_t
    let channel: Int32

    /// What the child's set-up said.
    enum Report: Equatable {
        case ready
        /// The filter is installed; its listener.
        case filtered(listener: Int32)
        /// A set-up step failed (CLINUX_STEP_*), with its errno.
        case failed(step: Int32, errorNumber: Int32)
        /// The channel is closed: the program runs, or the child died.
        case closed
    }

    /// Waits for the child's next message.
    func next() throws(ProcessHostFailure) -> Report {
        while true {
            var message = clinux_child_message()
            var descriptor: Int32 = -1
            let got = clinux_child_receive(channel, &message, &descriptor)
            if got == -EINTR { continue }
            guard got >= 0 else { throw .systemCall("recvmsg", errorNumber: -got) }
            guard got > 0 else { return .closed }
            switch Int(message.kind) {
            case Int(CLINUX_CHILD_READY): return .ready
            case Int(CLINUX_CHILD_FILTERED): return .filtered(listener: descriptor)
            default: return .failed(step: message.detail, errorNumber: message.error)
            }
        }
    }

    func release() -> Int32 { clinux_child_release(channel) }

    /// What a failed set-up step means to the caller of `run`.
    static func failure(
        program: String, step: Int32, errorNumber: Int32
    ) -> ProcessHostFailure {
        switch Int(step) {
        case Int(CLINUX_STEP_EXECUTE): executionFailure(program, errorNumber)
        case Int(CLINUX_STEP_FILTER): .refused(call: "seccomp", errorNumber: errorNumber)
        case Int(CLINUX_STEP_NO_NEW_PRIVILEGES):
            .refused(call: "prctl(PR_SET_NO_NEW_PRIVS)", errorNumber: errorNumber)
        case Int(CLINUX_STEP_DROP_BOUNDING):
            .refused(call: "prctl(PR_CAPBSET_DROP)", errorNumber: errorNumber)
        case Int(CLINUX_STEP_DROP_CAPABILITIES):
            .refused(call: "prctl(PR_CAP_AMBIENT)", errorNumber: errorNumber)
        case Int(CLINUX_STEP_LOCK_LIMIT):
            .refused(call: "setrlimit(RLIMIT_MEMLOCK)", errorNumber: errorNumber)
        default: .systemCall("child set-up", errorNumber: errorNumber)
        }
    }

    /// ENOENT after the file was found is a missing interpreter: as a shell says, not found.
    static func executionFailure(_ program: String, _ number: Int32) -> ProcessHostFailure {
        switch number {
        case ENOENT, ENOTDIR: .notFound(program: program)
        case E2BIG: .argumentsTooLarge(program: program)
        default: .notExecutable(program: program, errorNumber: number)
        }
    }
}

/// Everything a child is started with; lends C pointers for the call.
struct ChildStart {
    let path: String
    let arguments: [RawText]
    /// `NAME=value` without secrets.
    let environment: [RawText]
    /// Strings already laid out, secret or not, that follow `environment`.
    var laidOut: [UnsafeMutablePointer<CChar>] = []
    var filter: SystemCallFilter?
    var filterFlags: UInt32 = 0
    var waitsForTracer = false
    var noNewPrivileges = false
    var dropsCapabilities = false
    /// Soft and hard RLIMIT_MEMLOCK of the program; nil: as here.
    private(set) var lockLimit: rlimit? = nil
    let signals: SignalSet
    /// Descriptors that the program inherits, numbered from `PassedFiles.firstNumber` on.
    var passed: [Int32] = []
    /// Standard input, output and error of the program; nil: as here.
    var streams: [Int32]?

    /// Gives the program the limit that it would have without the wrapper. What it gets from us is
    /// added, as far as the hard limit allows: its own memory must not become less by it.
    ///
    /// - Parameter bytes: of locked memory that the program gets from us.
    mutating func limitLockedMemory(_ own: MemoryLockLimit?, sharing bytes: Int) {
        guard let own else { return }
        lockLimit = rlimit(
            rlim_cur: rlim_t(Self.softLockLimit(own, sharing: bytes)),
            rlim_max: rlim_t(own.hardBytes))
    }

    /// Without a limit (`UInt64.max`) there is none afterwards.
    static func softLockLimit(_ own: MemoryLockLimit, sharing bytes: Int) -> UInt64 {
        let (sum, overflows) = own.softBytes.addingReportingOverflow(UInt64(bytes))
        return overflows ? own.hardBytes : min(sum, own.hardBytes)
    }

    /// Forks; the child runs C only, up to its execve.
    func start() throws(ProcessHostFailure) -> StartedChild {
        var pair: [Int32] = [-1, -1]
        let made = clinux_socket_pair(&pair)
        guard made == 0 else { throw .systemCall("socketpair", errorNumber: -made) }
        let process = withPlan(channel: pair[1], parentChannel: pair[0]) {
            clinux_start_child($0)
        }
        close(pair[1])
        guard process > 0 else {
            close(pair[0])
            throw .systemCall("fork", errorNumber: -process)
        }
        return StartedChild(process: process, channel: pair[0])
    }

    /// With its NUL, to be freed.
    private static func duplicate(_ text: RawText) -> UnsafeMutablePointer<CChar>? {
        (text.bytes + [0]).withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { $0.baseAddress.flatMap { strdup($0) } }
        }
    }

    func withPlan(
        channel: Int32, parentChannel: Int32,
        _ body: (UnsafePointer<clinux_child_plan>) -> pid_t
    ) -> pid_t {
        let argumentPointers = arguments.map(Self.duplicate)
        let environmentPointers = environment.map(Self.duplicate)
        defer { for pointer in argumentPointers + environmentPointers { free(pointer) } }
        let instructions = filter?.instructions ?? []
        var block = environmentPointers + laidOut + [nil]
        var vector = argumentPointers + [nil]
        return path.withCString { path in
            vector.withUnsafeMutableBufferPointer { vector in
                block.withUnsafeMutableBufferPointer { block in
                    instructions.withUnsafeBufferPointer { code in
                        guard let argumentStart = vector.baseAddress,
                            let environmentStart = block.baseAddress
                        else { return -EINVAL }
                        var plan = clinux_child_plan(
                            path: path, arguments: argumentStart,
                            environment: environmentStart, channel: channel,
                            parent_channel: parentChannel,
                            filter: code.isEmpty ? nil : UnsafeRawPointer(code.baseAddress),
                            filter_count: UInt16(code.count), filter_flags: filterFlags,
                            wait_for_tracer: waitsForTracer ? 1 : 0,
                            no_new_privileges: noNewPrivileges ? 1 : 0,
                            drop_capabilities: dropsCapabilities ? 1 : 0,
                            signal_mask: signals.before,
                            own_process_group: signals.sharesTerminal ? 0 : 1,
                            ignore_child_signal: signals.ignoresChildren ? 1 : 0,
                            passed: nil, passed_count: 0,
                            passed_first: PassedFiles.firstNumber,
                            streams: nil,
                            sets_lock_limit: lockLimit == nil ? 0 : 1,
                            lock_limit: lockLimit ?? rlimit())
                        return passed.withUnsafeBufferPointer { passed in
                            plan.passed = passed.baseAddress
                            plan.passed_count = Int32(passed.count)
                            guard let streams else { return body(&plan) }
                            return streams.withUnsafeBufferPointer { streams in
                                plan.streams = streams.baseAddress
                                return body(&plan)
                            }
                        }
                    }
                }
            }
        }
    }
}
