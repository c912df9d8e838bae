// SPDX-License-Identifier: Apache-2.0
import CLinux
internal import Delivery
import Glibc

extension Supervisor {
    /// An exec is about to happen: replaces the delivered values in its environment by empty
    /// placeholders, in an array of our own, and lets it through.
    ///
    /// Nothing the caller can see is written: a vfork child's array is its parent's `environ`.
    func prepareExec(_ task: pid_t) {
        do throws(StepFailure) {
            try prepare(task)
        } catch {
            giveUp(on: task, because: error)
        }
    }

    private func prepare(_ task: pid_t) throws(StepFailure) {
        guard let known = tasks[task] else { return }
        let tracee = Tracee(task: task)
        var exec = known.exec ?? ExecInFlight(fills: [], entryCount: 0)
        var registers = Registers()
        try take(.readCallerRegisters) { tracee.registers(into: &registers) }
        if follow != .attached {
            guard isRestartingExec(registers) else {
                try letGo(task, tracee)
                return
            }
            if exec.heldMask == nil { try hold(.holdCallerSignals, tracee, &exec.heldMask) }
        }
        let area = try findArea(of: task, tracee)
        exec.isExecveat = registers.orig_rax == UInt64(SystemCallNumber.execveat)
        exec.callersArray = exec.isExecveat ? registers.r10 : registers.rdx
        tasks[task]?.exec = exec
        try reach(.readEnvironment)
        let scanned = withWork { work in
            EnvironmentScan(
                tracee: tracee, values: values, retired: retired, area: area, work: work
            ).plan(array: exec.callersArray)
        }
        switch scanned {
        case .success(let plan):
            try letThrough(task, tracee, registers, plan)
        case .failure(let failure):
            try handleUnreadable(task, tracee, registers, failure.errorNumber)
        }
    }

    /// Under `notified` nothing is known of a task before its exec.
    private func findArea(
        of task: pid_t, _ tracee: Tracee
    ) throws(StepFailure) -> DeliveryArea? {
        guard let known = tasks[task] else { return nil }
        guard follow != .attached, known.space === setUpSpace else { return known.space.area }
        try reach(.findArea)
        let area = mark.findArea(of: tracee, shape: areaShape)
        tasks[task]?.space = AddressSpace(
            area: area, hasRegion: area != nil, systemCallInstruction: 0, slots: treeSlots)
        return area
    }

    private func letThrough(
        _ task: pid_t, _ tracee: Tracee, _ registers: Registers, _ plan: EnvironmentPlan
    ) throws(StepFailure) {
        guard let known = tasks[task], var exec = known.exec else { return }
        exec.fills = plan.fills
        exec.entryCount = plan.pointers.count
        if plan.needsPrivateArray {
            guard let area = known.space.area else {
                throw StepFailure(step: .writePrivateArray, errorNumber: ENXIO)
            }
            guard let slot = known.space.slots.take() else {
                known.space.slots.waiting.append(task)
                return
            }
            exec.slot = slot
            tasks[task]?.exec = exec
            try writeArray(plan, to: area, slot: slot, tracee)
            var changed = registers
            if exec.isExecveat {
                changed.r10 = area.slot(slot)
            } else {
                changed.rdx = area.slot(slot)
            }
            try take(.setEnvironmentRegister) { tracee.setRegisters(changed) }
        }
        tasks[task]?.exec = exec
        tasks[task]?.machine.execPrepared(restarts: follow != .attached)
        try take(.resumeExec) { tracee.resume(signal: 0, toSystemCall: true) }
    }

    private func writeArray(
        _ plan: EnvironmentPlan, to area: DeliveryArea, slot: Int, _ tracee: Tracee
    ) throws(StepFailure) {
        guard plan.pointers.count < DeliveryArea.slotEntriesMax else {
            throw StepFailure(step: .writePrivateArray, errorNumber: E2BIG)
        }
        var array = plan.pointers + [0]
        for fill in plan.fills {
            let offset = values.entries[fill.entry].placeholderOffset
            array[fill.position] = area.placeholders + UInt64(mark.byteCount + offset)
        }
        try take(.writePrivateArray) {
            array.withUnsafeBytes { tracee.write(area.slot(slot), $0) }
        }
    }

    /// The array could not be read: the kernel would say EFAULT or E2BIG too, or the image is
    /// not dumpable and this supervisor not privileged.
    private func handleUnreadable(
        _ task: pid_t, _ tracee: Tracee, _ registers: Registers, _ number: Int32
    ) throws(StepFailure) {
        switch number {
        case EPERM where tasks[task]?.exec?.raisedDumpable == false && follow == .attached:
            try raiseDumpable(task, tracee, registers)
        case EFAULT, E2BIG:
            try refuseExec(task, tracee, registers, number)
        default:
            throw StepFailure(step: .readEnvironment, errorNumber: number)
        }
    }

    /// Answers the exec with an error, as the kernel would.
    private func refuseExec(
        _ task: pid_t, _ tracee: Tracee, _ registers: Registers, _ number: Int32
    ) throws(StepFailure) {
        var changed = registers
        changed.orig_rax = UInt64(bitPattern: -1)
        changed.rax = UInt64(bitPattern: -Int64(number))
        try take(.setEnvironmentRegister) { tracee.setRegisters(changed) }
        counters.failedExecs += 1
        try finishExec(task, tracee)
    }

