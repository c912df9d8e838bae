// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
package import Enforcement
package import EnforcementEvents

/// How the agent stands at one moment.
package struct AgentStatus: Sendable, Equatable {
    package let tier: EnforcementTier
    package let mode: PolicySettings.Mode
    package let generation: UInt32
    package let hooks: [String]
    package let findings: [VectorFinding]
    package let enrolments: Int
    package let protectedTasks: Int
    package let counts: [VectorNumber: EnforcementCounts]
    package let totals: RecordTotals
    package let sinks: [SinkFacts]
    /// Nil where nothing is scanned.
    package let scan: ScanCounts?

    /// Vectors that the self-test got through on a protected process.
    package var open: [VectorNumber] {
        findings.filter { $0.result == .notDenied }.map(\.vector)
    }

    /// Whether new workloads are protected: something is denied, and nothing that was tested came
    /// through.
    package var isReady: Bool { findings.contains { $0.result == .denied } && open.isEmpty }
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

    private let isContinuing: Bool

    /// - Parameter continuing: the programs numbered records before this agent took any, so the
    ///   first number of a processor is no gap.
    package init(continuing: Bool = false) { isContinuing = continuing }

    /// Returns the numbers that are missing before this record, nil when none are.
    package mutating func add(_ record: EnforcementRecord) -> ClosedRange<UInt64>? {
        let event = record.eventType
        byKind[Kind(event: event, verdict: record.verdict), default: 0] += 1
        let before = isContinuing ? max(record.sequence, 1) - 1 : 0
        let last = sequences[record.processor, default: before]
        guard record.sequence > last else { return nil }
        sequences[record.processor] = record.sequence
        let expected = last + 1
        guard record.sequence > expected else { return nil }
        lost += record.sequence - expected
        return expected...record.sequence - 1
    }
}
