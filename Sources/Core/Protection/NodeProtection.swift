// SPDX-License-Identifier: Apache-2.0
internal import EnforcementEvents
internal import KubernetesFormat

/// How a node's programs enforce, the weakest first: what the agent's self-test saw.
package enum ProtectionTier: String, Sendable, CaseIterable, Comparable {
    case none, signal
    case modifyReturn = "fmod_ret"
    case lsm

    package static func < (left: ProtectionTier, right: ProtectionTier) -> Bool {
        left.rank < right.rank
    }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// What is done about an attempt, the weakest first.
package enum ProtectionMode: String, Sendable, CaseIterable, Comparable {
    /// Attempts are told, and none is denied.
    case detect
    case deny
    case kill = "deny+kill"

    package static func < (left: ProtectionMode, right: ProtectionMode) -> Bool {
        left.rank < right.rank
    }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// What a node's agent says at `GET /workloads` (docs/reference/agent.md).
package struct NodeProtection: Sendable, Equatable {
    /// An agent lists 4000 enrolments of at most 270 bytes.
    package static let documentBytesMax = 2 << 20
    package static let workloadsMax = 4000
    private static let containerDigits = 64

    /// Why an answer is none of an agent. Never with a text of the answer.
    package struct Malformed: Error, Sendable, Equatable {
        package let detail: String

        package init(detail: String) { self.detail = detail }
    }

    package let tier: ProtectionTier
    package let mode: ProtectionMode
    /// Whether the self-test saw something denied, and nothing come through that the policy denies;
    /// nil: an older agent, which does not say.
    package let isReady: Bool?
    /// Whether the node can scan what protected processes let out.
    package let scans: Bool
    /// By a container's identifier: whether all its enrolments are scanned.
    package let containers: [String: Bool]
    /// More are enrolled than are listed.
    package let hasMore: Bool
    /// By a container's identifier: what was seen of the programs of all its enrolments, the least
    /// of each. Missing: of one of them nothing was seen.
    package let seen: [String: SeenPrograms]
    package let node: SeenNode

    package init(
        tier: ProtectionTier, mode: ProtectionMode, scans: Bool, containers: [String: Bool],
        hasMore: Bool = false, isReady: Bool? = nil, seen: [String: SeenPrograms] = [:],
        node: SeenNode = SeenNode()
    ) {
        self.tier = tier
        self.mode = mode
        self.isReady = isReady
        self.scans = scans
        self.containers = containers
        self.hasMore = hasMore
        self.seen = seen
        self.node = node
    }

    /// Members that are not known are passed by: a later agent may say more.
    package init(_ document: [UInt8]) throws(Malformed) {
        guard document.count <= Self.documentBytesMax else {
            throw Malformed(detail: "is larger than \(Self.documentBytesMax) bytes")
        }
        guard let root = try? JSONTree(document), root.members != nil else {
            throw Malformed(detail: "is no JSON object")
        }
        guard let tier = root["tier"]?.text.flatMap(ProtectionTier.init(rawValue:)) else {
            throw Malformed(detail: "has no tier that is known")
        }
        guard let mode = root["mode"]?.text.flatMap(ProtectionMode.init(rawValue:)) else {
            throw Malformed(detail: "has no mode that is known")
        }
        guard let scans = root["scans"]?.flag, let hasMore = root["more"]?.flag else {
            throw Malformed(detail: "does not say whether it scans or lists all")
        }
        guard let workloads = root["workloads"]?.elements, workloads.count <= Self.workloadsMax
        else { throw Malformed(detail: "has no list of at most \(Self.workloadsMax) workloads") }
        var containers: [String: Bool] = [:]
        var seen: [String: SeenPrograms] = [:]
        for workload in workloads {
            guard let (container, isScanned) = Self.enrolment(workload) else {
                throw Malformed(detail: "has a workload that is none")
            }
            let programs = SeenPrograms(workload["seen"])
            if containers[container] == nil {
                seen[container] = programs
            } else {
                seen[container] = programs.flatMap { seen[container]?.least($0) }
            }
            containers[container] = isScanned && containers[container] ?? true
        }
        self.init(
            tier: tier, mode: mode, scans: scans, containers: containers, hasMore: hasMore,
            isReady: root["ready"]?.flag, seen: seen, node: SeenNode(root["node"]))
    }

    private static func enrolment(_ workload: JSONTree) -> (container: String, Bool)? {
        guard let container = workload["container"]?.text, isContainer(container),
            let pod = workload["pod"]?.text, PodUID(pod) != nil,
            let number = workload["enrolment"]?.wholeNumber, UInt32(exactly: number) != nil,
            let isScanned = workload["scanned"]?.flag
        else { return nil }
        return (container, isScanned)
    }

    private static func isContainer(_ text: String) -> Bool {
        text.utf8.count == containerDigits
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}

extension JSONTree {
    var flag: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }
}
