// SPDX-License-Identifier: Apache-2.0

/// Who tries to read a secret, the weakest first.
package enum SecretReader: String, Sendable, CaseIterable {
    /// Without privileges, in namespaces of its own.
    case otherContainer
    /// In the container, and not started by the wrapper's program: `kubectl exec`, say.
    case sameUser
    case rootWithAgent
    /// Who is root ends the agent first, or there is none.
    case rootWithoutAgent
    case clusterAdministrator
    case kernelModule
    case hypervisor
    case physical

    package var title: String {
        switch self {
        case .otherContainer: "another container on the node"
        case .sameUser: "another process of the same user"
        case .rootWithAgent: "root of the node, agent running"
        case .rootWithoutAgent: "root of the node, agent ended"
        case .clusterAdministrator: "cluster administrator, by a token"
        case .kernelModule: "a kernel module"
        case .hypervisor: "the hypervisor"
        case .physical: "who has the machine in hand"
        }
    }
}

package enum Exposure: String, Sendable, CaseIterable {
    case blocked
    /// It is read, and told.
    case detected
    case exposed
    case unknown
}

/// Whether one reader gets at the secret, and the test of the catalogue that shows it.
package struct ReaderCell: Sendable, Equatable {
    package let reader: SecretReader
    package let exposure: Exposure
    /// Of `Fixtures/compliance/tests.json`; nil for what is unknown alone.
    package let test: String?
    package let reason: String
}

/// Who can read a container's secrets. Nothing is called blocked without a test that shows it.
package struct ReaderLadder: Sendable, Equatable {
    package let cells: [ReaderCell]

    package init(_ facts: WorkloadFacts) {
        let judge = Judge(facts: facts)
        cells = SecretReader.allCases.map { reader in
            let verdict = judge.verdict(on: reader)
            return ReaderCell(
                reader: reader, exposure: verdict.exposure, test: verdict.test,
                reason: verdict.reason)
        }
    }

    package subscript(reader: SecretReader) -> ReaderCell? { cells.first { $0.reader == reader } }
}

private struct Verdict {
    let exposure: Exposure
    let test: String?
    let reason: String

    static func blocked(_ test: String, _ reason: String) -> Verdict {
        Verdict(exposure: .blocked, test: test, reason: reason)
    }

    static func detected(_ test: String, _ reason: String) -> Verdict {
        Verdict(exposure: .detected, test: test, reason: reason)
    }

    static func exposed(_ test: String, _ reason: String) -> Verdict {
        Verdict(exposure: .exposed, test: test, reason: reason)
    }

    static func unknown(_ reason: String) -> Verdict {
        Verdict(exposure: .unknown, test: nil, reason: reason)
    }
}

private struct Judge {
    let facts: WorkloadFacts

    func verdict(on reader: SecretReader) -> Verdict {
        if reader != .otherContainer, let verdict = stored(reader) { return verdict }
        return switch reader {
        case .otherContainer: otherContainer
        case .sameUser: sameUser
        case .rootWithAgent: rootWithAgent
        case .rootWithoutAgent: rootWithoutAgent
        case .clusterAdministrator: clusterAdministrator
        case .kernelModule: kernelModule
        case .hypervisor, .physical: outside(reader)
        }
    }

    /// A copy in the cluster is read on ways that nothing of ours stands in.
    private func stored(_ reader: SecretReader) -> Verdict? {
        switch facts[.outsideCluster].state {
        case .holds: return nil
        case .unknown:
            // What is exposed without any copy needs none to be so.
            let other = Judge(facts: facts.outside).verdict(on: reader)
            return other.exposure == .exposed
                ? other : .unknown("whether the cluster stores the value is not known")
        case .fails, .unreachable:
            return switch reader {
            case .clusterAdministrator:
                .exposed(
                    "SIM-ETCD-01",
                    "who may read the object reads the value; the test's control finds one so")
            case .kernelModule:
                .exposed("LIM-KMOD-01", "a copy in the cluster lies in ordinary memory, too")
            case .hypervisor, .physical:
                .exposed("LIM-HV-01", "a copy in the cluster lies on its machines")
            default:
                .exposed(
                    "LIM-ENV-01", "a copy in the cluster lies in an environment or a file there")
            }
        }
    }

