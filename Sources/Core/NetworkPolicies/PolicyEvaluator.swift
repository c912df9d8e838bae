// SPDX-License-Identifier: Apache-2.0
package import Destinations
internal import KubernetesFormat

/// A pod as policies see it.
package struct NetworkPod: Sendable {
    package struct Port: Sendable {
        package let name: String
        package let transport: NetworkPolicy.TransportProtocol
        package let number: Int

        package init(name: String, transport: NetworkPolicy.TransportProtocol, number: Int) {
            self.name = name
            self.transport = transport
            self.number = number
        }
    }

    package let namespace: String
    package let namespaceLabels: [String: String]
    package let labels: [String: String]
    package let ports: [Port]

    package init(
        namespace: String, namespaceLabels: [String: String] = [:], labels: [String: String],
        ports: [Port] = []
    ) {
        self.namespace = namespace
        // The API server sets it on every namespace (since Kubernetes 1.21).
        self.namespaceLabels = namespaceLabels.merging(
            ["kubernetes.io/metadata.name": namespace]) { own, _ in own }
        self.labels = labels
        self.ports = ports
    }
}

/// The other end of a connection.
package enum NetworkPeer: Sendable {
    /// All addresses of a network outside the cluster.
    case addresses(NetworkPrefix)
    case pod(NetworkPod)
    /// Any pod there may be, in the subject's namespace or in any other.
    case anyPod(inOwnNamespace: Bool)
}

package struct NetworkPort: Sendable {
    package let transport: NetworkPolicy.TransportProtocol
    /// nil: all ports.
    package let number: Int?

    package init(_ transport: NetworkPolicy.TransportProtocol, _ number: Int?) {
        self.transport = transport
        self.number = number
    }
}

/// How much of what was asked about is meant.
package enum Extent: String, Sendable, Comparable {
    case none
    /// Some addresses, pods or ports of it.
    case part
    case all

    package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .none: 0
        case .part: 1
        case .all: 2
        }
    }
}