    /// Turns the exec into prctl(PR_SET_DUMPABLE, 1), by registers only, then issues it again.
    private func raiseDumpable(
        _ task: pid_t, _ tracee: Tracee, _ registers: Registers
    ) throws(StepFailure) {
        var changed = registers
        changed.orig_rax = UInt64(SystemCallNumber.prctl)
        (changed.rdi, changed.rsi, changed.rdx) = (UInt64(PR_SET_DUMPABLE), 1, 0)
        (changed.r10, changed.r8) = (0, 0)
        // Booked first: who shares the memory stays behind when a step fails.
        tasks[task]?.exec?.raisedDumpable = true
        tasks[task]?.space.raisedCount += 1
        tasks[task]?.space.isRaised = true
        try take(.raiseDumpable) {
            let set = tracee.setRegisters(changed)
            return set < 0 ? set : runToSystemCallStop(tracee)
        }
        var left = Registers()
        try take(.raiseDumpable) { tracee.registers(into: &left) }
        // Another thread's new image, in the leader's place, comes out of an exec.
        guard left.orig_rax == changed.orig_rax else {
            throw StepFailure(step: .raiseDumpable, errorNumber: EPROTO)
        }
        var again = registers
        // Back onto the two bytes of the syscall instruction.
        again.rip -= 2
        again.rax = registers.orig_rax
        again.orig_rax = UInt64(bitPattern: -1)
        try take(.raiseDumpable) { tracee.setRegisters(again) }
        try take(.resumeExec) { tracee.resume(signal: 0, toSystemCall: false) }
    }

    /// The kernel refused the exec: the caller goes on with its own registers.
    func execFailed(_ task: pid_t) {
        let tracee = Tracee(task: task)
        do throws(StepFailure) {
            guard let known = tasks[task], let exec = known.exec else { return }
            counters.failedExecs += 1
            var registers = Registers()
            try take(.restoreEnvironmentRegister) { tracee.registers(into: &registers) }
            // The image of another thread may be here instead, in the place of a leader that it
            // has ended: without values, and its stop passed over.
            guard (-4095 ... -1).contains(Int64(bitPattern: registers.rax)) else {
                throw StepFailure(step: .restoreEnvironmentRegister, errorNumber: EPROTO)
            }
            if exec.isExecveat {
                registers.r10 = exec.callersArray
            } else if !exec.isLaunch {
                registers.rdx = exec.callersArray
            }
            try take(.restoreEnvironmentRegister) { tracee.setRegisters(registers) }
            if exec.raisedDumpable {
                tasks[task]?.exec?.raisedDumpable = false
                known.space.raisedCount -= 1
            }
            if known.space.isRaised, known.space.raisedCount == 0 {
                try lowerDumpable(tracee, known.space, registers)
                known.space.isRaised = false
            }
            try finishExec(task, tracee)
        } catch {
            giveUp(on: task, because: error)
        }
    }

    /// Undoes `raiseDumpable` at a system call's exit.
    func lowerDumpable(
        _ tracee: Tracee, _ space: AddressSpace, _ registers: Registers
    ) throws(StepFailure) {
        let injection = Injection(
            tracee: tracee, base: registers, instruction: space.systemCallInstruction)
        try take(.setUndumpable) {
            inject(injection, Int(SystemCallNumber.prctl), UInt64(PR_SET_DUMPABLE), 0)
        }
        try take(.restoreRegisters) { tracee.setRegisters(registers) }
    }

    /// The exec is over without a new image.
    private func finishExec(_ task: pid_t, _ tracee: Tracee) throws(StepFailure) {
        guard let known = tasks[task] else { return }
        releaseSlot(of: known)
        tasks[task]?.exec = nil
        tasks[task]?.machine.execEnded()
        if known.exec?.raisedDumpable == true { known.space.raisedCount -= 1 }
        settleDumpable(known.space)
        if let mask = known.exec?.heldMask {
            try take(.restoreSignals) { tracee.setSignalMask(mask) }
        }
        try letGo(task, tracee)
    }

    /// Gives the slot to the next exec that waits for one, and still needs it.
    func releaseSlot(of task: TracedTask) {
        guard let slot = task.exec?.slot else { return }
        task.space.slots.giveBack(slot)
        while let next = task.space.slots.nextWaiting() { prepareExec(next) }
    }

    /// Back to its own: traced on (attached), or not at all.
    func letGo(_ task: pid_t, _ tracee: Tracee) throws(StepFailure) {
        resendDeferred(task)
        guard follow != .attached else {
            try take(.resumeImage) { tracee.resume(signal: 0, toSystemCall: false) }
            return
        }
        try take(.resumeImage) { tracee.detach() }
        forget(task)
    }

    /// Sends again what was taken from the task during a delivery: SIGSTOP alone passes a held
    /// mask. A SIGCONT that came after it has taken it back.
    func resendDeferred(_ task: pid_t) {
        guard let signals = deferredSignals.removeValue(forKey: task) else { return }
        guard !ProcessStatus.isPending(SIGCONT, of: task) else { return }
        for signal in signals {
            _ = clinux_tgkill(tasks[task]?.process ?? task, task, signal)
        }
    }

    /// Blocks every signal of the task, and remembers what was blocked.
    func hold(
        _ step: SpliceStep, _ tracee: Tracee, _ mask: inout UInt64?
    ) throws(StepFailure) {
        var before: UInt64 = 0
        try take(step) { tracee.signalMask(into: &before) }
        try take(step) { tracee.setSignalMask(UInt64.max) }
        mask = before
    }
}
