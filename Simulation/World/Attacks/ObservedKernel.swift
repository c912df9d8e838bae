// SPDX-License-Identifier: Apache-2.0
package import Ports

/// A kernel under observation while an attack is played: what left for an attacker, and which
/// calls loaded programs have to tell of.
package struct ObservedKernel: Kernel {
    /// A call that a loaded program answered or should have answered.
    package struct HandledCall: Sendable, Equatable {
        /// Number of the program's report, nil when there was none.
        package let report: UInt64?
    }

    package private(set) var kernel: SimulatedKernel
    /// Whatever callers outside the application got, and whatever it sent out.
    package private(set) var haul: [UInt8] = []
    package private(set) var handled: [HandledCall] = []
    /// A call was made whose purpose is the end of a process.
    package private(set) var isLethal = false
    private let outsiders: Set<ProcessID>
    private let isArmed: Bool

    /// - Parameter isArmed: programs watch, so that calls they have a say in are to be reported.
    package init(_ kernel: SimulatedKernel, outsiders: Set<ProcessID>, isArmed: Bool) {
        self.kernel = kernel
        self.outsiders = outsiders
        self.isArmed = isArmed
    }

    package var features: KernelFeatures { kernel.features }
    package var processes: [ProcessRecord] { kernel.processes }

    package func regions(of id: ProcessID) throws(KernelFailure) -> [MemoryRegion] {
        try kernel.regions(of: id)
    }

    package mutating func attempt(
        _ call: SystemCall, by caller: ProcessID
    ) throws(KernelFailure) -> KernelAnswer {
        let isCovered = isArmed && kernel.isCovered(call, by: caller)
        let before = kernel.reports.reported
        defer {
            if kernel.reports.reported > before {
                handled.append(HandledCall(report: before))
            } else if isCovered {
                handled.append(HandledCall(report: nil))
            }
        }
        isLethal = isLethal || call.isLethal
        let answer = try kernel.attempt(call, by: caller)
        if case .bytes(let bytes) = answer, call.isSending || outsiders.contains(caller) {
            haul += bytes
        }
        return answer
    }

    package mutating func takeEvents() -> KernelEventBatch { kernel.takeEvents() }
}

extension SystemCall {
    fileprivate var isLethal: Bool {
        switch self {
        case .killForCore, .exit, .compatibilityCall: true
        default: false
        }
    }

    fileprivate var isSending: Bool {
        switch self {
        case .send, .sendPages: true
        default: false
        }
    }
}