/// What the policies that were read allow. Whether anybody enforces them, the network plugin says.
package struct PolicyEvaluator: Sendable {
    package struct Verdict: Sendable, Equatable {
        package let allowed: Extent
        /// `namespace/name` of policies: those that allow it or, where nothing is allowed, those
        /// that select the pod. Empty: no policy selects it, and everything is allowed.
        package let policies: [String]

        package var isUnrestricted: Bool { policies.isEmpty }
    }

    private let policies: [String: [NetworkPolicy]]

    /// Their order does not count.
    package init(_ policies: [NetworkPolicy]) {
        self.policies = Dictionary(grouping: policies, by: \.namespace).mapValues { policies in
            policies.sorted { $0.name < $1.name }
        }
    }

    /// Policies that isolate the pod in a direction.
    package func selecting(
        _ pod: NetworkPod, _ direction: NetworkPolicy.Direction
    ) -> [NetworkPolicy] {
        (policies[pod.namespace] ?? []).filter {
            $0.directions.contains(direction) && $0.selector.matches(pod.labels)
        }
    }

    /// - Parameter known: networks that are not asked about, though the peer has them.
    package func verdict(
        _ direction: NetworkPolicy.Direction, of pod: NetworkPod, with peer: NetworkPeer,
        _ port: NetworkPort, beyond known: [NetworkPrefix] = []
    ) -> Verdict {
        let selecting = selecting(pod, direction)
        guard !selecting.isEmpty else { return Verdict(allowed: .all, policies: []) }
        let asked = AllowedRegion(
            addresses: Self.addresses(of: peer, beyond: known),
            ports: NumberRanges([port.number.map { $0...$0 } ?? 1...65_535]))
        // Named ports are those of the end that is connected to.
        let target = direction == .ingress ? pod : peer.pod
        let isKnown = direction == .ingress || !peer.isAnyPod
        var all: [AllowedRegion.Part] = []
        var names: [String] = []
        for policy in selecting {
            let parts = (policy.rules[direction] ?? []).map { rule in
                var part = part(of: rule.peers, peer, policy, pod, asked)
                let (ports, isVague) = Self.ports(
                    of: rule.ports, port, isKnown ? target?.ports ?? [] : nil)
                part.ports = ports.intersecting(asked.ports)
                let isSome = part.isVague || !part.addresses.isEmpty
                part.isVague = isSome && (isVague || part.isVague && !part.ports.isEmpty)
                return part
            }
            if parts.contains(where: { !$0.isEmpty }) {
                names.append("\(policy.namespace)/\(policy.name)")
            }
            all += parts
        }
        let allowed = asked.extent(of: all)
        return Verdict(
            allowed: allowed,
            policies: allowed == .none
                ? selecting.map { "\($0.namespace)/\($0.name)" } : names)
    }

    /// Of pods, which have no address here: one that stands for all.
    private static func addresses(
        of peer: NetworkPeer, beyond known: [NetworkPrefix]
    ) -> NumberRanges<UInt128> {
        guard case .addresses(let prefix) = peer else { return NumberRanges([0...0]) }
        let others = known.filter { $0.family == prefix.family }.map(\.range)
        return NumberRanges([prefix.range]).subtracting(NumberRanges(others))
    }

    /// The peers of a rule, without its ports.
    private func part(
        of peers: [NetworkPolicy.Peer], _ other: NetworkPeer, _ policy: NetworkPolicy,
        _ pod: NetworkPod, _ asked: AllowedRegion
    ) -> AllowedRegion.Part {
        var part = AllowedRegion.Part(addresses: NumberRanges([]), ports: asked.ports)
        guard !peers.isEmpty else {
            part.addresses = asked.addresses
            return part
        }
        var ranges: [ClosedRange<UInt128>] = []
        for peer in peers {
            switch (peer, other) {
            case (.block(let block, let except), .addresses(let prefix)):
                guard block.family == prefix.family else { continue }
                let holes = except.filter { $0.family == block.family }.map(\.range)
                ranges += NumberRanges([block.range]).subtracting(NumberRanges(holes)).ranges
            // A block is about addresses outside the cluster. Of one with all addresses, plugins
            // differ in whether those of pods are among them.
            case (.block(let block, _), .pod), (.block(let block, _), .anyPod):
                if block.length == 0 { part.isVague = true }
            case (.pods, .addresses): continue
            case (.pods(let namespaces, let pods), _):
                switch Self.extent(of: namespaces, pods, other, policy, pod) {
                case .all: ranges += asked.addresses.ranges
                case .part: part.isVague = true
                case .none: continue
                }
            }
        }
        part.addresses = NumberRanges(ranges).intersecting(asked.addresses)
        // What it surely allows is more than what it may.
        if part.addresses == asked.addresses { part.isVague = false }
        return part
    }

    private static func extent(
        of namespaces: LabelSelector?, _ pods: LabelSelector, _ other: NetworkPeer,
        _ policy: NetworkPolicy, _ subject: NetworkPod
    ) -> Extent {
        switch other {
        case .addresses: return .none
        case .pod(let other):
            let isThere =
                namespaces?.matches(other.namespaceLabels) ?? (other.namespace == policy.namespace)
            return isThere && pods.matches(other.labels) ? .all : .none
        case .anyPod(let isOwn):
            guard let namespaces else {
                return !isOwn ? .none : pods.requirements.isEmpty ? .all : .part
            }
            if isOwn, !namespaces.matches(subject.namespaceLabels) { return .none }
            let isOpen = pods.requirements.isEmpty && (isOwn || namespaces.requirements.isEmpty)
            return isOpen ? .all : .part
        }
    }

    /// - Parameter target: ports of the end that is connected to; nil: not known.
    /// - Returns: and whether there may be more of them.
    private static func ports(
        of ports: [NetworkPolicy.Port], _ wanted: NetworkPort, _ target: [NetworkPod.Port]?
    ) -> (NumberRanges<Int>, isVague: Bool) {
        guard !ports.isEmpty else { return (NumberRanges([1...65_535]), false) }
        var ranges: [ClosedRange<Int>] = []
        var isVague = false
        for port in ports where port.transport == wanted.transport {
            switch port.number {
            case nil: ranges.append(1...65_535)
            case .range(let range)?: ranges.append(range)
            case .name(let name)?:
                guard let target else {
                    isVague = true
                    continue
                }
                ranges += target.filter { $0.name == name && $0.transport == port.transport }
                    .map { $0.number...$0.number }
            }
        }
        return (NumberRanges(ranges), isVague)
    }
}

extension NetworkPeer {
    fileprivate var pod: NetworkPod? {
        guard case .pod(let pod) = self else { return nil }
        return pod
    }

    fileprivate var isAnyPod: Bool {
        guard case .anyPod = self else { return false }
        return true
    }
}

extension NetworkPrefix {
    /// Whether every address of the other is one of these.
    package func contains(_ other: NetworkPrefix) -> Bool {
        family == other.family && length <= other.length && other.masked(to: length) == bytes
    }

    package func overlaps(_ other: NetworkPrefix) -> Bool {
        contains(other) || other.contains(self)
    }

    private func masked(to length: Int) -> [UInt8] {
        bytes.enumerated().map { index, byte in
            let kept = min(max(length - 8 * index, 0), 8)
            return byte & UInt8(truncatingIfNeeded: 0xff00 >> kept)
        }
    }
}
