// SPDX-License-Identifier: Apache-2.0
internal import Ports

/// Tracing, and reads and writes of another process's memory and descriptors.
extension SimulatedKernel {
    mutating func attemptOnProcess(
        _ call: SystemCall, by caller: ProcessID
    ) throws(KernelFailure) -> KernelAnswer? {
        switch call {
        case .trace(let target, _): return try trace(target, by: caller)
        case .beTraced(let tracer): return try beTraced(caller, by: tracer)
        case .peek(let target, let range):
            try requireTracer(caller, of: target)
            return .bytes(try bytes(range, of: target, else: .inputOutput, where: canPin))
        case .readRegisters(let target):
            try requireTracer(caller, of: target)
            return .bytes(table[target]?.registers ?? [])
        case .injectWrite(let target, let range):
            try requireTracer(caller, of: target)
            // The victim copies from its own mapping: every kind of page can be read.
            return .bytes(try bytes(range, of: target, else: .badAddress) { _ in true })
        case .readMemory(let target, let range):
            try checkMemory(of: target, by: caller)
            return .bytes(try bytes(range, of: target, else: .badAddress, where: canPin))
        case .writeMemory(let target, let address, let content):
            try checkMemory(of: target, by: caller)
            let pinned = pinnedKinds
            try write(content, at: address, of: target, else: .badAddress) {
                $0 != .program && pinned.contains($0)
            }
            return .done
        case .pageOut(let target, let range):
            guard features.processMadvise else { throw .notImplemented }
            try checkAccess(by: caller, to: target, .read(.advice), .processMemoryRead)
            return .bytes(try bytes(range, of: target, else: .invalidArgument, where: isSwapped))
        case .compareDescriptors(let first, let second):
            guard features.kcmp else { throw .notImplemented }
            for target in [first, second] {
                try checkAccess(by: caller, to: target, .read(.comparison), .processMemoryRead)
            }
            return .done
        case .takeDescriptor(let target, let number):
            return try takeDescriptor(number, of: target, by: caller)
        default: return nil
        }
    }

    private mutating func trace(
        _ target: ProcessID, by caller: ProcessID
    ) throws(KernelFailure) -> KernelAnswer {
        try checkAccess(by: caller, to: target, .attach, .ptraceAttach)
        guard caller != target, table[target]?.tracer == nil || !rules.allowsOneTracer else {
            throw .operationNotPermitted
        }
        try change(target) { $0.tracer = caller }
        return .done
    }

    private mutating func beTraced(
        _ tracee: ProcessID, by tracer: ProcessID
    ) throws(KernelFailure) -> KernelAnswer {
        guard table[tracer] != nil else { throw .noSuchProcess }
        try consult(.ptraceTraceMe, .ptraceAttach, by: tracer, on: tracee)
        guard table[tracee]?.tracer == nil || !rules.allowsOneTracer else {
            throw .operationNotPermitted
        }
        try change(tracee) { $0.tracer = tracer }
        return .done
    }

    private func requireTracer(_ caller: ProcessID, of target: ProcessID) throws(KernelFailure) {
        guard table[target]?.tracer == caller else { throw .noSuchProcess }
    }

    /// `mm_access(ATTACH)`; a task with the same memory passes without a question.
    private mutating func checkMemory(
        of target: ProcessID, by caller: ProcessID
    ) throws(KernelFailure) {
        if let own = table[caller]?.space, own == table[target]?.space { return }
        try checkAccess(by: caller, to: target, .attach, .processMemoryRead)
    }

    /// Whether the page may go to swap.
    func isSwapped(_ kind: MemoryKind) -> Bool {
        switch kind {
        case .ordinary, .stack: true
        case .locked: !rules.keepsLockedPagesFromSwap
        case .secret: !rules.keepsSecretPagesFromSwap
        case .program: false
        }
    }

    private mutating func takeDescriptor(
        _ number: Int32, of target: ProcessID, by caller: ProcessID
    ) throws(KernelFailure) -> KernelAnswer {
        guard features.pidfdGetfd else { throw .notImplemented }
        try checkAccess(by: caller, to: target, .attach, .processMemoryRead)
        guard let descriptor = table[target]?.descriptors[number] else { throw .badDescriptor }
        return .descriptor(try open(descriptor, in: caller))
    }

    mutating func write(
        _ content: [UInt8], at address: UInt64, of target: ProcessID, else failure: KernelFailure,
        where takes: (MemoryKind) -> Bool
    ) throws(KernelFailure) {
        guard let space = table[target]?.space else { throw .noSuchProcess }
        guard var mappings = spaces[space],
            let index = mappings.firstIndex(where: { $0.range.contains(address) }),
            takes(mappings[index].kind)
        else { throw failure }
        let start = Int(address - mappings[index].start)
        let end = min(start + content.count, mappings[index].bytes.count)
        mappings[index].bytes.replaceSubrange(start..<end, with: content.prefix(end - start))
        spaces[space] = mappings
    }
}
