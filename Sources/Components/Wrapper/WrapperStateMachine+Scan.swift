// SPDX-License-Identifier: Apache-2.0
internal import Delivery
internal import Ports
internal import WrapperConfiguration

// MARK: - The agent's look at what the program writes and sends

extension WrapperStateMachine {
    mutating func prepareStart() -> Action {
        guard scans else { return start() }
        backoff = Backoff()
        return scan()
    }

    mutating func scan() -> Action {
        state = .scanning
        return .scan
    }

    mutating func unscanned(
        _ stop: WrapperStop, isTransient: Bool, _ moment: Moment
    ) -> Action {
        guard plan.agent == .required else {
            tellUnscanned(stop)
            return start()
        }
        let time = moment.now.advanced(by: backoff.next(chance: moment.chance))
        guard isTransient, time <= fetchDeadline else { return begin(ending: stop, moment) }
        tell(.warning, "scan_retry", "\(stop.cause); trying again")
        state = .pausing(again: .scan)
        return .wait(until: time)
    }

    mutating func tellUnscanned(_ stop: WrapperStop) {
        tell(
            .warning, "output_not_scanned",
            "\(stop.cause); what the program writes and sends is not scanned for these values"
                + " (CLOUDTASER_AGENT=preferred)")
    }

    /// Said once: it stays so for the run.
    mutating func settleScan(_ registration: NodeRegistration) {
        scans = registration.canScan && plan.delivery == .splice
        guard !scans else { return }
        let cause =
            registration.canScan
            ? "delivery \(plan.delivery.rawValue) leaves no index in the program"
            : "this node's agent cannot scan"
        tell(
            registration.canScan ? .notice : .warning, "output_not_scanned",
            "\(cause): what the program writes and sends is not scanned for its secrets")
    }
}
