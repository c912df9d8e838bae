// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc
internal import Ports

extension Supervisor {
    /// A new image exists and has not run: gives it its values, or kills it.
    ///
    /// - Parameter task: the thread group's leader, which the exec's thread has become.
    func deliver(_ task: pid_t) {
        counters.execs += 1
        let start = monotonicMicroseconds()
        do throws(StepFailure) {
            let isLaunch = tasks[task]?.exec?.isLaunch == true
            try splice(task)
            if isLaunch { isLaunched = true }
            counters.spliceMicroseconds += monotonicMicroseconds() - start
        } catch {
            killProcess(of: task, because: error)
        }
    }

    private func splice(_ task: pid_t) throws(StepFailure) {
        guard let known = tasks[task], let exec = known.exec else {
            throw StepFailure(step: .readStack, errorNumber: EPROTO)
        }
        let tracee = Tracee(task: task)
        leaveSpace(task, known)
        guard follow != .none || exec.isLaunch else {
            try leaveUnfilled(task, exec, tracee)
            return
        }
        var mask = exec.heldMask
        if mask == nil { try hold(.holdSignals, tracee, &mask) }
        // Until the exit stop the kernel still owns the registers.
        try take(.reachExecExit) { runToSystemCallStop(tracee) }
        var registers = Registers()
        try take(.readRegisters) { tracee.registers(into: &registers) }
        try reach(.checkArchitecture)
        guard registers.cs == Self.longModeSegment else {
            throw StepFailure(step: .checkArchitecture, errorNumber: ENOEXEC)
        }
        let stack = try readStack(tracee, registers)
        try verify(stack, exec, tracee)
        let space = try buildSpace(stack, exec, tracee, registers)
        space.members.insert(task)
        tasks[task]?.space = space
        if policy.undumpable { try lowerDumpable(tracee, space, registers) }
        try take(.restoreRegisters) { tracee.setRegisters(registers) }
        if let mask { try take(.restoreSignals) { tracee.setSignalMask(mask) } }
        tasks[task]?.exec = nil
        tasks[task]?.machine.execEnded()
        try letGo(task, tracee)
    }

    /// Follow `none`: later images run with empty placeholders.
    private func leaveUnfilled(
        _ task: pid_t, _ exec: ExecInFlight, _ tracee: Tracee
    ) throws(StepFailure) {
        if let mask = exec.heldMask { try take(.restoreSignals) { tracee.setSignalMask(mask) } }
        try letGo(task, tracee)
    }

    /// __USER_CS: 64-bit code. A 32-bit image would make calls that the filter kills.
    private static let longModeSegment: UInt64 = 0x33

    /// The old image's memory has one task less.
    private func leaveSpace(_ task: pid_t, _ known: TracedTask) {
        known.space.members.remove(task)
        releaseSlot(of: known)
        tasks[task]?.exec?.slot = nil
        tasks[task]?.exec?.raisedDumpable = false
        tasks[task]?.space = setUpSpace
        leaveRaised(known, task)
    }

    private func readStack(
        _ tracee: Tracee, _ registers: Registers
    ) throws(StepFailure) -> FreshStack {
        try reach(.readStack)
        let reader = WordReader(tracee: tracee)
        guard let stack = FreshStack(stackPointer: registers.rsp, word: reader.word(at:)) else {
            throw StepFailure(step: .readStack, errorNumber: EFAULT)
        }
        return stack
    }

