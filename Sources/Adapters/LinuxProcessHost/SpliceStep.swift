// SPDX-License-Identifier: Apache-2.0
import Glibc
internal import Ports

/// Every step of a delivery that can fail, in the order they are taken.
///
/// The raw value names the step in `ProcessHostFailure.deliveryFailed`, in messages and on the
/// command line of delivery-harness.
package enum SpliceStep: String, Sendable, CaseIterable {
    // The first program.
    case startChild = "start-child"
    case seizeChild = "seize-child"
    case receiveListener = "receive-listener"
    case releaseChild = "release-child"
    // The entry of an exec, still in the old image.
    case seizeCaller = "seize-caller"
    case interruptCaller = "interrupt-caller"
    case holdCallerSignals = "hold-caller-signals"
    case readCallerRegisters = "read-caller-registers"
    case findArea = "find-area"
    case raiseDumpable = "raise-dumpable"
    case readEnvironment = "read-environment"
    case writePrivateArray = "write-private-array"
    case setEnvironmentRegister = "set-environment-register"
    case resumeExec = "resume-exec"
    case continueExec = "continue-exec"
    // The new image, before its first instruction.
    case holdSignals = "hold-signals"
    case reachExecExit = "reach-exec-exit"
    case readRegisters = "read-registers"
    case checkArchitecture = "check-architecture"
    case readStack = "read-stack"
    case verifyPlaceholders = "verify-placeholders"
    case reserveArea = "reserve-area"
    case createRegion = "create-region"
    case sendDescriptor = "send-descriptor"
    case mapRegion = "map-region"
    case closeDescriptor = "close-descriptor"
    case openScratch = "open-scratch"
    case writePlaceholders = "write-placeholders"
    case writeCopyCode = "write-copy-code"
    case pointEnvironment = "point-environment"
    case setUndumpable = "set-undumpable"
    case restoreRegisters = "restore-registers"
    case restoreSignals = "restore-signals"
    case resumeImage = "resume-image"
    // A forked child that must not share its parent's region (attached).
    case forkReadRegisters = "fork-read-registers"
    case forkCreateRegion = "fork-create-region"
    case forkSendDescriptor = "fork-send-descriptor"
    case forkMapRegion = "fork-map-region"
    case forkCloseDescriptor = "fork-close-descriptor"
    case forkCopyValues = "fork-copy-values"
    case forkRestoreRegisters = "fork-restore-registers"
    // An exec that the kernel refused.
    case restoreEnvironmentRegister = "restore-environment-register"
}

/// A step that failed, and the errno of the call that refused.
struct StepFailure: Error, Equatable {
    let step: SpliceStep
    let errorNumber: Int32

    /// The budget of locked memory is used up: the wrapper's (ENOMEM, EAGAIN), or that of the
    /// process which the region is mapped into.
    var isMemoryExhausted: Bool {
        let steps: [SpliceStep] = [.createRegion, .mapRegion, .forkCreateRegion, .forkMapRegion]
        return steps.contains(step) && [ENOMEM, EAGAIN].contains(errorNumber)
    }

    func delivery(to process: pid_t) -> FailedDelivery {
        FailedDelivery(
            process: process, step: step.rawValue, errorNumber: errorNumber,
            isMemoryExhausted: isMemoryExhausted)
    }

    /// Of the program itself.
    func hostFailure(regionBytes: Int) -> ProcessHostFailure {
        guard isMemoryExhausted else {
            return .deliveryFailed(step: step.rawValue, errorNumber: errorNumber)
        }
        return RegionFailure(errorNumber: errorNumber).hostFailure(bytes: regionBytes)
    }
}

/// A fault to inject, for tests: production code passes none.
package struct DeliveryFault: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// The step fails with EIO, without having been taken.
        case fail
        /// The supervisor kills itself (SIGKILL) before the step is taken.
        case die
        /// The supervisor stops itself (SIGSTOP) before the step is taken, as a frozen cgroup
        /// would have it, and goes on at SIGCONT.
        case stop
    }

    package let step: SpliceStep
    package let kind: Kind
    /// Which arrival at the step is meant, counted from 1.
    package let occurrence: Int

    package init(step: SpliceStep, kind: Kind, occurrence: Int = 1) {
        self.step = step
        self.kind = kind
        self.occurrence = occurrence
    }
}

/// Counts the arrivals at each step and says when a fault is due.
struct FaultCounter {
    let faults: [DeliveryFault]
    private var arrivals: [SpliceStep: Int] = [:]

    init(faults: [DeliveryFault]) { self.faults = faults }

    /// The fault due at this arrival, nil in production.
    mutating func arrive(at step: SpliceStep) -> DeliveryFault.Kind? {
        guard !faults.isEmpty else { return nil }
        arrivals[step, default: 0] += 1
        let arrival = arrivals[step]
        return faults.first { $0.step == step && $0.occurrence == arrival }?.kind
    }
}
