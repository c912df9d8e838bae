// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
internal import Ports

/// Attached only: what becomes of the tasks that traced tasks create.
extension Supervisor {
    /// A traced task created another one.
    func recordCreation(by creator: pid_t, _ stop: Stop) {
        let tracee = Tracee(task: creator)
        var message: UInt = 0
        defer { _ = tracee.resume(signal: 0, toSystemCall: false) }
        guard tracee.eventMessage(into: &message) >= 0, let known = tasks[creator] else { return }
        let child = pid_t(message)
        let relation = Relation(flags: creationFlags(tracee), stop: stop)
        tasks[child] = TracedTask(
            machine: TaskStateMachine(phase: .created),
            process: relation.isThread ? known.process : child,
            space: relation.sharesMemory ? known.space : known.space.forked(), exec: nil)
        tasks[child]?.space.members.insert(child)
        if hub.early.remove(child) != nil { adopt(child) }
    }

    /// How a child relates to its creator.
    struct Relation: Equatable {
        let sharesMemory: Bool
        let isThread: Bool

        private static let sharesMemoryFlag: UInt64 = 0x100
        private static let threadFlag: UInt64 = 0x10000

        /// - Parameter flags: clone(2) flags; nil when the creator's memory cannot be read, and
        ///   the kind of event has to do.
        init(flags: UInt64?, stop: Stop) {
            sharesMemory =
                flags.map { $0 & Self.sharesMemoryFlag != 0 } ?? (stop != .fork)
            isThread = flags.map { $0 & Self.threadFlag != 0 } ?? (stop == .clone)
        }
    }

    private func creationFlags(_ tracee: Tracee) -> UInt64? {
        var registers = Registers()
        guard tracee.registers(into: &registers) >= 0 else { return nil }
        switch Int32(truncatingIfNeeded: registers.orig_rax) {
        case SystemCallNumber.fork: return 0
        case SystemCallNumber.vfork: return 0x4100
        case SystemCallNumber.clone: return registers.rdi
        case SystemCallNumber.clone3:
            var flags: UInt64 = 0
            let got = withUnsafeMutableBytes(of: &flags) { tracee.read(registers.rdi, into: $0) }
            return got == 8 ? flags : nil
        default: return nil
        }
    }

    /// A new task is stopped before its first instruction. A forked one gets a region of its
    /// own: memfd_secret mappings are shared, and fork's meaning is that memory is not.
    func adopt(_ task: pid_t) {
        guard let known = tasks[task] else {
            hub.early.insert(task)
            return
        }
        tasks[task]?.machine.adopted()
        let tracee = Tracee(task: task)
        do throws(StepFailure) {
            if known.process == task, known.space.members == [task], known.space.hasRegion {
                try separate(known.space, tracee)
            }
            resendDeferred(task)
            settleDumpable(known.space)
            try take(.resumeImage) { tracee.resume(signal: 0, toSystemCall: false) }
        } catch {
            // A thread that the exec of another one has ended takes nobody with it.
            if error.errorNumber != ESRCH { killProcess(of: task, because: error) }
        }
    }

    private func separate(_ space: AddressSpace, _ tracee: Tracee) throws(StepFailure) {
        guard let area = space.area else { return }
        var mask: UInt64?
        try hold(.holdSignals, tracee, &mask)
        var registers = Registers()
        try take(.forkReadRegisters) { tracee.registers(into: &registers) }
        let injection = Injection(
            tracee: tracee, base: registers, instruction: space.systemCallInstruction)
        try mapEmptyRegion(area, injection)
        // rep movsb, then mremap over the shared one: one call's stops.
        try take(.forkCopyValues) { copyRegion(area, injection) }
        try take(.forkRestoreRegisters) { tracee.setRegisters(registers) }
        if let mask { try take(.restoreSignals) { tracee.setSignalMask(mask) } }
        counters.forkedRegions += 1
    }

    /// A region without contents, at the slots' end for the moment.
    private func mapEmptyRegion(
        _ area: DeliveryArea, _ injection: Injection
    ) throws(StepFailure) {
        try reach(.forkCreateRegion)
        switch DeliveryRegion.make(bytes: Int(area.regionBytes), fill: { _ in }) {
        case .failure(let failure):
            throw StepFailure(step: .forkCreateRegion, errorNumber: failure.errorNumber)
        case .success(let region):
            defer { close(region.descriptor) }
            let steps = RegionSteps(
                send: .forkSendDescriptor, map: .forkMapRegion, close: .forkCloseDescriptor)
            try map(region, at: area.temporary, injection, steps, writable: true)
        }
    }

