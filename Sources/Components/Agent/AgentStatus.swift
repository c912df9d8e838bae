// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
package import Enforcement
package import EnforcementEvents

/// How the agent stands at one moment.
package struct AgentStatus: Sendable, Equatable {
    package let tier: EnforcementTier
    package let mode: PolicySettings.Mode
    package let policy: EnforcementPolicy
    package let generation: UInt32
    package let hooks: [String]
    package let findings: [VectorFinding]
    package let enrolments: Int
    package let protectedTasks: Int
    /// Who is enrolled and alive in a container of a pod, by number.
    package let workloads: [EnrolledContainer]
    /// Nil where nobody looks.
    package let node: NodeObservation?
    package let counts: [VectorNumber: EnforcementCounts]
    package let totals: RecordTotals
    /// Told by this run: vectors that are enforced in a weaker way than in the one before.
    package let downgrades: [VectorNumber: UInt64]
    package let sinks: [SinkFacts]
    /// Nil where nothing is scanned.
    package let scan: ScanCounts?
    package let unsignedCheckpoints: UInt64
    /// Events that told a loss.
    package let toldLosses: UInt64
    /// Of the chain of events.
    package let lastLine: EventLink?

    /// Vectors that the self-test got through on a protected process.
    package var open: [VectorNumber] {
        findings.filter(\.result.isOpen).map(\.vector)
    }

    /// Vectors that the policy promises to deny and that come through.
    package var broken: [VectorNumber] { open.filter { policy[$0] >= .deny } }

    /// Whether new workloads are protected as the policy says: something is denied, and nothing
    /// that it denies was seen to come through.
    package var isReady: Bool { findings.contains { $0.result == .denied } && broken.isEmpty }

    /// How this node enforces, as the self-test has seen it; nil: it saw nothing enforced.
    package var enforced: EnforcementTier? {
        let results = findings.map(\.result)
        guard tier == .signal else { return results.contains(.denied) ? tier : nil }
        return results.contains(.killed) ? tier : nil
    }
}

/// One enrolment, and the container that it is in.
package struct EnrolledContainer: Sendable, Equatable {
    package let enrolment: EnrolmentID
    package let pod: PodUID
    /// 64 hexadecimal digits.
    package let container: String
    /// Whether what its processes let out is looked through.
    package let isScanned: Bool
    /// Of the programs that its wrapper started; nil: nothing was seen.
    package let seen: ProcessObservation?

    /// nil: its cgroup names no pod or no container.
    init?(_ entry: Enrolments.Entry) {
        guard let pod = entry.place?.podUID, let container = entry.place?.container else {
            return nil
        }
        enrolment = entry.id
        self.pod = pod
        self.container = container
        isScanned = entry.isScanned
        seen = entry.seen
    }
}

/// Records taken, and what the gaps between them say. The programs number each processor's records
/// from 1.
package struct RecordTotals: Sendable, Equatable {
    package struct Kind: Sendable, Hashable {
        package let event: EventType
        package let verdict: EventVerdict
    }

    package private(set) var byKind: [Kind: UInt64] = [:]
    /// Records that the ring had no room for, by the gaps of the sequence numbers.
    package private(set) var lost: UInt64 = 0
    private var sequences: [UInt32: UInt64] = [:]
    /// Losses that were told before the gaps showed them.
    private var toldAhead: UInt64 = 0

    private let isContinuing: Bool

    /// - Parameter continuing: the programs numbered records before this agent took any, so the
    ///   first number of a processor is no gap.
    package init(continuing: Bool = false) { isContinuing = continuing }

    /// So many records are told as lost already; the gaps that they left are not to be told again.
    package mutating func tell(_ count: UInt64) { toldAhead += count }

    /// Returns the numbers that are missing before this record and were not told yet, nil when none
    /// are.
    package mutating func add(_ record: EnforcementRecord) -> ClosedRange<UInt64>? {
        let event = record.eventType
        byKind[Kind(event: event, verdict: record.verdict), default: 0] += 1
        let before = isContinuing ? max(record.sequence, 1) - 1 : 0
        let last = sequences[record.processor, default: before]
        guard record.sequence > last else { return nil }
        sequences[record.processor] = record.sequence
        let expected = last + 1
        guard record.sequence > expected else { return nil }
        let missing = record.sequence - expected
        lost += missing
        let told = min(missing, toldAhead)
        toldAhead -= told
        return told == missing ? nil : expected + told...record.sequence - 1
    }
}

extension Array<EnforcementRecord> {
    /// The numbers of each processor in their order, other records where they are. A program that
    /// is interrupted between its place in the ring and its number leaves two the wrong way round;
    /// the ring gives neither before both are finished.
    package func numbersInOrder() -> [EnforcementRecord] {
        var places: [UInt32: [Int]] = [:]
        for (index, record) in enumerated() { places[record.processor, default: []].append(index) }
        var ordered = self
        for indices in places.values {
            let records = indices.map { self[$0] }.sorted { $0.sequence < $1.sequence }
            for (index, record) in zip(indices, records) { ordered[index] = record }
        }
        return ordered
    }
}
