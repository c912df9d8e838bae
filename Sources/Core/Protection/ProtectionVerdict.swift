// SPDX-License-Identifier: Apache-2.0

/// What became of asking a node's agent.
package enum NodeAnswer: Sendable, Equatable {
    case told(NodeProtection)
    /// The node has no pod of the agent with an address.
    case noAgent
    /// Why it gave no answer, in words of ours.
    case unreachable(String)
}

/// What is known of all pods of a workload; what nobody has measured is nil.
package struct ProtectionFacts: Sendable, Equatable {
    package let pods: Int
    package let enrolledPods: Int
    package let tier: ProtectionTier?
    package let mode: ProtectionMode?
    package let isOutputScanned: Bool?

    package init(
        pods: Int, enrolledPods: Int, tier: ProtectionTier? = nil, mode: ProtectionMode? = nil,
        isOutputScanned: Bool? = nil
    ) {
        self.pods = pods
        self.enrolledPods = enrolledPods
        self.tier = tier
        self.mode = mode
        self.isOutputScanned = isOutputScanned
    }
}

/// Whether a workload is protected, from what its pods' status says and what agents have told.
package struct ProtectionVerdict: Sendable, Equatable {
    package enum Status: String, Sendable {
        case holds = "True", fails = "False", unknown = "Unknown"
    }

    package enum Reason: String, Sendable, CaseIterable {
        case allEnrolled = "AllEnrolled"
        case notEnrolled = "NotEnrolled"
        /// All are enrolled where nothing is denied.
        case notEnforced = "NotEnforced"
        case noAgent = "NoAgent"
        case agentUnreachable = "AgentUnreachable"
        case noPods = "NoPods"
        /// There are more pods in the cluster than are looked at.
        case tooManyPods = "TooManyPods"

        package var status: Status {
            switch self {
            case .allEnrolled: .holds
            case .notEnrolled, .notEnforced: .fails
            case .noAgent, .agentUnreachable, .noPods, .tooManyPods: .unknown
            }
        }
    }

    /// Names that a message has at most.
    package static let namesMax = 4

    package let facts: ProtectionFacts
    package let reason: Reason
    /// With what to do about it.
    package let message: String

    package var status: Status { reason.status }

    /// - Parameters:
    ///   - pods: of the workload, in any order.
    ///   - answers: by node; one that is missing has no agent.
    ///   - isComplete: whether these are all its pods.
    package init(
        _ pods: [RunningPod], _ answers: [String: NodeAnswer], isComplete: Bool = true
    ) {
        let pods = pods.sorted { $0.name < $1.name }
        let states = pods.map { State($0, answers[$0.node] ?? .noAgent) }
        let told = states.compactMap(\.node)
        let isMeasured = !pods.isEmpty && told.count == pods.count
        let tier = isMeasured ? told.map(\.tier).min() : nil
        let mode = isMeasured ? told.map(\.mode).min() : nil
        facts = ProtectionFacts(
            pods: pods.count, enrolledPods: states.count { $0.outcome.isEnrolled }, tier: tier,
            mode: mode, isOutputScanned: isMeasured ? states.allSatisfy(\.isScanned) : nil)
        (reason, message) = Self.judge(pods, states, facts, isComplete: isComplete)
    }

    // MARK: - One pod

    private enum Outcome: Equatable {
        case enrolled, notEnrolled, noAgent
        case unreachable(String)

        var isEnrolled: Bool { self == .enrolled }
    }

    private struct State {
        let outcome: Outcome
        /// nil: nobody has told of it.
        var node: NodeProtection?
        var isScanned = false

        init(_ pod: RunningPod, _ answer: NodeAnswer) {
            switch answer {
            case .told(let node):
                self.node = node
                let scanned = pod.wrapped.map { $0.id.flatMap { node.containers[$0] } }
                if pod.bare.isEmpty, scanned.allSatisfy({ $0 != nil }), !scanned.isEmpty {
                    outcome = .enrolled
                    isScanned = node.scans && scanned.allSatisfy { $0 == true }
                } else if pod.bare.isEmpty, node.hasMore {
                    outcome = .unreachable(
                        "it lists its first \(NodeProtection.workloadsMax) enrolments only")
                } else {
                    outcome = .notEnrolled
                }
            // Whoever starts without the wrapper has not registered, whatever an agent says.
            case _ where !pod.bare.isEmpty: outcome = .notEnrolled
            case .noAgent: outcome = .noAgent
            case .unreachable(let why): outcome = .unreachable(why)
            }
        }
    }

    // MARK: - All of them

    private static func judge(
        _ pods: [RunningPod], _ states: [State], _ facts: ProtectionFacts, isComplete: Bool
    ) -> (Reason, String) {
        let found = Array(zip(pods, states))
        let open = found.filter { $0.1.outcome == .notEnrolled }.map(\.0)
        guard open.isEmpty else { return (.notEnrolled, notEnrolled(open, of: pods.count)) }
        let without = found.filter { $0.1.outcome == .noAgent }.map(\.0.node)
        guard without.isEmpty else {
            return (
                .noAgent,
                "no agent runs on the nodes \(names(without)); look at the pods of the DaemonSet "
                    + "cloudtaser-agent there"
            )
        }
        for (pod, state) in found {
            guard case .unreachable(let why) = state.outcome else { continue }
            let silent = found.filter { $0.1.node == nil }.map(\.0.node)
            return (
                .agentUnreachable,
                "not all is known of the nodes \(names(silent.isEmpty ? [pod.node] : silent)): the "
                    + "agent of \(pod.node) cannot be asked (\(why)); let the operator reach port "
                    + "\(NodeAddress.usualPort) of its pod, and look at its log"
            )
        }
        guard !pods.isEmpty else {
            return (.noPods, "no pod of it that asks runs; nothing is to be done")
        }
        return judge(enrolled: found, facts, isComplete: isComplete)
    }

    private static func judge(
        enrolled found: [(RunningPod, State)], _ facts: ProtectionFacts, isComplete: Bool
    ) -> (Reason, String) {
        if facts.tier == ProtectionTier.none {
            let nodes = found.filter { $0.1.node?.tier == ProtectionTier.none }.map(\.0.node)
            return (
                .notEnforced,
                "the self-test saw nothing denied on the nodes \(names(nodes)); /readyz of the "
                    + "agent there says what came through"
            )
        }
        if facts.mode == .detect {
            let nodes = found.filter { $0.1.node?.mode == .detect }.map(\.0.node)
            return (
                .notEnforced,
                "attempts are told and not denied on the nodes \(names(nodes)); run the agent with "
                    + "--mode deny (agent.mode of the chart)"
            )
        }
        guard isComplete else {
            return (
                .tooManyPods,
                "the cluster has more pods that ask than are looked at, and some may be of this "
                    + "workload; those that are known are enrolled"
            )
        }
        return (
            .allEnrolled,
            "every wrapped container that runs is enrolled with the agent of its node"
        )
    }

    private static func notEnrolled(_ open: [RunningPod], of count: Int) -> String {
        let bare = open.filter { !$0.bare.isEmpty }
        let head = "not protected: \(names(open.map(\.name))) (\(open.count) of \(count) pods); "
        guard bare.isEmpty else {
            return head + "without the wrapper start containers of \(names(bare.map(\.name))): "
                + "delete these pods, so that their next ones are injected"
        }
        return head + "the agents of their nodes have no enrolment of each wrapped container: look "
            + "there for events of the type ENROLMENT that were denied, and delete the pods, so "
            + "that their next ones register"
    }

    /// `a, b, …`: each once, at most `namesMax` of them.
    private static func names(_ all: [String]) -> String {
        let distinct = Set(all).sorted()
        return distinct.prefix(namesMax).joined(separator: ", ")
            + (distinct.count > namesMax ? ", …" : "")
    }
}