    /// Copies the values in the child, then moves the copy over the shared region.
    private func copyRegion(_ area: DeliveryArea, _ injection: Injection) -> Int {
        var registers = injection.base
        registers.rip = area.code
        (registers.rsi, registers.rdi) = (area.region, area.temporary)
        registers.rcx = area.regionBytes
        // The call after the copy is only there to stop at.
        registers.rax = UInt64(SystemCallNumber.getpid)
        registers.orig_rax = UInt64(bitPattern: -1)
        registers.eflags &= ~Self.directionFlag
        let set = injection.tracee.setRegisters(registers)
        guard set >= 0 else { return set }
        let entered = runToSystemCallStop(injection.tracee)
        guard entered >= 0 else { return entered }
        let left = runToSystemCallStop(injection.tracee)
        guard left >= 0 else { return left }
        return moveRegion(area, injection)
    }

    private static let directionFlag: UInt64 = 0x400

    private func moveRegion(_ area: DeliveryArea, _ injection: Injection) -> Int {
        let mayMoveToFixed: UInt64 = 3
        let moved = inject(
            injection, Int(SystemCallNumber.mremap), area.temporary, area.regionBytes,
            area.regionBytes, mayMoveToFixed, area.region)
        guard moved >= 0, policy.readOnlyValues else { return moved }
        return inject(
            injection, Int(SystemCallNumber.mprotect), area.region, area.regionBytes,
            UInt64(PROT_READ))
    }

    /// The task leaves this memory, by exec or by its end.
    func leaveRaised(_ leaving: TracedTask, _ task: pid_t) {
        if leaving.exec?.raisedDumpable == true { leaving.space.raisedCount -= 1 }
        if leaving.space.lowering == task { leaving.space.lowering = nil }
        settleDumpable(leaving.space)
    }

    /// A vfork or CLONE_VM child made the shared memory dumpable for its exec: after the last
    /// such exec, one who stays behind takes the flag back for all.
    func settleDumpable(_ space: AddressSpace) {
        guard space.isRaised, space.raisedCount == 0, space.lowering == nil else { return }
        let idle = space.members.first {
            tasks[$0]?.machine.phase == .running && tasks[$0]?.exec == nil
        }
        // Without one, every member is in an exec; the next to leave or to fail comes here.
        guard let idle, Tracee(task: idle).interrupt() >= 0 else { return }
        space.lowering = idle
    }

    /// The interrupted member stops. True when that was the interruption, and it went on.
    ///
    /// Any other stop uses the interruption up (ptrace_stop, kernel/signal.c): its fork tells of
    /// the child and then nobody would stop it for the flag.
    func continueLowering(_ space: AddressSpace, _ task: pid_t, _ stop: Stop) -> Bool {
        switch stop {
        case .trap, .groupStop:
            makeUndumpable(task, stop)
            return true
        case .fork, .vfork, .clone, .vforkDone, .signal, .unknown:
            // Before it goes on, so that it comes no further than to its next instruction.
            if Tracee(task: task).interrupt() < 0 { space.lowering = nil }
        case .seccomp, .systemCall, .exec, .exited, .killed:
            // Itself in an exec or gone: the next who can is asked.
            space.lowering = nil
        }
        return false
    }

    /// The interrupted member's stop: PR_SET_DUMPABLE 0, then on as if nothing had been.
    ///
    /// Its own call may have been interrupted. Whether that call restarts is the kernel's
    /// decision and depends on pending signals, so the task passes through a second stop, which
    /// is a group-stop again where this one was.
    private func makeUndumpable(_ task: pid_t, _ stop: Stop) {
        guard let known = tasks[task] else { return }
        let tracee = Tracee(task: task)
        known.space.lowering = nil
        do throws(StepFailure) {
            guard known.space.raisedCount == 0 else {
                // Another exec has begun meanwhile; its end comes back to this.
                try take(.resumeImage) {
                    stop == .trap
                        ? tracee.resume(signal: 0, toSystemCall: false) : tracee.listen()
                }
                return
            }
            var mask: UInt64?
            try hold(.holdSignals, tracee, &mask)
            var registers = Registers()
            try take(.readRegisters) { tracee.registers(into: &registers) }
            try lowerDumpable(tracee, known.space, registers)
            known.space.isRaised = false
            if let mask { try take(.restoreSignals) { tracee.setSignalMask(mask) } }
            resendDeferred(task)
            try take(.resumeImage) { tracee.interrupt() }
            try take(.resumeImage) { tracee.resume(signal: 0, toSystemCall: false) }
        } catch {
            giveUp(on: task, because: error)
        }
    }
}
