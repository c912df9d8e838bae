// SPDX-License-Identifier: Apache-2.0
package import EnforcementEvents

/// How a sink's log ends before anything is written to it, as far as the sink can read it back.
package struct EventLogEnd: Sendable, Equatable {
    /// So many torn parts are told; a log that ends in more was not left so by crashes.
    package static let tornMax = 4

    /// The place of the last whole line; nil: there is none.
    package var link: EventLink?
    /// What stands behind it and is no line: parts that crashes left, the oldest first.
    package var torn: [[UInt8]]
    /// Why it could not be read; nil: it could, or is not there.
    package var errorNumber: Int32?

    package init(link: EventLink? = nil, torn: [[UInt8]] = [], errorNumber: Int32? = nil) {
        self.link = link
        self.torn = torn
        self.errorNumber = errorNumber
    }
}
