// SPDX-License-Identifier: Apache-2.0
package import Ports

/// Places in the kernel where a loaded program is asked.
package enum Hook: String, Sendable, CaseIterable {
    case ptraceAccessCheck = "ptrace_access_check"
    case ptraceTraceMe = "ptrace_traceme"
    case fileOpen = "file_open"
    case followLink = "inode_follow_link"
    case fileReceive = "file_receive"
    case filePermission = "file_permission"
    case socketSendMessage = "socket_sendmsg"
    case anonymousInode = "inode_init_security_anon"
    case programLoad = "bpf"
    case counterOpen = "perf_event_alloc"
    case lockedDown = "locked_down"
    case moduleLoad = "kernel_read_file"
    case kernelImageLoad = "kernel_load_data"
    case setLimit = "task_setrlimit"
    case taskKill = "task_kill"
}

/// What loaded programs do, and where.
package struct ArmedHooks: Sendable, Equatable {
    package enum Response: Sendable { case observe, deny }

    /// How the programs reach the kernel.
    package enum Attachment: Sendable {
        /// `lsm/…` only.
        case lsmOnly
        /// LSM, else fmod_ret on `security_…`, else a tracepoint and a signal.
        case bestTier
    }

    /// Reasons for PTRACE_MODE_READ checks.
    package enum ReadPurpose: Sendable, CaseIterable {
        /// environ, maps and the like.
        case memory
        /// Links to descriptors and mapped files, stack, syscall.
        case task
        /// process_madvise(2).
        case advice
        /// kcmp(2).
        case comparison
    }

    package var responses: [Hook: Response] = [:]
    package var attachment = Attachment.bestTier
    /// READ-mode checks that the program on ptrace_access_check answers; ATTACH always.
    package var readPurposes: Set<ReadPurpose> = []
    /// Whoever a program answers with `deny` gets SIGKILL too. It arrives when the call is over.
    package var killsActor = false

    package init() {}

    /// The agent. Under `deny`, module loads are observed only: they are denied where a
    /// policy locks modules.
    package static func agent(_ response: Response) -> ArmedHooks {
        var hooks = ArmedHooks()
        for hook in Hook.allCases { hooks.responses[hook] = response }
        hooks.responses[.moduleLoad] = .observe
        hooks.readPurposes = [.advice, .comparison]
        return hooks
    }
}

/// What a program knows of a process under its protection.
package struct Protection: Sendable, Equatable {
    /// The one process that may trace it.
    package var tracer: ProcessID?
    /// The values delivered to it, which it may not send out.
    package var values: [[UInt8]]
    /// It is the wrapper, which the container's runtime stops with any signal.
    package var takesSignals: Bool

    package init(
        tracer: ProcessID? = nil, values: [[UInt8]] = [], takesSignals: Bool = false
    ) {
        self.tracer = tracer
        self.values = values
        self.takesSignals = takesSignals
    }
}

extension SimulatedKernel {
    /// Shortest run of a delivered value that the content scan looks for (bytes).
    static let scanWindowBytes = 16

    /// Puts a process under the armed programs' protection.
    package mutating func protect(_ id: ProcessID, _ with: Protection = Protection()) {
        protection[id] = with
    }

    /// Asks the program on `hook` about `target`, or about the machine (nil).
    mutating func consult(
        _ hook: Hook, _ type: KernelEventType, by caller: ProcessID, on target: ProcessID?
    ) throws(KernelFailure) {
        guard rules.consultsHooks, let response = hooks.responses[hook], reaches(hook) else {
            return
        }
        if let target {
            guard let guarded = protection[target], caller != target, guarded.tracer != caller,
                hook != .taskKill || !guarded.takesSignals
            else { return }
        }
        try answer(response, at: hook, type, by: caller, on: target)
    }

    /// Reports the call, condemns the caller and denies, as far as the response and the kernel go.
    private mutating func answer(
        _ response: ArmedHooks.Response, at hook: Hook, _ type: KernelEventType,
        by caller: ProcessID, on target: ProcessID?
    ) throws(KernelFailure) {
        let isDenied = response == .deny && deniesSynchronously(hook)
        reports.report(
            type, hook: hook.rawValue, by: caller, on: target, isDenied: isDenied)
        if response == .deny, hooks.killsActor { condemned.insert(caller) }
        if isDenied { throw .operationNotPermitted }
    }

    /// Compares what `caller` sends with what was delivered to it.
    mutating func scan(
        _ bytes: [UInt8], at hook: Hook, by caller: ProcessID
    ) throws(KernelFailure) {
        guard rules.scansContent, rules.consultsHooks, features.bpfLoop,
            let response = hooks.responses[hook], reaches(hook),
            let guarded = protection[caller],
            guarded.values.contains(where: { Self.shareRun($0, bytes) })
        else { return }
        try answer(response, at: hook, .secretLeak, by: caller, on: caller)
    }

    /// Whether a program attached there ever runs.
    private func reaches(_ hook: Hook) -> Bool {
        if hook == .anonymousInode && !features.anonymousInodeHook { return false }
        return hooks.attachment == .bestTier || features.bpfLSM
    }

    /// LSM and fmod_ret deny before the effect; a signal comes after it.
    private func deniesSynchronously(_ hook: Hook) -> Bool {
        features.bpfLSM || features.btf
    }

    private static func shareRun(_ value: [UInt8], _ bytes: [UInt8]) -> Bool {
        guard value.count >= scanWindowBytes else { return false }
        return (0...value.count - scanWindowBytes).contains { start in
            bytes.contains(value[start..<start + scanWindowBytes])
        }
    }
}
