// SPDX-License-Identifier: Apache-2.0
package import Ports

/// The vault gave somebody a lease.
package struct LeaseIssued: SimulationFact {
    package let lease: String
    /// The component that has to look after it.
    package let holder: String
    /// nil: it does not end.
    package let expires: MonotonicTime?

    package init(_ lease: String, holder: String, expires: MonotonicTime?) {
        self.lease = lease
        self.holder = holder
        self.expires = expires
    }

    package var summary: String? {
        "\(lease) of \(holder) until \(expires?.seconds ?? "for ever")"
    }
}

package struct LeaseRenewed: SimulationFact {
    package let lease: String
    package let expires: MonotonicTime?

    package init(_ lease: String, expires: MonotonicTime?) {
        self.lease = lease
        self.expires = expires
    }

    package var summary: String? { "\(lease) until \(expires?.seconds ?? "for ever")" }
}

package struct LeaseRevoked: SimulationFact {
    package let lease: String
    package init(_ lease: String) { self.lease = lease }
    package var summary: String? { lease }
}

/// Somebody used what the lease is for.
package struct LeaseUsed: SimulationFact {
    package let lease: String
    package init(_ lease: String) { self.lease = lease }
    package var summary: String? { lease }
}

/// An operator was told that a lease is left open, or that it could not be kept.
package struct LeaseReported: SimulationFact {
    package let lease: String
    package init(_ lease: String) { self.lease = lease }
    package var summary: String? { lease }
}

/// A holder is gone: orderly, having cleaned up, or crashed. For a holder that is a component the
/// engine reports the crash.
package struct HolderEnded: SimulationFact {
    package let holder: String
    package let isOrderly: Bool

    package init(_ holder: String, isOrderly: Bool) {
        self.holder = holder
        self.isOrderly = isOrderly
    }

    package var summary: String? { "\(holder) \(isOrderly ? "in good order" : "by a crash")" }
}

/// No lease is used after its end, and none is forgotten: each is renewed, revoked, reported or
/// has expired by the end.
///
/// - After a holder's orderly end none of its leases is left open without a report.
/// - A lease that ran out while its holder ran was reported, `silentExpiryMax` later at most.
/// - A crash leaves leases that end on their own; one that never ends must have been reported.
package final class LeaseOracle: Oracle {
    private struct State {
        let holder: String
        var expires: MonotonicTime?
        var isRevoked = false
        var isReported = false
        var holderEnded: MonotonicTime?
        var holderCrashed = false
    }

    package let name = "lease-safety"
    /// How long a lease may have been over before its holder's operator knows; nil: never judged.
    package var silentExpiryMax: Duration? = .seconds(300)
    private var leases: [String: State] = [:]
    private var order: [String] = []
    private weak var registry: OracleRegistry?

    package init() {}

    package func subscribe(to registry: OracleRegistry) {
        self.registry = registry
        registry.on(LeaseIssued.self) { [self] issued in
            if leases[issued.lease] == nil { order.append(issued.lease) }
            leases[issued.lease] = State(holder: issued.holder, expires: issued.expires)
        }
        registry.on(LeaseRenewed.self) { [self, unowned registry] renewed in
            guard let end = ending(of: renewed.lease) else {
                leases[renewed.lease]?.expires = renewed.expires
                return
            }
            registry.report(name, "\(renewed.lease) was renewed though \(end)")
        }
        registry.on(LeaseUsed.self) { [self, unowned registry] used in
            guard let end = ending(of: used.lease) else { return }
            registry.report(name, "\(used.lease) was used though \(end)")
        }
        registry.on(LeaseRevoked.self) { [self] in leases[$0.lease]?.isRevoked = true }
        registry.on(LeaseReported.self) { [self] in leases[$0.lease]?.isReported = true }
        registry.on(HolderEnded.self) { [self] in judge($0) }
        registry.on(ComponentCrashed.self) { [self] in
            judge(HolderEnded($0.component, isOrderly: false))
        }
    }

    /// Why the lease is no longer good; nil when it is.
    private func ending(of lease: String) -> String? {
        guard let registry, let state = leases[lease] else { return "it was never issued" }
        if state.isRevoked { return "it is revoked" }
        guard let expires = state.expires, expires < registry.now else { return nil }
        return "it expired at \(expires.seconds)"
    }

    private func judge(_ end: HolderEnded) {
        guard let registry else { return }
        for lease in order {
            guard let state = leases[lease], state.holder == end.holder, state.holderEnded == nil
            else { continue }
            leases[lease]?.holderEnded = registry.now
            leases[lease]?.holderCrashed = !end.isOrderly
            guard end.isOrderly, ending(of: lease) == nil, !state.isReported else { continue }
            registry.report(name, "\(end.holder) ended and left \(lease) open without a word")
        }
    }

    package func finish() {
        guard let registry else { return }
        for lease in order {
            guard let state = leases[lease], !state.isRevoked, !state.isReported else { continue }
            if state.holderCrashed, state.expires == nil {
                registry.report(name, "\(lease) never ends, and its holder crashed")
            }
            guard let silentExpiryMax, let expires = state.expires else { continue }
            let known = state.holderEnded ?? registry.now
            if known > expires.advanced(by: silentExpiryMax) {
                registry.report(
                    name,
                    "\(lease) ran out at \(expires.seconds) under \(state.holder), and "
                        + "nobody was told")
            }
        }
    }
}
