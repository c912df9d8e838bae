// SPDX-License-Identifier: Apache-2.0

/// What is wrong at one place of a log.
package struct EventChainFinding: Sendable, Hashable {
    /// From 1; of the line where it was noticed. 0: at the end.
    package let line: UInt64
    package let kind: Kind

    package enum Kind: Sendable, Hashable {
        /// No whole line of this format: torn by a crash, longer than the limit, or foreign.
        case malformed
        /// The line's bytes do not give the hash that it carries.
        case changed(index: UInt64)
        /// The line does not name the hash of the one before: that one was replaced, or this one
        /// was put in.
        case unlinked(index: UInt64)
        /// Lines are missing and no `EVENT_LOSS` of this sink says so.
        case removed(from: UInt64, to: UInt64)
        /// The line is there a second time, byte for byte.
        case duplicated(index: UInt64)
        /// The line stands behind a later one.
        case reordered(index: UInt64)
        /// Another line with this index was there before.
        case inserted(index: UInt64)
        /// A segment begins that does not name the last hash of the one before it.
        case segmentUnlinked
        /// A checkpoint's signature is not one of a trusted key.
        case signatureInvalid(index: UInt64)
        /// A checkpoint signs a line that is not there, or was signed before.
        case checkpointMismatch(index: UInt64)
        /// More lines than promised came without a checkpoint, up to this index.
        case checkpointMissing(index: UInt64)
        /// The log ends before the line that is known to have been written.
        case truncated(after: UInt64?, expected: UInt64)
    }
}

/// What reading a whole log came to.
package struct EventChainReport: Sendable, Equatable {
    package fileprivate(set) var lines: UInt64 = 0
    /// In the order they were noticed. Empty: nothing is wrong that can be noticed.
    package fileprivate(set) var findings: [EventChainFinding] = []
    /// Where the log begins. Whether older lines were rotated away or removed is not to be known
    /// from the log.
    package fileprivate(set) var first: EventLink?
    package fileprivate(set) var last: EventLink?
    /// Lines that are missing and said to be by an `EVENT_LOSS` of this sink.
    package fileprivate(set) var declaredLosses: UInt64 = 0
    /// Parts of lines that a crash left, each told by an event of the next agent.
    package fileprivate(set) var tornLines: UInt64 = 0
    /// Checkpoints with a valid signature.
    package fileprivate(set) var checkpoints: UInt64 = 0
    /// Lines behind the last valid checkpoint. Somebody who can write the log can change or remove
    /// these without a trace until the next checkpoint comes.
    package fileprivate(set) var unsignedLines: UInt64 = 0

    package init() {}

    mutating func note(_ kind: EventChainFinding.Kind, line: UInt64) {
        findings.append(EventChainFinding(line: line, kind: kind))
    }

    mutating func countLine() { lines += 1 }

    /// The line was malformed because of a crash, and an event says so.
    mutating func explainTorn(line: UInt64) {
        findings.removeAll { $0 == EventChainFinding(line: line, kind: .malformed) }
        tornLines += 1
    }

    mutating func accept(_ link: EventLink) {
        if first == nil { first = link }
        last = link
        unsignedLines += 1
    }

    /// - Parameter lines: between the signed line and the checkpoint's own.
    mutating func countCheckpoint(behind lines: UInt64) {
        checkpoints += 1
        unsignedLines = lines
    }

    mutating func countDeclaredLoss(_ count: UInt64) {
        let (sum, overflow) = declaredLosses.addingReportingOverflow(count)
        declaredLosses = overflow ? .max : sum
    }
}
