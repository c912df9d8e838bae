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

    package let policies: [NetworkPolicy]

    /// Their order does not count.
    package init(_ policies: [NetworkPolicy]) {
        self.policies = policies.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
    }

    /// Policies that isolate the pod in a direction.
    package func selecting(
        _ pod: NetworkPod, _ direction: NetworkPolicy.Direction
    ) -> [NetworkPolicy] {
        policies.filter {
            $0.namespace == pod.namespace && $0.directions.contains(direction)
                && $0.selector.matches(pod.labels)
        }
    }

    /// - Parameter known: networks that do not count where a rule allows no more than them.
    package func verdict(
        _ direction: NetworkPolicy.Direction, of pod: NetworkPod, with peer: NetworkPeer,
        _ port: NetworkPort, beyond known: [NetworkPrefix] = []
    ) -> Verdict {
        let selecting = selecting(pod, direction)
        guard !selecting.isEmpty else { return Verdict(allowed: .all, policies: []) }
        var allowed = Extent.none
        var names: [String] = []
        for policy in selecting {
            let rules = policy.rules[direction] ?? []
            let extents = rules.map { rule -> Extent in
                let peers = extent(of: rule.peers, peer, policy, pod, known)
                // Named ports are those of the end that is connected to.
                let ports =
                    direction == .ingress
                    ? extent(of: rule.ports, port, pod, isKnown: true)
                    : extent(of: rule.ports, port, peer.pod, isKnown: !peer.isAnyPod)
                return min(peers, ports)
            }
            let most = extents.max() ?? .none
            if most > .none { names.append("\(policy.namespace)/\(policy.name)") }
            allowed = max(allowed, most)
        }
        return Verdict(
            allowed: allowed,
            policies: allowed == .none
                ? selecting.map { "\($0.namespace)/\($0.name)" } : names)
    }

    private func extent(
        of peers: [NetworkPolicy.Peer], _ other: NetworkPeer, _ policy: NetworkPolicy,
        _ pod: NetworkPod, _ known: [NetworkPrefix]
    ) -> Extent {
        guard !peers.isEmpty else { return .all }
        return peers.map { peer -> Extent in
            switch (peer, other) {
            case (.block(let block, let except), .addresses(let prefix)):
                if known.contains(where: { $0.contains(block) }) { return .none }
                return extent(of: block, except, prefix)
            case (.pods(let namespaces, let pods), .pod(let other)):
                let isThere =
                    namespaces?.matches(other.namespaceLabels)
                    ?? (other.namespace == policy.namespace)
                return isThere && pods.matches(other.labels) ? .all : .none
            case (.pods(let namespaces, let pods), .anyPod(let isOwn)):
                guard let namespaces else {
                    return !isOwn ? .none : pods.requirements.isEmpty ? .all : .part
                }
                if isOwn, !namespaces.matches(pod.namespaceLabels) { return .none }
                let isOpen =
                    pods.requirements.isEmpty && (isOwn || namespaces.requirements.isEmpty)
                return isOpen ? .all : .part
            // A block is about addresses outside the cluster, and a selector about pods.
            case (.block, .pod), (.block, .anyPod), (.pods, .addresses): return .none
            }
        }.max() ?? .none
    }

    private func extent(
        of block: NetworkPrefix, _ except: [NetworkPrefix], _ wanted: NetworkPrefix
    ) -> Extent {
        guard block.overlaps(wanted), !except.contains(where: { $0.contains(wanted) }) else {
            return .none
        }
        let isWhole = block.contains(wanted) && !except.contains { $0.overlaps(wanted) }
        return isWhole ? .all : .part
    }

    /// - Parameter isKnown: false: which ports the target has is not known.
    private func extent(
        of ports: [NetworkPolicy.Port], _ wanted: NetworkPort, _ target: NetworkPod?, isKnown: Bool
    ) -> Extent {
        guard !ports.isEmpty else { return .all }
        return ports.filter { $0.transport == wanted.transport }.map { port -> Extent in
            let ranges: [ClosedRange<Int>]
            switch port.number {
            case nil: return .all
            case .range(let range)?: ranges = [range]
            case .name? where !isKnown: return .part
            case .name(let name)?:
                ranges = (target?.ports ?? []).filter {
                    $0.name == name && $0.transport == port.transport
                }.map { $0.number...$0.number }
            }
            guard let number = wanted.number else {
                if ranges.contains(where: { $0 == 1...65_535 }) { return .all }
                return ranges.isEmpty ? .none : .part
            }
            return ranges.contains { $0.contains(number) } ? .all : .none
        }.max() ?? .none
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