    /// The new stack holds our placeholders where they were put, and no value anywhere.
    private func verify(
        _ stack: FreshStack, _ exec: ExecInFlight, _ tracee: Tracee
    ) throws(StepFailure) {
        try reach(.verifyPlaceholders)
        guard stack.environment.count == exec.entryCount else {
            throw StepFailure(step: .verifyPlaceholders, errorNumber: EPROTO)
        }
        let isClean = withWork { work in
            let scan = EnvironmentScan(
                tracee: tracee, values: values, retired: retired, area: nil, work: work)
            let placed = exec.fills.allSatisfy { fill in
                scan.isPlaceholder(of: fill.entry, at: stack.environment[fill.position])
            }
            guard placed, case .success(let plan) = scan.plan(array: stack.environmentSlots)
            else { return false }
            // An empty value is its own placeholder.
            return plan.fills.allSatisfy { values.isEmpty($0.entry) }
        }
        guard isClean else {
            throw StepFailure(step: .verifyPlaceholders, errorNumber: EPROTO)
        }
    }

    private func buildSpace(
        _ stack: FreshStack, _ exec: ExecInFlight, _ tracee: Tracee, _ registers: Registers
    ) throws(StepFailure) -> AddressSpace {
        guard let vdso = stack.vdso else {
            throw StepFailure(step: .readStack, errorNumber: ENOSYS)
        }
        let injection = Injection(
            tracee: tracee, base: registers, instruction: vdso + vdsoSystemCallOffset)
        let area = try reserveArea(injection)
        if !exec.fills.isEmpty {
            try mapValues(area, injection)
            try pointEnvironment(stack, exec, area, tracee)
            counters.splices += 1
            noteUnscanned(area, tracee, isTouched: touchIndex(area, injection))
        }
        try openScratch(area, injection)
        return AddressSpace(
            area: area, hasRegion: !exec.fills.isEmpty,
            systemCallInstruction: injection.instruction)
    }

    private func reserveArea(_ injection: Injection) throws(StepFailure) -> DeliveryArea {
        try reach(.reserveArea)
        let wanted = hub.areaBase
        // Before 4.17 the flag is unknown, and the address a wish.
        let placed = reserve(injection, at: wanted, Self.withoutReplacing)
        if placed >= 0 { return areaShape.moved(to: UInt64(placed)) }
        let base = placed == -Int(EEXIST) ? reserve(injection, at: 0, 0) : placed
        guard base >= 0 else {
            throw StepFailure(step: .reserveArea, errorNumber: Int32(-base))
        }
        return areaShape.moved(to: UInt64(base))
    }

    /// MAP_FIXED_NOREPLACE.
    private static let withoutReplacing: UInt64 = 0x10_0000

    private func reserve(_ injection: Injection, at address: UInt64, _ flags: UInt64) -> Int {
        inject(
            injection, Int(SystemCallNumber.mmap), address, areaShape.totalBytes,
            UInt64(PROT_NONE), UInt64(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE) | flags,
            UInt64.max, 0)
    }

    /// A page of secret memory gets into a process's page table when that process first touches it,
    /// and a scan sees only what is there. Each page of the index is touched by a call that copies
    /// from it: rt_sigprocmask(2), which changes nothing because its first argument is none.
    private func touchIndex(_ area: DeliveryArea, _ injection: Injection) -> Bool {
        stride(from: 0, to: values.index.count, by: Int(DeliveryArea.pageBytes)).allSatisfy {
            inject(
                injection, Int(SystemCallNumber.rtSigprocmask), Self.noSuchChange,
                area.region + UInt64($0), 0, UInt64(MemoryLayout<UInt64>.size)) == -Int(EINVAL)
        }
    }

    private static let noSuchChange: UInt64 = 99

    /// The image's index is where no scan looks, or cannot be seen there.
    private func noteUnscanned(_ area: DeliveryArea, _ tracee: Tracee, isTouched: Bool) {
        let isDisplaced = area.base != hub.areaBase
        if isDisplaced { counters.displacedAreas += 1 }
        guard !values.index.isEmpty, isDisplaced || !isTouched else { return }
        let cause = isDisplaced ? "the address of the index is taken" : "the index was not touched"
        report(
            "what process \(tracee.task) writes and sends is not scanned: \(cause) in its image")
    }