    // MARK: - The agent

    private static let guarding: [ProtectionFact] = [
        .agentConnected, .enforceMode, .denyingPrograms, .selfTestPassed,
    ]

    private var isGuarded: Bool { Self.guarding.allSatisfy { facts[$0].holds } }

    /// Whether denying is out of the question; false where it is only not known.
    private var isOpen: Bool { Self.guarding.contains { !facts[$0].mayHold } }

    private let guardedReason = "the agent's programs deny it"
    private let agentUnknown = "whether an agent denies it is not known"

    private var otherContainer: Verdict {
        if isGuarded { return .blocked("VM-EBPF-01", guardedReason + ", to root, too") }
        if facts[.outsideCluster].holds, facts.delivery == .splice, facts[.secretMemory].holds {
            return .blocked("VM-MEM-01", "reads of secret memory fail even for root")
        }
        return .unknown("namespaces of the run-time keep it apart, which no test here shows")
    }

    private var sameUser: Verdict {
        if isGuarded { return .blocked("VM-EBPF-01", guardedReason) }
        guard isOpen else { return .unknown(agentUnknown) }
        if facts.delivery == .notByWrapper {
            return .exposed("LIM-ENV-01", "the value is in an environment or a file")
        }
        if facts[.dumpableOff].mayHold {
            return .unknown("only PR_SET_DUMPABLE may keep it out, which no listed test shows")
        }
        if facts.delivery == .environ {
            return .exposed("LIM-ENV-01", "the value is in the environment of the process")
        }
        return .exposed("LIM-PTRACE-01", "a tracer makes the process write its memory out")
    }

    private var rootWithAgent: Verdict {
        if isGuarded { return .blocked("VM-EBPF-01", guardedReason) }
        guard isOpen else { return .unknown(agentUnknown) }
        guard facts[.agentConnected].holds else {
            return facts[.agentConnected].state == .unknown
                ? .unknown(agentUnknown) : rootWithoutAgent
        }
        guard facts[.denyingPrograms].mayHold else {
            return .detected("LIM-SIGNAL-01", "the programs there kill who reads, and deny nothing")
        }
        return facts[.enforceMode].mayHold
            ? .exposed("LIM-PREEMPT-01", "the agent's self-test saw attempts come through")
            : .detected("VM-EBPF-01", "the agent tells of it and lets it go on")
    }

    private var rootWithoutAgent: Verdict {
        if facts.delivery == .environ || facts.delivery == .notByWrapper {
            return .exposed("LIM-ENV-01", "root reads the environment of the process")
        }
        if facts.delivery == .file {
            return .exposed("LIM-FILE-01", "root takes the program's descriptor and maps it")
        }
        return facts[.agentConnected].holds
            ? .exposed("LIM-ROOT-01", "root takes the agent away, then traces the process")
            : .exposed("LIM-PTRACE-01", "root makes the process write its memory out")
    }

    // MARK: - Beyond the node

    private var clusterAdministrator: Verdict {
        switch facts[.attestationVerified].state {
        case .holds:
            .unknown("release is bound to an attestation; no test shows that a token alone fails")
        default:
            .exposed("LIM-K8SID-01", "who may act as the pod's identity logs in as the pod")
        }
    }

    private var kernelModule: Verdict {
        switch facts[.agentConnected].state {
        case .holds: .detected("LIM-KMOD-01", "the module reads the page; its load is an event")
        default: .exposed("LIM-KMOD-01", "code in the kernel reads the page")
        }
    }

    private func outside(_ reader: SecretReader) -> Verdict {
        guard facts[.confidentialMachine].holds, facts[.attestationVerified].holds else {
            return .exposed(
                "LIM-HV-01",
                reader == .hypervisor
                    ? "the host reads the guest's memory; no verified confidential machine"
                    : "as the host does, by direct access to memory or a cold boot")
        }
        return .unknown("the verified machine encrypts its memory, which no test here shows")
    }
}

extension WorkloadFacts {
    /// As if the cluster stored nothing.
    fileprivate var outside: WorkloadFacts {
        var facts = self
        facts[.outsideCluster] = .holds(.storedObject)
        return facts
    }
}
