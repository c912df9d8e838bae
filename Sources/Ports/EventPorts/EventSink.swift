// SPDX-License-Identifier: Apache-2.0
package import EnforcementEvents

/// Why a sink takes no lines at the moment. Each of them passes, or may pass, without the lines
/// being at fault.
package enum EventSinkFailure: Error, Sendable, Equatable {
    /// The place to write to cannot be opened or reached.
    case unreachable(errorNumber: Int32)
    /// It was reached and then failed.
    case broken(errorNumber: Int32)
    /// It did not take the lines in the time allowed.
    case timedOut
    /// No room is left on the medium.
    case full(errorNumber: Int32)
    /// A collector asks for a pause; nil: without saying for how long.
    case throttled(status: Int, retryAfter: Duration?)
    /// A collector answered with what is no answer.
    case answerMalformed
}

/// What became of lines that were handed to a sink.
package struct EventDelivery: Sendable, Equatable {
    /// So many, from the first on, are done with and are not handed over again.
    package let taken: Int
    /// Of these, so many were refused for good and are lost.
    package let lost: Int
    /// Why the others were not taken; nil when all were.
    package let failure: EventSinkFailure?

    package init(taken: Int, lost: Int = 0, failure: EventSinkFailure? = nil) {
        self.taken = taken
        self.lost = lost
        self.failure = failure
    }
}

/// A place where events go: a file, standard output, a syslog daemon, a collector.
///
/// Contract:
/// - Lines are handed over in their order; a sink keeps it and never writes a line in part without
///   completing it first or taking the part back.
/// - `deliver` returns within the time its adapter was given, whatever the other side does. It may
///   block that long, so each sink has a thread of its own.
/// - Lines that were not taken come again, first the same ones: a sink may get a line twice when
///   its other side took it and did not live to say so.
/// - Lines that are refused for good are counted in `lost`, never passed over in silence. What the
///   other side loses after it took a line, no sink can count; the chain shows it.
/// - No failure is fatal: the next call tries anew.
package protocol EventSink: ~Copyable {
    /// Names the sink in `EVENT_LOSS`, metrics and the verifier: at most 64 bytes.
    var name: String { get }
    /// The most lines, and bytes of lines, that one call takes. A single line is always allowed.
    var batchLinesMax: Int { get }
    var batchBytesMax: Int { get }

    mutating func deliver(_ lines: [EventLine]) -> EventDelivery
}
