// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents

extension EventChainFinding.Kind {
    /// A word for programs and a sentence for people.
    var words: (kind: String, message: String) {
        switch self {
        case .malformed:
            ("malformed", "no whole line of an event log: torn, foreign, or still being written")
        case .changed(let index): ("changed", "line \(index) of the chain was changed")
        case .unlinked(let index):
            (
                "unlinked",
                "line \(index) does not name the hash of the line before: one of them was replaced"
            )
        case .removed(let from, let to):
            (
                "removed",
                "lines \(from) to \(to) of the chain are missing before this one, and no "
                    + "EVENT_LOSS tells it"
            )
        case .duplicated(let index): ("duplicated", "line \(index) is there a second time")
        case .reordered(let index): ("reordered", "line \(index) stands behind a later one")
        case .inserted(let index): ("inserted", "another line \(index) was there before")
        case .segmentUnlinked:
            ("segmentUnlinked", "a segment begins that does not name the last line before it")
        case .signatureInvalid(let index):
            ("signatureInvalid", "checkpoint \(index) is not signed with a key that was given")
        case .checkpointMismatch(let index):
            ("checkpointMismatch", "checkpoint \(index) signs no line before it")
        case .checkpointMissing(let index):
            ("checkpointMissing", "no checkpoint came until line \(index)")
        case .truncated(let after, let expected):
            (
                "truncated",
                "the log ends \(after.map { "with line \($0)" } ?? "early"); line \(expected) was "
                    + "written"
            )
        }
    }
}
