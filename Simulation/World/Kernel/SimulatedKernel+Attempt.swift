// SPDX-License-Identifier: Apache-2.0
package import Ports

extension SimulatedKernel {
    package mutating func attempt(
        _ call: SystemCall, by caller: ProcessID
    ) throws(KernelFailure) -> KernelAnswer {
        guard let process = table[caller] else { throw .noSuchProcess }
        if callDepth == 0 { reports.beginCall() }
        callDepth += 1
        defer { endCall() }
        if rules.obeysFilters, let name = call.filteredName {
            if process.deniedCalls.contains(name) { throw .operationNotPermitted }
            if process.unsupportedCalls.contains(name) { throw .invalidArgument }
        }
        if let answer = try attemptOnProcess(call, by: caller) { return answer }
        if let answer = try attemptOnFile(call, by: caller) { return answer }
        if let answer = try attemptOnMachine(call, by: caller) { return answer }
        return try attemptFromInside(call, by: process)
    }

    private mutating func endCall() {
        callDepth -= 1
        guard callDepth == 0 else { return }
        for id in condemned.sorted() { end(id) }
        condemned = []
    }

    /// PTRACE_MODE_ATTACH and PTRACE_MODE_READ.
    enum AccessMode: Equatable {
        case attach
        case read(ArmedHooks.ReadPurpose)

        /// Whether the check is mm_access in read mode, and not ptrace_may_access itself.
        var isByMemory: Bool { self == .read(.memory) || self == .read(.advice) }
    }

    /// `ptrace_may_access`: credentials, then dumpable, then Yama, then hooks.
    mutating func checkAccess(
        by caller: ProcessID, to target: ProcessID, _ mode: AccessMode, _ type: KernelEventType
    ) throws(KernelFailure) {
        guard let victim = table[target], let reader = table[caller] else { throw .noSuchProcess }
        // A process reads itself without any check, hooks included.
        guard caller != target else { return }
        do throws(KernelFailure) {
            try checkAccess(by: reader, to: victim, mode, type)
        } catch {
            // may_access_mm of 7.2: who has CAP_PERFMON passes after all, whatever hooks said.
            guard features.perfmonReads, mode.isByMemory, reader.credentials.isAdministrator
            else { throw error }
        }
    }

    private mutating func checkAccess(
        by reader: Process, to victim: Process, _ mode: AccessMode, _ type: KernelEventType
    ) throws(KernelFailure) {
        let isSameUser = reader.credentials.user == victim.credentials.user
        guard isSameUser || reader.credentials.mayTraceAll || !rules.checksCredentials else {
            throw .operationNotPermitted
        }
        guard victim.isDumpable || reader.credentials.mayTraceAll || !rules.checksDumpable else {
            throw .operationNotPermitted
        }
        if mode == .attach { try checkYama(reader, victim) }
        if case .read(let purpose) = mode, !hooks.readPurposes.contains(purpose) { return }
        try consult(.ptraceAccessCheck, type, by: reader.id, on: victim.id)
    }

    /// kernel.yama.ptrace_scope: 1 and 2 want a descendant or the capability, 3 nobody.
    private func checkYama(_ reader: Process, _ victim: Process) throws(KernelFailure) {
        let isParent = victim.parent == reader.id
        let isAllowed =
            switch features.yamaPtraceScope {
            case 0: true
            case 1: isParent || reader.credentials.mayTraceAll
            case 2: reader.credentials.mayTraceAll
            default: false
            }
        guard isAllowed else { throw .operationNotPermitted }
    }

    func requireAdministrator(_ caller: ProcessID) throws(KernelFailure) {
        guard table[caller]?.credentials.isAdministrator == true else {
            throw .operationNotPermitted
        }
    }

    /// Lockdown as booted, then the programs on its hook.
    mutating func checkLockdown(
        _ type: KernelEventType, by caller: ProcessID
    ) throws(KernelFailure) {
        guard !features.isLockedDown else { throw .operationNotPermitted }
        try consult(.lockedDown, type, by: caller, on: nil)
    }

    /// The bytes of a range as far as pages give them; `failure` when the first page does not.
    func bytes(
        _ range: Range<UInt64>, of id: ProcessID, else failure: KernelFailure,
        where gives: (MemoryKind) -> Bool
    ) throws(KernelFailure) -> [UInt8] {
        let mappings = try mappings(of: id)
        var bytes: [UInt8] = []
        while UInt64(bytes.count) < range.upperBound - range.lowerBound {
            let next = range.lowerBound + UInt64(bytes.count)
            guard let mapping = mappings.first(where: { $0.range.contains(next) }),
                gives(mapping.kind)
            else { break }
            let left = Int(range.upperBound - next)
            bytes += mapping.bytes[Int(next - mapping.start)...].prefix(left)
        }
        guard !bytes.isEmpty || range.isEmpty else { throw failure }
        return bytes
    }

    var pinnedKinds: Set<MemoryKind> { Set(MemoryKind.allCases.filter(canPin)) }

    /// Whether get_user_pages takes the page.
    func canPin(_ kind: MemoryKind) -> Bool { kind != .secret || !rules.refusesToPinSecretPages }
}

extension SystemCall {
    /// The name by which a seccomp filter knows the call, of those that filters here name.
    var filteredName: String? {
        switch self {
        case .trace, .beTraced, .peek, .readRegisters, .injectWrite: "ptrace"
        case .readMemory: "process_vm_readv"
        case .writeMemory, .send(_, .otherProcessMemory): "process_vm_writev"
        case .takeDescriptor: "pidfd_getfd"
        case .compareDescriptors: "kcmp"
        case .loadProgram: "bpf"
        case .openCounter: "perf_event_open"
        case .loadModule: "finit_module"
        case .registerUserFault: "userfaultfd"
        case .send(_, let channel), .sendPages(_, let channel): channel.filteredName
        default: nil
        }
    }
}

extension OutwardChannel {
    /// The call that the channel cannot do without.
    var filteredName: String? {
        switch self {
        case .ringWrite, .ringSend, .ringRegisteredBuffer, .ringOther: "io_uring_setup"
        case .pipePages: "vmsplice"
        case .pipeCopy: "tee"
        case .pipeToPipe, .pipeToSocket: "splice"
        default: nil
        }
    }
}