    /// Every area of this run, at address 0.
    var areaShape: DeliveryArea {
        DeliveryArea(
            base: 0, regionBytes: values.regionBytes,
            placeholderBytes: mark.byteCount + values.placeholderBlock.count,
            offsets: values.entries.map { UInt64($0.offset) })
    }

    private func mapValues(
        _ area: DeliveryArea, _ injection: Injection
    ) throws(StepFailure) {
        try reach(.createRegion)
        let region: DeliveryRegion
        switch DeliveryRegion.make(bytes: values.regionBytes, fill: values.fill) {
        case .success(let made): region = made
        case .failure(let failure):
            throw StepFailure(step: .createRegion, errorNumber: failure.errorNumber)
        }
        defer { close(region.descriptor) }
        let steps = RegionSteps(
            send: .sendDescriptor, map: .mapRegion, close: .closeDescriptor)
        try map(region, at: area.region, injection, steps)
    }

    /// Names of the steps of one hand-over.
    struct RegionSteps {
        let send: SpliceStep
        let map: SpliceStep
        let close: SpliceStep
    }

    /// Hands the region over and maps it at a fixed address of the task.
    func map(
        _ region: DeliveryRegion, at address: UInt64, _ injection: Injection,
        _ steps: RegionSteps, writable: Bool? = nil
    ) throws(StepFailure) {
        let descriptor = try take(steps.send) { handOver(region.descriptor, to: injection) }
        let isWritable = writable ?? !policy.readOnlyValues
        let protection = UInt64(isWritable ? PROT_READ | PROT_WRITE : PROT_READ)
        try take(steps.map) {
            inject(
                injection, Int(SystemCallNumber.mmap), address, UInt64(region.bytes),
                protection, UInt64(MAP_SHARED | MAP_FIXED), UInt64(descriptor), 0)
        }
        try take(steps.close) {
            inject(injection, Int(SystemCallNumber.close), UInt64(descriptor))
        }
    }

    private func openScratch(
        _ area: DeliveryArea, _ injection: Injection
    ) throws(StepFailure) {
        let length = area.temporary - area.placeholders
        try protect(.openScratch, injection, area.placeholders, length, PROT_READ | PROT_WRITE)
        try take(.writePlaceholders) {
            (mark.bytes(of: area) + values.placeholderBlock).withUnsafeBytes {
                injection.tracee.write(area.placeholders, $0)
            }
        }
        guard follow == .attached else { return }
        try take(.writeCopyCode) {
            CopyCode.bytes.withUnsafeBytes { injection.tracee.write(area.code, $0) }
        }
        try protect(
            .writeCopyCode, injection, area.code, DeliveryArea.pageBytes, PROT_READ | PROT_EXEC)
    }

    private func protect(
        _ step: SpliceStep, _ injection: Injection, _ address: UInt64, _ length: UInt64,
        _ protection: Int32
    ) throws(StepFailure) {
        try take(step) {
            inject(
                injection, Int(SystemCallNumber.mprotect), address, length, UInt64(protection))
        }
    }

    private func pointEnvironment(
        _ stack: FreshStack, _ exec: ExecInFlight, _ area: DeliveryArea, _ tracee: Tracee
    ) throws(StepFailure) {
        try reach(.pointEnvironment)
        for fill in exec.fills {
            let target = area.region + UInt64(values.entries[fill.entry].offset)
            let slot = stack.environmentSlots + UInt64(fill.position) * 8
            let poked = tracee.poke(slot, target)
            guard poked >= 0 else {
                throw StepFailure(step: .pointEnvironment, errorNumber: Int32(-poked))
            }
        }
    }
}

/// Copies a region to another inside a task, since nobody outside can read it.
enum CopyCode {
    /// `rep movsb; syscall`: rcx bytes from rsi to rdi, then the call in rax.
    static let bytes: [UInt8] = [0xf3, 0xa4, 0x0f, 0x05]
}

/// CLOCK_MONOTONIC, for counters only.
func monotonicMicroseconds() -> Int {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}
