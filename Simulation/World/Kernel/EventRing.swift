// SPDX-License-Identifier: Apache-2.0
internal import Ports

/// The ring between loaded programs and whoever watches them: bounded, each report numbered,
/// losses counted, one report for each call however many programs answer it.
package struct EventRing: Sendable {
    /// A mistake of the programs, for tests of what watches them.
    package enum Fault: Sendable, CaseIterable {
        /// A call is answered and not reported.
        case forgets
        /// It is reported twice.
        case repeats
        /// What finds no room is not counted.
        case losesUncounted
    }

    /// Reports that a ring holds until they are taken.
    package static let capacityStandard = 256

    package var capacity = capacityStandard
    package var fault: Fault?
    /// Reports so far, lost ones too.
    package private(set) var reported: UInt64 = 0
    private var events: [KernelEvent] = []
    private var lostCount = 0
    /// The running call has been reported.
    private var isReported = false

    package init() {}

    mutating func beginCall() { isReported = false }

    mutating func report(
        _ type: KernelEventType, hook: String, by caller: ProcessID, on target: ProcessID?,
        isDenied: Bool
    ) {
        guard fault != .forgets else { return }
        guard !isReported else {
            if let last = events.indices.last, events[last].sequence + 1 == reported {
                events[last].isDenied = events[last].isDenied || isDenied
            }
            return
        }
        isReported = true
        let event = KernelEvent(
            sequence: reported, type: type, hook: hook, caller: caller, target: target,
            isDenied: isDenied)
        reported += 1
        for _ in 0..<(fault == .repeats ? 2 : 1) { enter(event) }
    }

    private mutating func enter(_ event: KernelEvent) {
        if events.count < capacity {
            events.append(event)
        } else if fault != .losesUncounted {
            lostCount += 1
        }
    }

    mutating func take() -> KernelEventBatch {
        defer { (events, lostCount) = ([], 0) }
        return KernelEventBatch(events: events, lostCount: lostCount)
    }
}
