// SPDX-License-Identifier: Apache-2.0
internal import Ports

/// Loaded programs, kernel images, swap, hibernation, cores.
extension SimulatedKernel {
    mutating func attemptOnMachine(
        _ call: SystemCall, by caller: ProcessID
    ) throws(KernelFailure) -> KernelAnswer? {
        switch call {
        case .loadProgram(let capability, let target, let range):
            try requireAdministrator(caller)
            if capability == .writesUserMemory || capability == .readsKernelMemory {
                try checkLockdown(.programLoad, by: caller)
            }
            try consult(.programLoad, .programLoad, by: caller, on: nil)
            return try run(capability, against: target, range)
        case .useEarlierProgram(let capability, let target, let range):
            return try run(capability, against: target, range)
        case .traceProbe(let file, let target, let range):
            _ = try attempt(.openKernelFile(file, writing: true), by: caller)
            return try run(.readsUserMemory, against: target, range)
        case .openCounter(let kind, _, let victim):
            try requireAdministrator(caller)
            try consult(.counterOpen, .programLoad, by: caller, on: nil)
            return .bytes(try sample(kind, of: victim))
        case .loadModule:
            try requireAdministrator(caller)
            guard features.modules else { throw .notImplemented }
            try consult(.moduleLoad, .moduleLoad, by: caller, on: nil)
            return .done
        case .loadKernelImage(let fromFile): return try loadKernelImage(fromFile, by: caller)
        case .hibernate: return try hibernate(by: caller)
        case .readSwap:
            try requireAdministrator(caller)
            return .bytes(allPages { isSwapped($0) })
        case .readHostImage: return .bytes(allPages { _ in true } + freedPages)
        case .readFreedPages:
            _ = try attempt(.openKernelFile(.kernelCore, writing: false), by: caller)
            return .bytes(freedPages)
        case .killForCore(let target): return .bytes(try core(of: target, by: caller))
        case .raiseCoreLimit(let target):
            try consult(.setLimit, .processMemoryRead, by: caller, on: target)
            try change(target) { $0.hasCoreLimit = true }
            return .done
        default: return nil
        }
    }

    private func run(
        _ capability: BPFCapability, against target: ProcessID, _ range: Range<UInt64>
    ) throws(KernelFailure) -> KernelAnswer {
        switch capability {
        case .readsUserMemory:
            return .bytes(try bytes(range, of: target, else: .badAddress) { _ in true })
        case .copiesFromTask:
            guard features.copyFromUserTask else { throw .notImplemented }
            return .bytes(try bytes(range, of: target, else: .badAddress, where: canPin))
        case .writesUserMemory: return .done
        case .readsKernelMemory:
            return .bytes(
                try bytes(range, of: target, else: .badAddress) {
                    $0 != .secret || !rules.keepsSecretPagesOutOfDirectMap
                })
        }
    }

    private func sample(
        _ kind: CounterKind, of victim: ProcessID
    ) throws(KernelFailure) -> [UInt8] {
        guard let process = table[victim] else { throw .noSuchProcess }
        guard kind != .breakpoint else { return process.registers }
        return try process.registers
            + mappings(of: victim).filter { $0.kind == .stack }.flatMap(\.bytes)
    }

    private mutating func loadKernelImage(
        _ fromFile: Bool, by caller: ProcessID
    ) throws(KernelFailure) -> KernelAnswer {
        try requireAdministrator(caller)
        guard fromFile ? features.kexecFileLoad : features.kexecLoad else { throw .notImplemented }
        if !fromFile { try checkLockdown(.moduleLoad, by: caller) }
        try consult(.kernelImageLoad, .moduleLoad, by: caller, on: nil)
        return .done
    }

    private mutating func hibernate(by caller: ProcessID) throws(KernelFailure) -> KernelAnswer {
        try requireAdministrator(caller)
        guard features.hibernation else { throw .noSuchFile }
        let isHeld = spaces.values.contains { $0.contains { $0.kind == .secret } }
        guard !isHeld || !rules.refusesHibernationWithSecretPages else {
            throw .operationNotPermitted
        }
        try checkLockdown(.processMemoryRead, by: caller)
        return .bytes(allPages { _ in true })
    }

    private func allPages(_ isMeant: (MemoryKind) -> Bool) -> [UInt8] {
        spaces.keys.sorted().flatMap { spaces[$0] ?? [] }.filter { isMeant($0.kind) }
            .flatMap(\.bytes)
    }

    /// A core as fs/coredump.c writes it: none of a process that is not dumpable, none to a file
    /// beyond RLIMIT_CORE, and secret pages as zeros.
    private mutating func core(
        of target: ProcessID, by caller: ProcessID
    ) throws(KernelFailure) -> [UInt8] {
        guard let victim = table[target], let sender = table[caller] else { throw .noSuchProcess }
        let isSameUser = sender.credentials.user == victim.credentials.user
        guard isSameUser || sender.credentials.isAdministrator else {
            throw .operationNotPermitted
        }
        try consult(.taskKill, .processMemoryRead, by: caller, on: target)
        let mappings = try mappings(of: target)
        end(target)
        guard victim.isDumpable || !rules.checksDumpable else { throw .noSuchFile }
        let isWritten = coreTarget == .pipe || victim.hasCoreLimit || !rules.obeysCoreLimit
        guard isWritten else { throw .noSuchFile }
        return mappings.flatMap { mapping in
            mapping.kind == .secret && rules.leavesSecretPagesOutOfCores
                ? [UInt8](repeating: 0, count: mapping.bytes.count) : mapping.bytes
        }
    }

    /// The process ends; its pages belong to nobody.
    mutating func end(_ id: ProcessID) {
        guard let process = table.removeValue(forKey: id) else { return }
        protection[id] = nil
        for other in table.values where other.tracer == id {
            table[other.id]?.tracer = nil
        }
        guard !table.values.contains(where: { $0.space == process.space }) else { return }
        let pages = spaces.removeValue(forKey: process.space) ?? []
        let zeroes = features.zeroesFreedPages && rules.obeysInitOnFree
        for page in pages where page.kind != .program {
            let isZeroed = page.kind == .secret ? rules.zeroesFreedSecretPages : zeroes
            if !isZeroed { freedPages += page.bytes }
        }
    }
}
