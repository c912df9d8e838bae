// SPDX-License-Identifier: Apache-2.0

/// What a client meets that calls an address.
package enum NetworkRoute: Sendable, Equatable {
    /// Somebody answers, after this time for one way. TLS shows who: the identity is the name
    /// that its certificate proves, and not always the one that was called.
    case reached(identity: String, latency: Duration)
    /// Nobody answers: packets are lost in a partition.
    case lost
    /// The address refuses: nothing listens there.
    case refused
    /// The connection breaks after the request went out: whether it was served is unknown.
    case reset(identity: String, latency: Duration)
}

/// Who can reach whom, how fast, and who answers there.
///
/// Fault classes: `network.lost`, `network.refused`, `network.reset`, `network.slow`. Latencies
/// are drawn with the label `network`, in milliseconds.
package final class SimulatedNetwork: @unchecked Sendable {
    private struct Pair: Hashable {
        let left: String
        let right: String

        init(_ one: String, _ other: String) {
            (left, right) = one < other ? (one, other) : (other, one)
        }
    }

    /// One way, milliseconds.
    package var latencyMilliseconds = 1...20
    /// One way when `network.slow` fires, milliseconds.
    package var slowMilliseconds = 500...30_000
    private var identities: [String: String] = [:]
    private var partitions: Set<Pair> = []
    private let choices: Choices
    private let faults: FaultPlan
    private let log: EventLog

    init(choices: Choices, faults: FaultPlan, log: EventLog) {
        self.choices = choices
        self.faults = faults
        self.log = log
    }

    /// From now on `identity` answers at `address`; nil: nothing listens. Somebody else's identity
    /// is an impostor.
    package func listen(at address: String, as identity: String?) {
        identities[address] = identity
        log.add(.network, "\(address) is \(identity ?? "nobody")")
    }

    /// Packets between the two are lost until `heal`.
    package func partition(_ one: String, _ other: String) {
        guard partitions.insert(Pair(one, other)).inserted else { return }
        log.add(.network, "partition \(one) | \(other)")
    }

    package func heal(_ one: String, _ other: String) {
        guard partitions.remove(Pair(one, other)) != nil else { return }
        log.add(.network, "healed \(one) | \(other)")
    }

    package func healAll() {
        guard !partitions.isEmpty else { return }
        partitions = []
        log.add(.network, "healed")
    }

    package func isPartitioned(_ one: String, _ other: String) -> Bool {
        partitions.contains(Pair(one, other))
    }

    /// What a call from a component to an address meets now.
    package func route(from component: String, to address: String) -> NetworkRoute {
        guard !isPartitioned(component, address), !faults.fires("network.lost", site: address)
        else { return .lost }
        guard let identity = identities[address], !faults.fires("network.refused", site: address)
        else { return .refused }
        let isSlow = faults.fires("network.slow", site: address)
        let range = isSlow ? slowMilliseconds : latencyMilliseconds
        let latency = Duration.milliseconds(choices.draw(in: range, label: "network"))
        return faults.fires("network.reset", site: address)
            ? .reset(identity: identity, latency: latency)
            : .reached(identity: identity, latency: latency)
    }
}
