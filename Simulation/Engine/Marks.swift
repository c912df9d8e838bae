// SPDX-License-Identifier: Apache-2.0

/// Places that a run came to. A campaign fails when a mark that its scenario declares in
/// `sometimes` was never hit: then the interesting branch was not tested.
package final class Marks: @unchecked Sendable {
    /// Names with how often.
    package private(set) var hits: [String: Int] = [:]
    private let log: EventLog

    init(log: EventLog) { self.log = log }

    package func hit(_ name: String) {
        if hits[name] == nil { log.add(.mark, name) }
        hits[name, default: 0] += 1
    }
}
