// SPDX-License-Identifier: Apache-2.0
package import EnforcementEvents
package import EventPorts

/// Where a chain goes on after a restart, by the ends of the sinks' logs.
///
/// There is one chain for all sinks. It goes on behind the furthest line of the first log that has
/// one; what another log lacks of the same segment is told as lost there. What only sinks without
/// a readable log got after that line, their readers see as two lines with one index.
package struct EventChainStart: Sendable, Equatable {
    /// The line before the next; nil: no log has one, and a new segment begins.
    package let last: EventLink?
    /// Lines that a log lacks because the agent before ended with them in its queue.
    package let losses: [EventLoss]
    package let torn: [Torn]
    package let failures: [Failure]

    package struct Torn: Sendable, Equatable {
        package let sink: String
        package let bytes: [UInt8]
    }

    package struct Failure: Sendable, Equatable {
        package let sink: String
        package let errorNumber: Int32
    }

    /// - Parameter ends: of the sinks whose logs can be read back, by their names.
    package init(_ ends: [(sink: String, end: EventLogEnd)]) {
        let segment = ends.lazy.compactMap(\.end.link).first?.segment
        let links = ends.compactMap(\.end.link).filter { $0.segment == segment }
        let last = links.max { $0.index < $1.index }
        self.last = last
        losses = ends.compactMap { sink, end in
            guard let last, let link = end.link, link.segment == last.segment,
                link.index < last.index
            else { return nil }
            return EventLoss(
                source: .sink, sink: sink, from: link.index + 1, to: last.index,
                count: last.index - link.index)
        }
        torn = ends.flatMap { sink, end in end.torn.map { Torn(sink: sink, bytes: $0) } }
        failures = ends.compactMap { sink, end in
            end.errorNumber.map { Failure(sink: sink, errorNumber: $0) }
        }
    }

    /// - Parameter segment: of the chain when it cannot go on; drawn anew.
    package func chain<Hasher: EventHasher>(
        orSegment segment: EventSegment, hasher: Hasher
    ) -> EventChain<Hasher> {
        guard let last, last.index < EventLink.indexMax else {
            return EventChain(segment: segment, after: last, hasher: hasher)
        }
        return EventChain(continuing: last, hasher: hasher)
    }
}
