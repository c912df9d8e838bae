// SPDX-License-Identifier: Apache-2.0
internal import Ports

/// Files under /proc/PID and files that stand for the machine.
extension SimulatedKernel {
    mutating func attemptOnFile(
        _ call: SystemCall, by caller: ProcessID
    ) throws(KernelFailure) -> KernelAnswer? {
        switch call {
        case .openProcessFile(let file, let target, let path, let writing):
            return .descriptor(
                try openProcessFile(file, of: target, through: path, writing, by: caller))
        case .openKernelFile(let file, let writing):
            return .descriptor(try openKernelFile(file, writing, by: caller))
        case .read(let number, let range):
            return .bytes(try read(descriptor(number, of: caller), range))
        case .write(let number, let address, let content):
            return try write(content, at: address, to: descriptor(number, of: caller), by: caller)
        case .mapAndRead(let number):
            switch try descriptor(number, of: caller) {
            case .secretMemory(let bytes), .plain(let bytes): return .bytes(bytes)
            default: throw .noSuchDeviceOrAddress
            }
        default: return nil
        }
    }

    func descriptor(_ number: Int32, of id: ProcessID) throws(KernelFailure) -> Descriptor {
        guard let descriptor = table[id]?.descriptors[number] else { throw .badDescriptor }
        return descriptor
    }

    private mutating func openProcessFile(
        _ file: ProcessFile, of target: ProcessID, through path: ProcessFilePath, _ writing: Bool,
        by caller: ProcessID
    ) throws(KernelFailure) -> Int32 {
        guard let victim = table[target] else { throw .noSuchProcess }
        if path == .plain || rules.knowsProcessFilesByInode {
            try askAboutOpening(file, of: target, writing, by: caller)
        }
        switch file {
        case .memory: try checkAccess(by: caller, to: target, .attach, .processMemoryRead)
        case .environment, .layout:
            try checkAccess(by: caller, to: target, .read(.memory), .processMemoryRead)
        case .activity:
            try checkAccess(by: caller, to: target, .read(.task), .processMemoryRead)
        case .commandLine, .coreDumpFilter: break
        case .descriptor(let number):
            try checkAccess(by: caller, to: target, .read(.task), .processMemoryRead)
            guard let open = victim.descriptors[number] else { throw .noSuchFile }
            try consult(.followLink, .processMemoryRead, by: caller, on: target)
            return try self.open(reopened(open), in: caller)
        case .mappedFile(let range):
            try requireAdministrator(caller)
            try checkAccess(by: caller, to: target, .read(.task), .processMemoryRead)
            guard let mapping = try mappings(of: target).first(where: { $0.range == range }),
                mapping.kind == .secret
            else { throw .noSuchFile }
            try consult(.followLink, .processMemoryRead, by: caller, on: target)
            return try open(reopened(.secretMemory(mapping.bytes)), in: caller)
        }
        return try open(.processFile(file, target), in: caller)
    }

    /// The program on file_open: content and layout of a protected process are not to be opened.
    private mutating func askAboutOpening(
        _ file: ProcessFile, of target: ProcessID, _ writing: Bool, by caller: ProcessID
    ) throws(KernelFailure) {
        switch file {
        case .memory, .layout, .activity:
            try consult(.fileOpen, .processMemoryRead, by: caller, on: target)
        case .environment: try consult(.fileOpen, .environmentRead, by: caller, on: target)
        case .coreDumpFilter where writing:
            try consult(.fileOpen, .processMemoryRead, by: caller, on: target)
        default: break
        }
    }

    /// open(2) of a link to an open file: a memfd_secret file has no open method.
    private func reopened(_ descriptor: Descriptor) throws(KernelFailure) -> Descriptor {
        if case .secretMemory = descriptor, rules.refusesToReopenSecretFiles {
            throw .noSuchDeviceOrAddress
        }
        return descriptor
    }

    private mutating func openKernelFile(
        _ file: KernelFile, _ writing: Bool, by caller: ProcessID
    ) throws(KernelFailure) -> Int32 {
        try requireAdministrator(caller)
        switch file {
        case .kernelCore:
            guard features.kernelCore else { throw .noSuchFile }
            try checkLockdown(.processMemoryRead, by: caller)
        case .physicalMemory: try checkLockdown(.processMemoryRead, by: caller)
        case .uprobeEvents, .kprobeEvents: try checkLockdown(.programLoad, by: caller)
        case .corePattern where writing:
            try consult(.fileOpen, .processMemoryRead, by: caller, on: nil)
        case .corePattern: break
        }
        return try open(.kernelFile(file), in: caller)
    }

    private func read(
        _ descriptor: Descriptor, _ range: Range<UInt64>?
    ) throws(KernelFailure) -> [UInt8] {
        switch descriptor {
        case .plain(let bytes): return bytes
        case .secretMemory: throw .illegalSeek
        case .channel: throw .illegalSeek
        case .kernelFile(.kernelCore): return directMap()
        case .kernelFile(.physicalMemory):
            guard features.physicalMemory || !rules.refusesPhysicalMemory else {
                throw .operationNotPermitted
            }
            return directMap()
        case .kernelFile: return []
        case .processFile(let file, let target): return try read(file, of: target, range)
        }
    }

    private func read(
        _ file: ProcessFile, of target: ProcessID, _ range: Range<UInt64>?
    ) throws(KernelFailure) -> [UInt8] {
        guard let process = table[target] else { throw .noSuchProcess }
        switch file {
        case .memory:
            guard let range else { throw .inputOutput }
            return try bytes(range, of: target, else: .inputOutput, where: canPin)
        case .environment:
            return try mappings(of: target).filter { $0.kind == .stack }.flatMap(\.bytes)
        case .commandLine: return process.arguments
        default: return []
        }
    }

    private mutating func write(
        _ content: [UInt8], at address: UInt64, to descriptor: Descriptor, by caller: ProcessID
    ) throws(KernelFailure) -> KernelAnswer {
        switch descriptor {
        case .processFile(.memory, let target):
            let isTracer = table[target]?.tracer == caller
            let forces = features.forcedMemoryWrites || isTracer
            let pinned = pinnedKinds
            try write(content, at: address, of: target, else: .inputOutput) {
                ($0 != .program || forces) && pinned.contains($0)
            }
        case .kernelFile(.corePattern):
            coreTarget = content.first == UInt8(ascii: "|") ? .pipe : .file
        case .processFile(.coreDumpFilter, _): break
        default: throw .invalidArgument
        }
        return .done
    }

    /// Every page that the kernel itself can reach.
    func directMap() -> [UInt8] {
        let owned = spaces.keys.sorted().flatMap { spaces[$0] ?? [] }
        return owned.filter {
            $0.kind != .secret || !rules.keepsSecretPagesOutOfDirectMap
        }.flatMap(\.bytes) + freedPages
    }
}
